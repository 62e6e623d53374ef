"""Counts of jobs without a database."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from gcsched.domain.job import State
from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import JobCounts
from tests.support.clocks import Seconds

COUNTS = JobCounts(by_state={State.SENT: 1}, oldest_due_lateness=timedelta(seconds=4))


class ToyTally:
    """Counts one more SENT each time.

    It takes *took* seconds by the clock that it moves; it hangs while *answers* is not set.
    """

    def __init__(self, clock: Seconds | None = None) -> None:
        self.asked: list[datetime] = []
        self.is_away = False
        self.took = 0.0
        self.clock = clock or Seconds(0.0)
        self.answers = asyncio.Event()
        self.answers.set()

    async def count(self, *, now: datetime) -> JobCounts:
        self.asked.append(now)
        await self.answers.wait()
        self.clock.now += self.took
        if self.is_away:
            raise StoreUnavailable("counting jobs")
        return replace(COUNTS, by_state={State.SENT: len(self.asked)})
