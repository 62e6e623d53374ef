"""The census: count all jobs once a minute, and anew for whoever looks where that is cheap."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gcsched.errors import StoreUnavailable
from gcsched.usecases.lasting_trouble import LastingTrouble
from gcsched.usecases.loops import run_until, sleep_unless
from gcsched.usecases.ports import Clock, JobCounts, Tally

EVERY = timedelta(minutes=1)
TOO_OLD = timedelta(minutes=3)
# A count looks at each index entry of a state: 10 ms for some thousand jobs, seconds for millions.
# Each process counts for itself. So at least two seconds pass before the next, and nineteen times
# what a dear one took, however many look: what is cheap costs MongoDB a fortieth of one core for
# each process that is looked at, what is dear a twentieth.
CHEAP_SECONDS = 0.05
PAUSE_AFTER_CHEAP_SECONDS, PAUSES_AFTER_DEAR = 2.0, 19.0
AFTER_FAILURE_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 0.5


async def none_unreadable() -> int:
    """Be the *unreadable* where no job can be."""
    return 0


@dataclass(kw_only=True, eq=False)
class Census:
    """*unreadable* counts the jobs that cannot be read.

    One count at a time, in the loop `run`, which belongs to no caller: all who ask meanwhile share
    it, and none of them can cancel it.
    """

    tally: Tally
    now: Clock
    unreadable: Callable[[], Awaitable[int]] = none_unreadable
    clock: Callable[[], float] = time.monotonic
    _counts: JobCounts | None = field(default=None, init=False)
    _counted_at: float = field(default=0.0, init=False)
    count_time: datetime | None = field(default=None, init=False)
    _took: tuple[float, ...] = field(default=(0.0,), init=False)
    _not_before: float = field(default=-1.0, init=False)
    _asked: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _done: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _trouble: LastingTrouble = field(init=False)

    def __post_init__(self) -> None:
        self._trouble = LastingTrouble(event="jobs not counted", over="jobs counted again")

    @property
    def latest(self) -> JobCounts | None:
        """The latest counts; None when they are unknown or too old to be true."""
        is_true = self.clock() - self._counted_at <= TOO_OLD.total_seconds()
        return self._counts if is_true else None

    async def run(self, stop: asyncio.Event) -> None:
        await run_until(stop, self._count_again_and_again(), name="census")

    async def freshen(self) -> None:
        """Have the jobs counted anew, unless that is dear; wait for it half a second at most."""
        if self.clock() < self._not_before:
            return
        self._asked.set()
        await sleep_unless(self._done, LONGEST_WAIT_SECONDS)

    async def _count_again_and_again(self) -> None:
        while True:
            await self.count()
            self._asked.clear()
            self._done.set()
            self._done = asyncio.Event()
            await sleep_unless(self._asked, EVERY.total_seconds())

    async def count(self) -> None:
        now, begun = self.now(), self.clock()
        try:
            counts = await self.tally.count(now=now)
            self._counts = replace(counts, unreadable=await self.unreadable())
        except StoreUnavailable as error:
            self._trouble.met(error.for_log)
            self._not_before = self.clock() + AFTER_FAILURE_SECONDS
        else:
            self._trouble.ended()
            self._counted_at, self.count_time = self.clock(), now
            self._took = (self._took[-1], self._counted_at - begun)
            took = min(self._took)  # one may hang, or be the first, without being dear
            pause = 0.0 if took <= CHEAP_SECONDS else PAUSES_AFTER_DEAR * took
            self._not_before = self._counted_at + max(pause, PAUSE_AFTER_CHEAP_SECONDS)
