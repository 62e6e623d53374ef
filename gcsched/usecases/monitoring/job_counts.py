"""Counts of jobs by state: all jobs once a minute, and again on request where that is cheap."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import run_until, sleep_unless
from gcsched.usecases.ports import Clock, JobCounter, JobCounts
from gcsched.usecases.problem_log import ProblemLog

EVERY = timedelta(minutes=1)
MAX_AGE = timedelta(minutes=3)
# A count reads each index entry of a state: 10 ms for some thousand jobs, seconds for millions.
# Each process counts for itself. So at least 2 s pass between counts, and 19 times the duration of
# a slow one, however many callers ask: per process a fast count takes at most a fortieth of one
# core of MongoDB, a slow one a twentieth.
FAST_SECONDS = 0.05
PAUSE_AFTER_FAST_SECONDS, PAUSE_FACTOR_AFTER_SLOW = 2.0, 19.0
AFTER_FAILURE_SECONDS = 5.0
MAX_WAIT_SECONDS = 0.5


async def count_none() -> int:
    """Return 0: the *count_unreadable* of a store whose jobs are all readable."""
    return 0


@dataclass(kw_only=True, eq=False)
class CachedJobCounts:
    """The latest counts; *count_unreadable* counts the jobs that cannot be read.

    Only the loop `run` counts, one count at a time. All callers that ask meanwhile share that
    count, and none of them can cancel it.
    """

    counter: JobCounter
    now: Clock
    count_unreadable: Callable[[], Awaitable[int]] = count_none
    clock: Callable[[], float] = time.monotonic
    _counts: JobCounts | None = field(default=None, init=False)
    _counted_at: float = field(default=0.0, init=False)
    count_time: datetime | None = field(default=None, init=False)
    _durations: tuple[float, ...] = field(default=(0.0,), init=False)
    _not_before: float = field(default=-1.0, init=False)
    _requested: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _done: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _problem_log: ProblemLog = field(init=False)

    def __post_init__(self) -> None:
        self._problem_log = ProblemLog(
            event="job count failed, retrying", end_event="job counts resumed"
        )

    @property
    def latest(self) -> JobCounts | None:
        """The latest counts; None if there are none, or if they are older than three minutes."""
        is_fresh = self.clock() - self._counted_at <= MAX_AGE.total_seconds()
        return self._counts if is_fresh else None

    async def run(self, stop: asyncio.Event) -> None:
        await run_until(stop, self._count_repeatedly(), name="job counts")

    async def refresh(self) -> None:
        """Request new counts, unless that is expensive now; wait for them half a second at most."""
        if self.clock() < self._not_before:
            return
        self._requested.set()
        await sleep_unless(self._done, MAX_WAIT_SECONDS)

    async def _count_repeatedly(self) -> None:
        while True:
            await self.count()
            self._requested.clear()
            # Callers wait for the event of their count: the next count gets a new one.
            self._done.set()
            self._done = asyncio.Event()
            await sleep_unless(self._requested, EVERY.total_seconds())

    async def count(self) -> None:
        """Count once, and decide how long not to count again."""
        now, started = self.now(), self.clock()
        try:
            counts = await self.counter.count(now=now)
            self._counts = replace(counts, unreadable=await self.count_unreadable())
        except StoreUnavailable as error:
            self._problem_log.record_failure(error.for_log)
            self._not_before = self.clock() + AFTER_FAILURE_SECONDS
        else:
            self._problem_log.record_success()
            self._counted_at, self.count_time = self.clock(), now
            self._durations = (self._durations[-1], self._counted_at - started)
            # The smaller of two: a single count may hang or be the first.
            duration = min(self._durations)
            pause = 0.0 if duration <= FAST_SECONDS else PAUSE_FACTOR_AFTER_SLOW * duration
            self._not_before = self._counted_at + max(pause, PAUSE_AFTER_FAST_SECONDS)
