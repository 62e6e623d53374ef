"""Counts that only MongoDB knows, remembered for some seconds: many tabs cost as much as one."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gcsched.domain.access import Client
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter
from gcsched.errors import GcschedError
from gcsched.usecases.call_slots import CallSlots
from gcsched.usecases.management.read_jobs import MAX_COUNTED, CappedCount, ReadJobs
from gcsched.usecases.ports import Clock

HOUR = timedelta(hours=1)
COUNTED_AGAIN_SECONDS = 4.0
SHOWN_SECONDS = 60.0
WAITING = (State.SCHEDULED, State.RETRYING, State.QUEUED)


@dataclass(slots=True, kw_only=True, eq=False)
class Figure:
    """A count, and when it was made; only one is made at a time."""

    clock: Callable[[], float]
    _count: CappedCount | None = field(default=None, init=False)
    _counted_at: float = field(default=0.0, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def find(self, max_age: float) -> CappedCount | None:
        """Return the count if it is at most *max_age* seconds old."""
        is_young = self.clock() - self._counted_at <= max_age
        return self._count if is_young else None

    def keep(self, count: CappedCount) -> None:
        self._count, self._counted_at = count, self.clock()

    @property
    def lock(self) -> asyncio.Lock:
        return self._lock


@dataclass(kw_only=True, eq=False)
class Figures:
    """Counts jobs for the first page. All who see it may read all jobs, so they share the counts.

    *clock* is monotonic.
    """

    read_jobs: ReadJobs
    listing: CallSlots
    now: Clock
    clock: Callable[[], float] = time.monotonic
    _due: Figure = field(init=False)
    _failed: Figure = field(init=False)

    def __post_init__(self) -> None:
        self._due, self._failed = Figure(clock=self.clock), Figure(clock=self.clock)

    @property
    def known_due(self) -> CappedCount | None:
        """The jobs that are due within the hour, as they were counted in the last minute."""
        return self._due.find(SHOWN_SECONDS)

    async def count_due(self, client: Client, *, within: timedelta) -> CappedCount | None:
        """Count the jobs that are due within the hour; None if MongoDB does not answer in time."""
        before = self.now() + HOUR
        filters = [JobFilter(state=each, due_time_before=before) for each in WAITING]
        return await self._count(self._due, filters, client, within)

    async def count_failed(self, client: Client, *, within: timedelta) -> CappedCount | None:
        """Count the jobs that were due in the last hour and FAILED; None as above."""
        filters = [JobFilter(state=State.FAILED, due_time_from=self.now() - HOUR)]
        return await self._count(self._failed, filters, client, within)

    async def _count(
        self, figure: Figure, filters: list[JobFilter], client: Client, within: timedelta
    ) -> CappedCount | None:
        try:
            async with asyncio.timeout(within.total_seconds()), figure.lock:
                if (known := figure.find(COUNTED_AGAIN_SECONDS)) is not None:
                    return known
                async with self.listing.slot(within):
                    counted = add([await self.read_jobs.count(each, client) for each in filters])
                figure.keep(counted)
                return counted
        except (GcschedError, TimeoutError):
            return None


def add(counts: list[CappedCount]) -> CappedCount:
    """Return the sum of *counts*, up to the most that is counted."""
    jobs = sum(each.jobs for each in counts)
    is_more = any(each.is_more for each in counts) or jobs > MAX_COUNTED
    return CappedCount(jobs=min(jobs, MAX_COUNTED), is_more=is_more)
