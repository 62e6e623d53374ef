"""Work on requests shares each iteration of the event loop by time, in order of arrival."""

import asyncio
import time
from datetime import timedelta

from gcsched.usecases.loop_share import LoopShare


def work(seconds: float) -> None:
    """Block the event loop, as an expensive request does."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def step(share: LoopShare, seconds: float) -> None:
    if share.is_used_up():
        await share.wait()
    work(seconds)


async def test_two_hundred_tasks_at_once_leave_the_loop_to_others_in_between() -> None:
    share, turns = LoopShare(timedelta(milliseconds=2)), 0

    async def others(working: list[asyncio.Task[None]]) -> int:
        turns = 0
        while not all(each.done() for each in working):
            turns += 1
            await asyncio.sleep(0)
        return turns

    working = [asyncio.create_task(step(share, 0.001)) for _ in range(200)]
    turns = await others(working)

    assert turns >= 90  # 200 ms of work, some 2 ms in a turn


async def test_each_task_has_its_turn_before_any_has_its_next() -> None:
    share, done = LoopShare(timedelta(milliseconds=1)), list[str]()

    async def many(name: str) -> None:
        for _ in range(3):
            await step(share, 0.002)
            done.append(name)

    await asyncio.gather(*(many(name) for name in "abc"))

    assert all(done[: 3 * n].count(name) <= n + 1 for n in (1, 2) for name in "abc"), done


async def test_small_work_does_not_wait() -> None:
    share = LoopShare(timedelta(seconds=10))
    await step(share, 0)

    assert not share.is_used_up()


async def test_a_cancelled_waiter_is_skipped() -> None:
    share = LoopShare(timedelta(0))
    first, second, third = (asyncio.create_task(step(share, 0)) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()

    await asyncio.gather(first, third)

    assert second.cancelled() or second.cancelling()
    await asyncio.wait([second])


async def test_time_of_a_fresh_iteration_is_taken_without_waiting() -> None:
    share = LoopShare(timedelta(seconds=10))

    assert share.try_take()
    assert share.try_take()


async def test_time_that_is_used_up_has_to_be_waited_for() -> None:
    share = LoopShare(timedelta(0))
    assert share.try_take()

    assert not share.try_take()
    await share.wait()  # in a later iteration
