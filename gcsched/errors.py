"""Every condition a caller or an operator can understand, as one small tree. Knows no library."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType


class GcschedError(Exception):
    """Something the caller or the operator can understand went wrong."""

    metadata: Mapping[str, str] = MappingProxyType({})
    """What a program may want to know of it, such as the job; never an address."""
    why: str = ""
    """What is behind it and what to do, for operators only: it may name hosts and settings."""

    @property
    def for_log(self) -> str:
        return str(self) if str(self).endswith(self.why) else f"{self}: {self.why}"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with one field of a request, in words that say what is allowed."""

    field: str
    problem: str


class InvalidRequest(GcschedError):
    """A request breaks at least one rule; all broken rules are named at once."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.problem}" for v in violations))
        self.violations = violations


class RequestTooLarge(GcschedError):
    """A request has more bytes than one wish can need."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(
            f"the request has {size} bytes; at most {most} are accepted: shorten its texts"
        )


class UnknownJob(GcschedError):
    """No job has this id (any more)."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job with id {job_id!r}: it never was, or its time to be kept is over")
        self.metadata = {"job_id": job_id}


class UnreadableJob(GcschedError):
    """A job is stored, but not as one of ours: a hand or a defect has changed it."""

    def __init__(self, job_id: str, problem: str = "it is damaged in the store") -> None:
        super().__init__(
            f"the job with id {job_id!r} cannot be read: {problem};"
            " tell the operator, who can mend or delete its document"
        )
        self.metadata = {"job_id": job_id}


class UnknownSuppression(GcschedError):
    """The address is not blocked."""

    def __init__(self) -> None:
        super().__init__("this address is not blocked; the list of suppressions has those that are")


class UnknownRecipient(GcschedError):
    """Nobody has told anything about this employee, or it was erased."""

    def __init__(self, empid: str) -> None:
        super().__init__(f"no user details of employee {empid!r}: a first invitation brings them")
        self.metadata = {"empid": empid}


class RequestIdReused(GcschedError):
    """A request id came again with other content than the first time."""

    def __init__(self, request_id: str, job_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} belongs to job {job_id}, which has other content;"
            " send each wish with an id of its own"
        )
        self.metadata = {"job_id": job_id}


class StoreUnavailable(GcschedError):
    """MongoDB did not confirm in time; the same call again is safe."""

    def __init__(self, doing: str, *, why: str = "") -> None:
        super().__init__(f"the store did not confirm in time while {doing}; call again")
        self.retry_after = timedelta(seconds=1)
        self.why = why


class StoreRefused(StoreUnavailable):
    """MongoDB answers and refuses: waiting is no cure, the operator must act; nothing is lost."""

    def __init__(self, doing: str, problem: str, sentence: str) -> None:
        GcschedError.__init__(
            self,
            f"MongoDB refused while {doing}: {sentence}; the operator must act, then call again",
        )
        self.problem = problem
        self.sentence = sentence
        self.retry_after = timedelta(seconds=5)
        self.metadata = {"problem": self.problem}


class AdmissionClosed(StoreUnavailable):
    """An index that tells a repeated request from a new one is not whole: no request is taken."""

    def __init__(self, problem: str) -> None:
        GcschedError.__init__(
            self, f"no request can be taken: {problem}; the operator must act, then call again"
        )
        self.retry_after = timedelta(seconds=5)


class RedisUnavailable(GcschedError):
    """Redis did not answer in time, refused, or cannot be read; what is due is found without it."""

    def __init__(self, doing: str, why: str, *, is_refusal: bool = False) -> None:
        super().__init__(f"Redis is unavailable while {doing}: {why}")
        self.why = why
        self.is_refusal = is_refusal


class Stopping(GcschedError):
    """The process stops and takes nothing on any more; another one does."""

    def __init__(self, *, retry_after: timedelta = timedelta(milliseconds=100)) -> None:
        super().__init__("this process is stopping; call again")
        self.retry_after = retry_after


class Overloaded(GcschedError):
    """More calls wait than this process is willing to hold."""

    def __init__(self, waiting: int, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(f"{waiting} requests are waiting already; call again after a moment")
        self.retry_after = retry_after


class MemoryFull(GcschedError):
    """The calls under way hold as much memory as this process gives them."""

    retry_after = timedelta(seconds=1)

    def __init__(self, held: int, most: int) -> None:
        super().__init__(
            f"the calls under way hold {held >> 20} of {most >> 20} MiB; call again after a"
            " moment, with smaller batches"
        )


class MalformedMessage(GcschedError):
    """A call has not exactly one message that can be parsed; nothing was done."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the call has no valid message: {problem}; send exactly one message of the method's"
            " request type, with texts in UTF-8"
        )


class MessageTimeout(GcschedError):
    """The message of a call did not arrive in time; nothing was done."""

    retry_after = timedelta(seconds=1)

    def __init__(self, waited: timedelta) -> None:
        super().__init__(
            f"the message did not arrive within {waited.total_seconds():.1f} s; call again, with"
            " smaller batches where the network is slow"
        )


class IllegalTransition(GcschedError):
    """A job was asked to take a step that its state does not allow."""

    def __init__(
        self, job_id: str, state: str, wanted: str, *, state_time: datetime, why: str
    ) -> None:
        second = state_time.isoformat(timespec="seconds")
        super().__init__(
            f"job {job_id} is {state} since {second} and cannot become {wanted}: {why}"
        )
        self.metadata = {"job_id": job_id, "state": state, "state_time": state_time.isoformat()}


class DuplicateJob(GcschedError):
    """A job cannot be opened again: another one carries the same wish meanwhile."""

    def __init__(self, job_id: str, holder: str) -> None:
        super().__init__(
            f"job {job_id} cannot be opened again: job {holder} holds its dedup key; look what"
            " became of that one"
        )
        self.metadata = {"job_id": holder}


class EtagMismatch(GcschedError):
    """A job has changed since the caller read it."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} has changed since it was read: read it again")
        self.metadata = {"job_id": job_id}


class JobContended(GcschedError):
    """A job changed each time while we were about to change it."""

    def __init__(self, job_id: str, looks: int) -> None:
        super().__init__(f"job {job_id} changed under our hands {looks} times; call again")
        self.metadata = {"job_id": job_id}


class BulkNotFinished(GcschedError):
    """The time of a call that changes or counts many jobs was over before the last one."""

    def __init__(self, count: int, *, is_changing: bool = True) -> None:
        done = "which stay changed; call again for the rest"
        super().__init__(
            f"out of time after {count} jobs at least, "
            + (done if is_changing else "nothing was changed; take a narrower filter or more time")
        )
        self.metadata = {"count": str(count)}


class DeadlineOver(GcschedError):
    """A call came when its caller had stopped waiting already."""

    def __init__(self) -> None:
        super().__init__("the deadline was over on arrival; call again with a later one")


class InternalError(GcschedError):
    """Something in this service is broken; what, its log says."""

    def __init__(self) -> None:
        super().__init__("the service has failed at this call; its log says why: tell the operator")


class SettingsProblems(GcschedError):
    """Settings are missing or contradict each other; one sentence each, all at once."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class TemplateProblem(GcschedError):
    """A template cannot be used; the text names file and line."""

    def __init__(self, file: str, line: int | None, problem: str) -> None:
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"template {where}: {problem}")

    @classmethod
    def join(cls, problems: list["TemplateProblem"]) -> "TemplateProblem":
        """Join several problems into one error, a line each."""
        joined = cls.__new__(cls)
        Exception.__init__(joined, "\n".join(str(problem) for problem in problems))
        return joined


class MalformedMail(GcschedError):
    """A composed mail cannot be sent as it is: its envelope or its content breaks SMTP."""


class CannotListen(GcschedError):
    """The address to listen on is taken, not this machine's or not allowed; *problem* says what."""

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(f"cannot listen on {address}: {problem}")


class EmbeddedStoreProblem(GcschedError):
    """An embedded MongoDB or Valkey cannot be used here; the text says what to do."""


class BackgroundTaskEnded(GcschedError):
    """A part of the service ended though it was not asked to; the whole process ends then."""

    def __init__(self, task: str, how: str) -> None:
        super().__init__(
            f"the part {task!r} of the service {how}; the process stops, its log says why: "
            "start it again, and tell the operator of gcsched when it recurs"
        )
        self.task = task
        self.how = how
