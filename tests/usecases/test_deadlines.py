import asyncio
import time
from collections.abc import Sequence

import pytest

from gcsched.usecases.batching import GroupCommit
from gcsched.usecases.deadlines import Deadlines


def futures(count: int) -> list[asyncio.Future[str]]:
    return [asyncio.get_running_loop().create_future() for _ in range(count)]


async def test_each_future_fails_at_its_own_deadline_in_any_order() -> None:
    deadlines, now = Deadlines(), time.monotonic()
    last, first, second = futures(3)
    deadlines.set(last, now + 60)
    deadlines.set(second, now + 0.1)
    deadlines.set(first, now + 0.05)

    with pytest.raises(TimeoutError):
        await first
    is_second_open = not second.done()
    with pytest.raises(TimeoutError):
        await second

    assert is_second_open
    assert not last.done()
    assert 0.1 <= time.monotonic() - now < 30


async def test_many_close_deadlines_take_few_scans() -> None:
    checks: list[float] = []

    class Counted(Deadlines):
        def _expire(self) -> None:
            checks.append(time.monotonic())
            super()._expire()

    deadlines, now = Counted(), time.monotonic()
    many = futures(500)
    for number, future in enumerate(many):
        deadlines.set(future, now + 0.01 + number * 0.0001)

    await asyncio.wait(many)

    assert len(checks) <= 1 + (checks[-1] - checks[0]) / 0.009
    assert {type(future.exception()) for future in many} == {TimeoutError}


async def test_a_done_or_dropped_future_does_not_fail() -> None:
    deadlines, now = Deadlines(), time.monotonic()
    done, dropped, over = futures(3)
    for future in (done, dropped, over):
        deadlines.set(future, now)
    done.set_result("in time")
    deadlines.drop(dropped)

    with pytest.raises(TimeoutError):
        await over

    assert done.result() == "in time"
    assert not dropped.done()


async def test_a_caller_that_times_out_leaves_the_write_to_the_others() -> None:
    release = asyncio.Event()

    async def write(items: Sequence[str]) -> list[str]:
        await release.wait()
        return [item.upper() for item in items]

    group: GroupCommit[str, str] = GroupCommit(write)
    stop = asyncio.Event()
    running = asyncio.create_task(group.run(stop))
    long_call = asyncio.create_task(group.submit("a", deadline=time.monotonic() + 60))

    with pytest.raises(TimeoutError):
        await group.submit("b", deadline=time.monotonic() + 0.02)
    release.set()

    assert await long_call == "A"
    stop.set()
    await running
