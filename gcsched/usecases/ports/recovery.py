"""Ports of recovery: orphaned jobs, runs of the day, indexes, and folded addresses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from gcsched.domain.job import Job
from gcsched.usecases.ports.delivery import Conclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A claimed job whose lease has expired; *begun* is when its body got its permit, if it did."""

    job: Job
    claim: str
    begun: datetime | None


class RecoveryStore(Protocol):
    """The store as the sweep repairs it."""

    async def find_due_seconds(self, after: datetime, until: datetime) -> Collection[int]:
        """Return the distinct due seconds of waiting jobs in (after, until]."""

    async def repair(self, most: int) -> int:
        """Repair impossible states, at most *most* of each kind; return how many."""

    async def check_unreadable(self, most: int) -> int:
        """Quarantine unreadable jobs, release repaired ones; return how many leases were ended."""

    async def find_orphans(self, most: int) -> list[Orphan]:
        """Return at most *most* claimed jobs whose lease has expired by the server's clock."""

    async def conclude_orphans(self, conclusions: Sequence[tuple[Orphan, Conclusion]]) -> int:
        """Write what becomes of orphans that still are orphans; return how many were."""

    async def find_expired(self, most: int) -> list[Job]:
        """Return the expired ones of the *most* jobs that have been due for the longest time."""

    async def expire(self, ended: Sequence[Job]) -> int:
        """Write jobs that ended while they waited, if they still wait; return how many did."""


class RunStore(Protocol):
    """The store of sweeps and daily runs, which makes each happen once."""

    async def begin_sweep(self, *, within: timedelta, now: datetime) -> bool:
        """Record a sweep at *now*; return False if one was recorded *within* this time."""

    async def begin_daily(self, day: date, *, now: datetime) -> bool:
        """Record the start of *day*'s run; return False if it is recorded already."""

    async def move_queued(
        self, *, until: datetime, now: datetime, not_after: datetime, most: int
    ) -> tuple[int, int]:
        """Make at most *most* QUEUED jobs of runs up to *until* due at *now*.

        Returns how many were found and how many were moved: another process may have moved the
        rest. A moved job may be sent until *not_after* at least, unless its caller has set an
        expire time.
        """

    async def finish_daily(self, day: date, moved: int, *, now: datetime) -> None:
        """Record that *day*'s run has finished and has moved *moved* more jobs."""

    async def record_manual(self, moved: int, *, started: datetime, now: datetime) -> None:
        """Record a run that an operator requested, apart from those of the days."""

    async def has_queued(self, *, until: datetime) -> bool:
        """Return whether a QUEUED job of a run up to *until* is left."""


class IndexFault(StrEnum):
    """A fault of an index; the values complete a sentence that begins with its name."""

    MISSING = "is missing"
    BUILDING = "is being built"
    HIDDEN = "is hidden"
    DIFFERENT = "has another definition"
    DUPLICATES = "cannot be built"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProblem:
    """A problem of one index; *reason* is why it cannot be repaired, "" if it can."""

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
    """The indexes of the database."""

    async def check(self) -> list[IndexProblem]:
        """Return what is wrong with the indexes now."""

    async def create(self, problem: IndexProblem) -> IndexProblem | None:
        """Create the index of *problem*; return the problem that prevents it, or None."""


class AddressStore(StrEnum):
    """The stores of addresses, in the order of repair: suppressions prevent unwanted mails."""

    SUPPRESSIONS = "suppressions"
    RECIPIENTS = "recipients"
    JOBS = "jobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedPage:
    """The number of documents of a page that were written, and of those that cannot be.

    *last* is where the next page starts; None: this was the last one.
    """

    count: int
    failed: int
    last: str | None


class FoldedAddresses(Protocol):
    """The folded form of stored addresses, by which they are found in any spelling."""

    async def fill(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage | None:
        """Store the missing folded address of at most *most* documents that follow *after*.

        Returns None, with nothing read, while the index that finds these documents does not exist.
        """

    async def check(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage:
        """Correct the folded address of at most *most* documents that follow *after*."""

    async def clear_erased(self, *, most: int) -> int:
        """Empty the folded address of at most *most* erased jobs; return how many had one."""
