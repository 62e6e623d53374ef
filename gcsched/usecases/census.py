"""The census: count all jobs once a minute and remember it, so that a look costs nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from gcsched.errors import StoreUnavailable
from gcsched.usecases.periodic import periodically
from gcsched.usecases.ports import Clock, JobCounts, Tally

EVERY = timedelta(minutes=1)
TOO_OLD = timedelta(minutes=3)


async def none_unreadable() -> int:
    """Be the *unreadable* where no job can be."""
    return 0


@dataclass(kw_only=True, eq=False)
class Census:
    """*unreadable* counts the jobs that cannot be read."""

    tally: Tally
    now: Clock
    unreadable: Callable[[], Awaitable[int]] = none_unreadable
    clock: Callable[[], float] = time.monotonic
    _counts: JobCounts | None = field(default=None, init=False)
    _counted_at: float = field(default=0.0, init=False)
    counted: datetime | None = field(default=None, init=False)

    @property
    def latest(self) -> JobCounts | None:
        """The latest counts; None when they are unknown or too old to be true."""
        is_true = self.clock() - self._counted_at <= TOO_OLD.total_seconds()
        return self._counts if is_true else None

    async def run(self, stop: asyncio.Event) -> None:
        await periodically(self.count, every=EVERY, stop=stop)

    async def count(self) -> None:
        now = self.now()
        try:
            counts = await self.tally.count(now=now)
            self._counts = replace(counts, unreadable=await self.unreadable())
        except StoreUnavailable as error:
            structlog.get_logger().warning("jobs not counted", error=error.for_log)
        else:
            self._counted_at, self.counted = self.clock(), now
