"""A fake gcsched for the tests of applications that call it: it has no store and sends nothing."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Self

from gcsched.client.results.meetings import Meeting
from gcsched.testing.admission import FakeAdmission, utc_now
from gcsched.testing.contract_methods import Answer
from gcsched.testing.failures import Failure
from gcsched.testing.meeting_memory import MeetingMemory
from gcsched.testing.records import RecordedCall, Records, ScheduledRequest
from gcsched.testing.responder import Responder
from gcsched.testing.script import ANY_METHOD, Script
from gcsched.testing.threaded_server import ThreadedServer


class FakeScheduler:
    """A gRPC server at `target` that answers as gcsched does, and records what was called.

    Requests to schedule are checked by the service's own rules; each valid one is answered as a new
    job, also when it repeats another. Meetings are kept in memory, and a mail about one counts as
    sent once it is due. All other methods need an `answer`. Any thread may use it.
    """

    def __init__(
        self,
        *,
        templates: Mapping[str, Collection[str]] | None = None,
        internal_domains: str = "",
        senders: Collection[str] = (),
        organizer_domains: str = "",
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Prepare a fake; *templates* has the required variables of each of your own.

        *internal_domains* and *organizer_domains* are as in GCSCHED_INTERNAL_DOMAINS and
        GCSCHED_ORGANIZER_DOMAINS; *senders* are the addresses that a request may name as its
        sender.
        """
        admission = FakeAdmission(
            templates or {},
            internal_domains=internal_domains,
            senders=senders,
            organizer_domains=organizer_domains,
            now=now,
        )
        self._script, self._records = Script(), Records()
        self._meetings = MeetingMemory(admission=admission)
        self._responder = Responder(
            admission=admission,
            script=self._script,
            records=self._records,
            meetings=self._meetings,
        )
        self._server: ThreadedServer | None = None

    def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        if self._server is not None:
            raise RuntimeError("the fake is running already")
        self._server = ThreadedServer(self._responder.respond)
        self._server.start()
        return self

    def close(self) -> None:
        """End all calls, free the port and end the threads; may be called twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def target(self) -> str:
        """The address for clients, as host:port."""
        if self._server is None:
            raise RuntimeError("the fake is not running: use `with FakeScheduler() as fake`")
        return f"127.0.0.1:{self._server.port}"

    @property
    def scheduled(self) -> list[ScheduledRequest]:
        """The accepted requests to schedule, in the order of their answers."""
        return self._records.list_scheduled()

    @property
    def meetings(self) -> list[Meeting]:
        """The meetings that were created, as they are now, in the order of their creation."""
        return self._meetings.list_all()

    @property
    def calls(self) -> list[RecordedCall]:
        """All calls, in the order of their answers, also those that failed."""
        return self._records.list_calls()

    def fail_next(self, failure: Failure, *, method: str = ANY_METHOD, times: int = 1) -> None:
        """Fail the next calls, or those of *method*, with *failure*.

        With *method* `ScheduleMeet` a request of a batch counts as well, and fails alone.
        """
        self._script.fail_next(failure, method, times)

    def fail(self, failure: Failure, *, method: str = ANY_METHOD) -> None:
        """Fail all calls, or all of *method*, until `recover`."""
        self._script.fail(failure, method)

    def fail_for(self, empid: str, failure: Failure) -> None:
        """Fail requests to schedule for *empid*, alone or in a batch, until `recover`."""
        self._script.fail_for(empid, failure)

    def recover(self) -> None:
        """Forget all failures that were set up."""
        self._script.recover()

    def answer(self, method: str, *answers: Answer) -> None:
        """Answer *method* with *answers* in turn, then always with the last one.

        An answer is a message of the contract, or a function that gets the request and returns the
        message or raises an error to answer with.
        """
        self._script.set_answers(method, answers)

    def reset(self) -> None:
        """Forget all records, failures and answers."""
        self._script.reset()
        self._records.clear()
        self._meetings.clear()
