"""What the use cases need from the outside world, one small Protocol each."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from gcsched.domain.dedup import AdmissionAnswer
from gcsched.domain.job import Job, State
from gcsched.domain.mail import Draft, Mail
from gcsched.domain.permit import Permit
from gcsched.domain.smtp_reply import Transmission
from gcsched.domain.suppression import Suppression
from gcsched.domain.token_bucket import Grant, Speed

Clock = Callable[[], datetime]

Begin = Callable[[], Awaitable[Permit | None]]
"""Asked each time the relay waits for a body; None means: do not send, the job is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Jobs claimed together, and how many due jobs the claim *saw*.

    *until* is the end of the lease by ``time.monotonic()``, told cautiously.
    """

    token: str
    jobs: tuple[Job, ...]
    until: float
    saw: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What became of a claimed job: written only while *claim* still holds it.

    *instead* is what the job was found to be where the claim was lost; None: it is gone.
    """

    claim: str
    job: Job
    instead: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A claimed job whose lease is over; *begun* is when its body was about to be written."""

    job: Job
    claim: str
    begun: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What became of a mail, and the *relay* that carried it; "" when none was tried."""

    relay: str
    transmission: Transmission


class Mailer(Protocol):
    """One relay."""

    @property
    def name(self) -> str:
        """The relay's name for people: logs, attempts, metrics."""

    async def send(
        self, mail: Mail, begin: Begin, *, on_place: Callable[[], None] | None = None
    ) -> Transmission:
        """Carry *mail* to the relay; write its body only after *begin* has given a permit.

        *on_place* is called when the mail has a session, or may open one.
        """

    def drop_idle(self) -> None:
        """Close the kept sessions that carry no mail: the relay does not answer any more."""


class Carrier(Protocol):
    """Whoever finds a relay for a mail."""

    async def carry(self, mail: Mail, begin: Begin) -> Carried:
        """Carry *mail* to a relay; Withheld when none can be used now."""


class Allowance(Protocol):
    """How many mails one relay may get now. One that is shared may raise BellUnavailable."""

    async def reserve(self, most: int, speed: Speed) -> Grant:
        """Take *most* mails, or as many as *speed* allows now."""

    async def refund(self, count: int, speed: Speed) -> None:
        """Give back what was taken last and did not leave."""

    async def slot(self, speed: Speed, *, patience: float) -> float | None:
        """Give one mail, about to leave, its slot among all that leave: in how many seconds.

        None: later than *patience* seconds; it has no slot then.
        """


class Gate(Protocol):
    """Whether mails may leave now, and how many: asked before each claim.

    A shut gate stops the claiming, so that nothing is claimed only to be put back.
    """

    async def wait_open(self) -> None:
        """Wait until a mail may leave."""

    async def grant(self, most: int) -> int:
        """Give how many mails may be claimed now, *most* at most; 0: it has shut meanwhile."""

    async def refund(self, count: int) -> None:
        """Take back what was granted and not claimed."""


class Composer(Protocol):
    def compose(self, job: Job) -> Mail:
        """Make the mail of *job*; raises TemplateProblem when its template does not take it."""


class Drafter(Protocol):
    def draft(self, job: Job) -> Draft:
        """Show the mail of *job*; raises TemplateProblem when its template does not take it."""


class Admissions(Protocol):
    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Store those of *jobs* whose key is free; say for each which job holds its key."""

    async def foresee(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Say what `admit` would; store nothing."""


class Claims(Protocol):
    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> Batch:
        """Claim at most *most* due jobs under *token*, urgent ones first."""

    async def release(self, tokens: Sequence[str]) -> None:
        """Give back uncharged what claims took whose answer nobody heard."""

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        """Mark *ids* as begun if they are still ours; give those that are.

        *date* becomes the Date of their mails where none is stored.
        """

    async def renew(self, tokens: Sequence[str]) -> None:
        """Give the jobs claimed under *tokens* a new lease."""

    async def next_due(self, *, now: datetime) -> bool:
        """Tell whether anything waits that is due."""


class Outcomes(Protocol):
    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write what became of claimed jobs; give those that were not ours any more."""


class Suppressions(Protocol):
    """Addresses that get no mail for a while."""

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        """Keep *suppressions*; the latest one of an address counts."""

    async def among(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Give those of *addresses* that are blocked at *now*, in one look."""


class Marks(Protocol):
    """Which bodies the relay accepted: proof that outlives a crash before the outcome."""

    async def note(self, marks: Sequence[tuple[str, str]]) -> None:
        """Remember that the relay accepted these (job, claim)."""

    async def forget(self, marks: Sequence[tuple[str, str]]) -> None:
        """Drop what the database knows by now."""

    async def noted(self, marks: Sequence[tuple[str, str]]) -> Collection[tuple[str, str]]:
        """Give those of *marks* that were noted; raises BellUnavailable when nobody can tell."""


class Bell(Protocol):
    async def ring(self, second: int) -> None:
        """Wake some process at Unix *second*, once however often it is asked."""

    async def missing(self, seconds: Collection[int]) -> Collection[int]:
        """Give those of *seconds* at which nobody would be woken."""


class Recovery(Protocol):
    async def seconds_due(self, after: datetime, until: datetime) -> Collection[int]:
        """Give the distinct due seconds of waiting jobs in (after, until]."""

    async def put_right(self, most: int) -> int:
        """Repair states that cannot be, *most* of each kind; give how many."""

    async def look_at_unreadable(self, most: int) -> int:
        """Set aside what cannot be read, take up what was mended; give how many leases ended."""

    async def orphans(self, most: int) -> list[Orphan]:
        """Give claimed jobs whose lease is over by the server's clock."""

    async def take_back(self, conclusions: Sequence[tuple[Orphan, Conclusion]]) -> int:
        """Write what becomes of orphans, if they still are; give how many were."""

    async def too_late(self, most: int) -> list[Job]:
        """Give those past their time among the *most* jobs that have been due for longest."""

    async def end(self, ended: Sequence[Job]) -> int:
        """Write jobs that ended while they waited, if they still do; give how many did."""


class Runs(Protocol):
    async def sweep_is_new(self, *, within: timedelta, now: datetime) -> bool:
        """Note a sweep at *now*, unless somebody noted one *within* this time."""

    async def begin_daily(self, day: date, *, now: datetime) -> bool:
        """Note the begin of *day*'s run; False when it is noted already."""

    async def move_queued(
        self, *, until: datetime, now: datetime, not_after: datetime, most: int
    ) -> tuple[int, int]:
        """Make *most* QUEUED jobs of a run up to *until* due at *now*.

        Gives how many were found, and how many were made so: others may have been faster.

        Each may be sent until *not_after* at least, unless its caller has set another limit.
        """

    async def finish_daily(self, day: date, moved: int, *, now: datetime) -> None:
        """Note that *day*'s run has moved *moved* jobs more and is finished."""

    async def note_manual(self, moved: int, *, started: datetime, now: datetime) -> None:
        """Note a run that somebody asked for, beside those of the days."""

    async def is_queued(self, *, until: datetime) -> bool:
        """Tell whether a QUEUED job of a run up to *until* is left."""


class Recipients(Protocol):
    async def save(self, jobs: Sequence[Job]) -> None:
        """Keep the user details of *jobs*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """How many jobs are in each state, where that could be counted in time.

    *oldest_due* is how late the longest waiting of those that are due was then; 0: none was due.
    *unreadable* are those that are set aside, and those in states that are not ours.
    """

    by_state: Mapping[State, int]
    oldest_due: timedelta
    unreadable: int = 0


class Tally(Protocol):
    async def count(self, *, now: datetime) -> JobCounts:
        """Count the jobs of all processes."""
