"""The census: count all jobs once a minute, and anew for whoever looks where that is cheap."""

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
# A count looks at each index entry of a state: 10 ms for some thousand jobs, seconds for millions.
# Each process counts for itself. So at least two seconds pass before the next, and nineteen times
# what a dear one took, however many look: what is cheap costs MongoDB a fortieth of one core for
# each process that is looked at, what is dear a twentieth.
FAST_SECONDS = 0.05
PAUSE_AFTER_FAST_SECONDS, PAUSE_FACTOR_AFTER_SLOW = 2.0, 19.0
AFTER_FAILURE_SECONDS = 5.0
MAX_WAIT_SECONDS = 0.5


async def count_none() -> int:
    """Be the *count_unreadable* where no job can be."""
    return 0


@dataclass(kw_only=True, eq=False)
class CachedJobCounts:
    """*count_unreadable* counts the jobs that cannot be read.

    One count at a time, in the loop `run`, which belongs to no caller: all who ask meanwhile share
    it, and none of them can cancel it.
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
        self._problem_log = ProblemLog(event="jobs not counted", end_event="jobs counted again")

    @property
    def latest(self) -> JobCounts | None:
        """The latest counts; None when they are unknown or too old to be true."""
        is_true = self.clock() - self._counted_at <= MAX_AGE.total_seconds()
        return self._counts if is_true else None

    async def run(self, stop: asyncio.Event) -> None:
        await run_until(stop, self._count_repeatedly(), name="census")

    async def refresh(self) -> None:
        """Have the jobs counted anew, unless that is dear; wait for it half a second at most."""
        if self.clock() < self._not_before:
            return
        self._requested.set()
        await sleep_unless(self._done, MAX_WAIT_SECONDS)

    async def _count_repeatedly(self) -> None:
        while True:
            await self.count()
            self._requested.clear()
            self._done.set()
            self._done = asyncio.Event()
            await sleep_unless(self._requested, EVERY.total_seconds())

    async def count(self) -> None:
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
            duration = min(self._durations)  # one may hang, or be the first, without being dear
            pause = 0.0 if duration <= FAST_SECONDS else PAUSE_FACTOR_AFTER_SLOW * duration
            self._not_before = self._counted_at + max(pause, PAUSE_AFTER_FAST_SECONDS)
