"""Counts of jobs without a database."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from gcsched.domain.job import State
from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import JobCounts
from tests.support.clocks import FakeMonotonicClock

COUNTS = JobCounts(by_state={State.SENT: 1}, oldest_due_lateness=timedelta(seconds=4))


class FakeJobCounter:
    """Counts one more SENT job each time.

    A count takes *took* seconds of its clock, and hangs while *answers* is not set.
    """

    def __init__(self, clock: FakeMonotonicClock | None = None) -> None:
        self.count_times: list[datetime] = []
        self.is_away = False
        self.took = 0.0
        self.clock = clock or FakeMonotonicClock(0.0)
        self.answers = asyncio.Event()
        self.answers.set()

    async def count(self, *, now: datetime) -> JobCounts:
        self.count_times.append(now)
        await self.answers.wait()
        self.clock.now += self.took
        if self.is_away:
            raise StoreUnavailable("counting jobs")
        return replace(COUNTS, by_state={State.SENT: len(self.count_times)})
