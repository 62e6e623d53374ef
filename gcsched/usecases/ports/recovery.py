"""What recovery needs: what was left behind, who runs the day, indexes, stored addresses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from gcsched.domain.job import Job
from gcsched.usecases.ports.delivery import Conclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A claimed job whose lease is over; *begun* is when its body was about to be written."""

    job: Job
    claim: str
    begun: datetime | None


class RecoveryStore(Protocol):
    async def find_due_seconds(self, after: datetime, until: datetime) -> Collection[int]:
        """Give the distinct due seconds of waiting jobs in (after, until]."""

    async def repair(self, most: int) -> int:
        """Repair states that cannot be, *most* of each kind; give how many."""

    async def check_unreadable(self, most: int) -> int:
        """Set aside what cannot be read, take up what was mended; give how many leases ended."""

    async def find_orphans(self, most: int) -> list[Orphan]:
        """Give claimed jobs whose lease is over by the server's clock."""

    async def conclude_orphans(self, conclusions: Sequence[tuple[Orphan, Conclusion]]) -> int:
        """Write what becomes of orphans, if they still are; give how many were."""

    async def find_expired(self, most: int) -> list[Job]:
        """Give those past their time among the *most* jobs that have been due for longest."""

    async def expire(self, ended: Sequence[Job]) -> int:
        """Write jobs that ended while they waited, if they still do; give how many did."""


class RunStore(Protocol):
    async def begin_sweep(self, *, within: timedelta, now: datetime) -> bool:
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

    async def record_manual(self, moved: int, *, started: datetime, now: datetime) -> None:
        """Note a run that somebody asked for, beside those of the days."""

    async def has_queued(self, *, until: datetime) -> bool:
        """Tell whether a QUEUED job of a run up to *until* is left."""


class IndexFault(StrEnum):
    MISSING = "is missing"
    BUILDING = "is being built"
    HIDDEN = "is hidden"
    DIFFERENT = "is not ours"
    DUPLICATES = "cannot be made"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProblem:
    """What is wrong with one index, and *reason* it stays so; "": nothing stands in the way."""

    collection: str
    name: str
    is_unique: bool
    fault: IndexFault
    reason: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.collection, self.name

    def with_fault(self, fault: IndexFault, why: str) -> "IndexProblem":
        return replace(self, fault=fault, reason=why)

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"index {self.name} of {self.collection} {self.fault.value}{why}"


class Indexes(Protocol):
    async def check(self) -> list[IndexProblem]:
        """Return what is wrong with the indexes now."""

    async def create(self, problem: IndexProblem) -> IndexProblem | None:
        """Make the index of *problem*; return what stands in the way."""


class AddressStore(StrEnum):
    """Where addresses are stored, the most important first: a block is a mail not sent."""

    SUPPRESSIONS = "suppressions"
    RECIPIENTS = "recipients"
    JOBS = "jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedPage:
    """How many documents of a page were written, and how many cannot be.

    *last* is where the next page begins; None: this was the last one.
    """

    count: int
    failed: int
    last: str | None


class FoldedAddresses(Protocol):
    async def fill(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage | None:
        """Fold the address of the *most* documents that follow *after*, of those without it.

        None: nothing was looked at, because the index that finds them is not there yet.
        """

    async def check(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage:
        """Put the folded address right in the *most* documents that follow *after*."""

    async def clear_erased(self, *, most: int) -> int:
        """Empty the folded address of *most* erased jobs that still have one; give how many."""
