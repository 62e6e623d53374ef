"""The errors that callers see; docs/api.md shows their docstrings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType


class GcschedError(Exception):
    """An error that the caller or the operator can act on."""

    metadata: Mapping[str, str] = MappingProxyType({})
    """Details for programs, such as the id of the job; never an address."""
    why: str = ""
    """The cause and what to do, for operators only: it may name hosts and settings."""

    @property
    def for_log(self) -> str:
        return str(self) if str(self).endswith(self.why) else f"{self}: {self.why}"


@dataclass(frozen=True, slots=True)
class Violation:
    """One invalid field of a request; *problem* says what is allowed."""

    field: str
    problem: str


class InvalidRequest(GcschedError):
    """The request is invalid; every violation is listed. Fix the named fields."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__("; ".join(f"{v.field}: {v.problem}" for v in violations))
        self.violations = violations

    @property
    def by_field(self) -> dict[str, str]:
        """Return the problem of each field; of several with a field the last one."""
        return {each.field: each.problem for each in self.violations}


class Unauthenticated(GcschedError):
    """The caller is not known: its token or certificate is missing, wrong, expired or revoked."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem}; send the metadata `authorization: Bearer TOKEN` with a token that the"
            " operator of this service gave you"
        )


class ScopeMissing(GcschedError):
    """The caller is known and may not do this. The operator can grant the scope."""

    def __init__(self, client: str, act: str, scopes: Collection[str]) -> None:
        named = " or ".join(scopes)
        super().__init__(
            f"client {client!r} may not call {act}: it needs the scope {named}; ask the operator of"
            " this service for it"
        )
        self.metadata = {"client": client, "scope": ",".join(scopes)}


class ClientLimit(GcschedError):
    """The client has reached one of its limits. Call again after the given time."""

    def __init__(self, client: str, limit: str, problem: str, *, retry_after: timedelta) -> None:
        super().__init__(f"client {client!r} {problem}; call again later")
        self.metadata = {"client": client, "limit": limit}
        self.retry_after = retry_after


class RequestTooLarge(GcschedError):
    """The request is too large: over 64 KiB, or 320 KiB with a meeting. Shorten its texts."""

    def __init__(self, size: int, most: int) -> None:
        super().__init__(
            f"the request has {size} bytes; at most {most} are accepted: shorten its texts"
        )


class UnknownJob(GcschedError):
    """No job of the caller has this id: it never existed, is over, or is another client's."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job with id {job_id!r}: check the id; its retention may be over")
        self.metadata = {"job_id": job_id}


class UnreadableJob(GcschedError):
    """The stored job is not a valid job document. The operator must repair or delete it."""

    def __init__(
        self, job_id: str, problem: str = "its document is damaged", *, client: str = ""
    ) -> None:
        super().__init__(
            f"the job with id {job_id!r} cannot be read: {problem};"
            " ask the operator to repair or delete its document"
        )
        self.metadata = {"job_id": job_id}
        self.client = client


class UnknownSuppression(GcschedError):
    """The address is not suppressed."""

    def __init__(self) -> None:
        super().__init__("the address is not suppressed; list the suppressions to find it")


class UnknownRecipient(GcschedError):
    """No user details are stored for this employee: none were sent, or they were erased."""

    def __init__(self, empid: str) -> None:
        super().__init__(f"no user details of employee {empid!r}: schedule a mail to them first")
        self.metadata = {"empid": empid}


class RequestIdReused(GcschedError):
    """The request id was used before, for other content. Use a new id for each request."""

    def __init__(self, request_id: str, holder: str, *, kind: str = "job") -> None:
        super().__init__(
            f"request_id {request_id!r} belongs to {kind} {holder}, which has other content;"
            " use a new id for each request"
        )
        self.metadata = {f"{kind}_id": holder}


class StoreUnavailable(GcschedError):
    """MongoDB did not confirm in time. Call again: that is safe."""

    def __init__(self, doing: str, *, why: str = "") -> None:
        super().__init__(f"the store did not confirm in time while {doing}; call again")
        self.retry_after = timedelta(seconds=1)
        self.why = why


class StoreRefused(StoreUnavailable):
    """MongoDB refuses the statement. The operator must act, then call again; nothing is lost."""

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
    """No request is accepted, because a unique index is damaged. The operator must repair it."""

    def __init__(self, problem: str) -> None:
        GcschedError.__init__(
            self, f"no request can be accepted: {problem}; the operator must act, then call again"
        )
        self.retry_after = timedelta(seconds=5)


class RedisUnavailable(GcschedError):
    """Redis did not answer in time, refused, or sent an invalid reply; sweeps find due jobs."""

    def __init__(self, doing: str, why: str, *, is_refusal: bool = False) -> None:
        super().__init__(f"Redis is unavailable while {doing}: {why}")
        self.why = why
        self.is_refusal = is_refusal


class Stopping(GcschedError):
    """The process is stopping. Call again: another process takes the call."""

    def __init__(self, *, retry_after: timedelta = timedelta(milliseconds=100)) -> None:
        super().__init__("this process is stopping; call again")
        self.retry_after = retry_after


class Overloaded(GcschedError):
    """Too many calls are waiting in this process. Call again after the given time."""

    def __init__(self, waiting: int, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(f"{waiting} requests are waiting already; call again in a moment")
        self.retry_after = retry_after


class MemoryFull(GcschedError):
    """The calls under way use all the memory for calls. Call again, with smaller batches."""

    retry_after = timedelta(seconds=1)

    def __init__(self, held: int, most: int) -> None:
        super().__init__(
            f"the calls under way use {held >> 20} of {most >> 20} MiB; call again in a moment,"
            " with smaller batches"
        )


class MalformedMessage(GcschedError):
    """The call does not have exactly one message that can be parsed. Nothing was done."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the call has no valid message: {problem}; send exactly one message of the method's"
            " request type, with texts in UTF-8"
        )


class MessageTimeout(GcschedError):
    """The message of the call did not arrive in time. Nothing was done; call again."""

    retry_after = timedelta(seconds=1)

    def __init__(self, waited: timedelta) -> None:
        super().__init__(
            f"the message did not arrive within {waited.total_seconds():.1f} s; call again, with"
            " smaller batches where the network is slow"
        )


class IllegalTransition(GcschedError):
    """The state of the job does not allow the change. The message says what to do instead."""

    def __init__(
        self, job_id: str, state: str, target: str, *, state_time: datetime, why: str
    ) -> None:
        second = state_time.isoformat(timespec="seconds")
        super().__init__(
            f"job {job_id} has been {state} since {second} and cannot become {target}: {why}"
        )
        self.metadata = {"job_id": job_id, "state": state, "state_time": state_time.isoformat()}

    def with_meeting(self, meeting_id: str) -> "IllegalTransition":
        """Return the error with the meeting of the job in its metadata; a sample has no id."""
        if meeting_id:
            self.metadata = {**self.metadata, "meeting_id": meeting_id}
        return self


class DuplicateJob(GcschedError):
    """The job cannot be retried: another job for the same request exists meanwhile."""

    def __init__(self, job_id: str, holder: str) -> None:
        super().__init__(
            f"job {job_id} cannot be retried: job {holder} holds its dedup key; read that job"
            " instead"
        )
        self.metadata = {"job_id": holder}


class EtagMismatch(GcschedError):
    """The job or meeting has changed since the caller read it. Read it again."""

    def __init__(self, id_: str, *, kind: str = "job") -> None:
        super().__init__(f"{kind} {id_} has changed since it was read; read it again")
        self.metadata = {f"{kind}_id": id_}


class JobContended(GcschedError):
    """The job was changed by others at every try. Call again."""

    def __init__(self, job_id: str, tries: int) -> None:
        super().__init__(f"job {job_id} was changed by others {tries} times in a row; call again")
        self.metadata = {"job_id": job_id}


class BulkNotFinished(GcschedError):
    """The deadline passed before all jobs were changed or counted. Call again for the rest."""

    def __init__(self, count: int, *, is_changing: bool = True) -> None:
        changed = "they stay changed; call again for the rest"
        counted = "nothing was changed; use a narrower filter or a later deadline"
        super().__init__(
            f"the deadline passed after at least {count} jobs: "
            + (changed if is_changing else counted)
        )
        self.metadata = {"count": str(count)}


class DeadlineOver(GcschedError):
    """The deadline had passed when the call arrived. Nothing was done."""

    def __init__(self) -> None:
        super().__init__(
            "the deadline had passed when the call arrived; call again with a later one"
        )


class InternalError(GcschedError):
    """The service failed at this call because of a defect. Its log has the details."""

    def __init__(self) -> None:
        super().__init__("the service failed at this call; ask the operator to look at its log")
