"""What a test has set up: the errors and the answers of later calls."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from google.protobuf.message import Message

from gcsched.testing.contract_methods import Answer, find_method
from gcsched.testing.failures import Failure, check_failure

ANY_METHOD = ""


@dataclass(slots=True)
class NextFailure:
    """The next *times* calls of *method* fail."""

    failure: Failure
    method: str
    times: int


@dataclass(eq=False)
class Script:
    """The errors and answers that a test has set up; any thread may read and change them."""

    _lock: Lock = field(default_factory=Lock)
    _next: list[NextFailure] = field(default_factory=list)
    _lasting: dict[str, Failure] = field(default_factory=dict)
    _by_empid: dict[str, Failure] = field(default_factory=dict)
    _answers: dict[str, deque[Answer]] = field(default_factory=dict)

    def fail_next(self, failure: Failure, method: str, times: int) -> None:
        check_failure(failure)
        check_method(method)
        if times < 1:
            raise ValueError(f"times is {times}: use 1 or more")
        with self._lock:
            self._next.append(NextFailure(failure, method, times))

    def fail(self, failure: Failure, method: str) -> None:
        check_failure(failure)
        check_method(method)
        with self._lock:
            self._lasting[method] = failure

    def fail_for(self, empid: str, failure: Failure) -> None:
        check_failure(failure)
        with self._lock:
            self._by_empid[empid] = failure

    def recover(self) -> None:
        """Forget all failures."""
        with self._lock:
            self._next.clear()
            self._lasting.clear()
            self._by_empid.clear()

    def set_answers(self, method: str, answers: Sequence[Answer]) -> None:
        known = find_method(method)
        if not answers:
            raise TypeError(f"{method} needs at least one answer")
        checked = deque(
            known.convert_reply(each) if isinstance(each, Message) or not callable(each) else each
            for each in answers
        )
        with self._lock:
            self._answers[method] = checked

    def reset(self) -> None:
        """Forget all failures and answers."""
        self.recover()
        with self._lock:
            self._answers.clear()

    def take_failure(self, method: str, *, is_call: bool = True) -> Failure | None:
        """Return the error for a call of *method*, None if it does not fail.

        A request of a batch is not a call: it fails only where the test has named *method*.
        """
        methods = {method, ANY_METHOD} if is_call else {method}
        with self._lock:
            for each in self._next:
                if each.method in methods:
                    each.times -= 1
                    if not each.times:
                        self._next.remove(each)
                    return each.failure
            return next((self._lasting[name] for name in methods if name in self._lasting), None)

    def find_failure_for(self, empid: str) -> Failure | None:
        with self._lock:
            return self._by_empid.get(empid)

    def take_answer(self, method: str) -> Answer | None:
        """Return the next answer to *method*; the last one stays."""
        with self._lock:
            answers = self._answers.get(method)
            if not answers:
                return None
            return answers.popleft() if len(answers) > 1 else answers[0]


def check_method(name: str) -> None:
    if name != ANY_METHOD:
        find_method(name)
