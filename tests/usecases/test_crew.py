"""A worker that ends by a defect ends the crew, whatever the others overhear."""

import asyncio
from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import Any

import pytest

from gcsched.usecases.crew import Crew
from gcsched.usecases.deliver import Claimed
from gcsched.usecases.periodic import periodically
from gcsched.usecases.staffing import Staffing
from tests.waiting import until


class BrokenLanes:
    """Let the first worker fail; the others wait and overhear the first cancel."""

    def __init__(self) -> None:
        self.waiting = 0
        self.fail = asyncio.Event()

    async def get(self) -> Claimed:
        self.waiting += 1
        if self.waiting == 1:
            await self.fail.wait()
            raise ZeroDivisionError
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        raise AssertionError

    def drain(self) -> list[Claimed]:
        return []


async def test_a_worker_that_fails_is_an_end_of_all_in_time() -> None:
    lanes = BrokenLanes()
    unused: Any = None
    broken: Any = lanes
    three = Staffing(size=3)
    crew = Crew(deliver=unused, recorder=unused, marks=unused, lanes=broken, staffing=three)
    running = asyncio.create_task(crew.run(asyncio.Event(), grace=timedelta(minutes=1)))
    await until(lambda: lanes.waiting == 3)

    lanes.fail.set()

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(running, 5)


async def test_what_is_done_periodically_stops_though_it_overhears_a_cancel() -> None:
    acting, stop = asyncio.Event(), asyncio.Event()

    async def act() -> None:
        is_first = not acting.is_set()
        acting.set()
        with suppress(asyncio.CancelledError) if is_first else nullcontext():
            await asyncio.Event().wait()

    running = asyncio.create_task(periodically(act, every=timedelta(0), stop=stop))
    await acting.wait()

    stop.set()

    await asyncio.wait_for(running, 5)
