"""Wake-ups and timers: not before their second, once, and none left behind."""

import asyncio
import weakref
from datetime import timedelta

import pytest

from gcsched.usecases.wakeups import WakeUps
from tests.support.background import in_background
from tests.support.builders import NOON, NOW, FixedClock
from tests.support.clocks import SECOND
from tests.support.wait import until
from tests.support.wakeups import IN_20_MS, FakeWakeUpQueue, Nudges, seconds_since


async def test_a_wake_up_on_time_or_late_nudges_at_once(wake_ups: WakeUps, nudges: Nudges) -> None:
    wake_ups.receive(NOON)
    wake_ups.receive(NOON - 30)

    assert nudges.count == 2


async def test_a_wake_up_that_is_received_early_waits_for_its_second(
    wake_ups: WakeUps, nudges: Nudges, clock: FixedClock
) -> None:
    clock.now = IN_20_MS
    started = asyncio.get_running_loop().time()

    wake_ups.receive(NOON)
    at_once = nudges.count
    clock.now = NOW
    await until(lambda: nudges.count, every=0.001)

    assert at_once == 0
    assert seconds_since(started) >= 0.019


async def test_a_timer_that_fires_early_by_the_clock_waits_for_its_second(
    wake_ups: WakeUps, nudges: Nudges, clock: FixedClock
) -> None:
    clock.now = IN_20_MS
    loop = asyncio.get_running_loop()
    started = loop.time()

    wake_ups.receive(NOON)  # the clock is set back, or slewed, while the timer runs
    clock.now = IN_20_MS - timedelta(milliseconds=10)
    await until(lambda: nudges.count or loop.time() > started + 0.025, every=0.001)
    nudged_too_early = nudges.count
    clock.now = NOW
    await until(lambda: nudges.count, within=0.5)

    assert nudged_too_early == 0


async def test_each_second_has_one_timer(
    wake_ups: WakeUps, nudges: Nudges, clock: FixedClock
) -> None:
    clock.now = IN_20_MS

    async with in_background(wake_ups.run):
        await asyncio.gather(*[wake_ups.schedule_and_wait(NOW) for _ in range(10)])
        wake_ups.receive(NOON)
        clock.now = NOW
        await until(lambda: nudges.count, every=0.03)

    assert nudges.count == 1


async def test_others_are_woken_under_the_present_second_again(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, nudges: Nudges
) -> None:
    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(NOW)
        wake_ups.wake_others()
        await until(lambda: len(queue.enqueued) == 2)
        wake_ups.wake_others()
        await until(lambda: len(queue.enqueued) == 3)

    assert queue.enqueued == [NOON, NOON, NOON]
    assert nudges.count == 1


async def test_others_are_woken_at_most_once_in_an_interval_and_again_at_its_end(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, clock: FixedClock
) -> None:
    clock.now = IN_20_MS
    async with in_background(wake_ups.run):
        wake_ups.wake_others()
        await until(lambda: len(queue.enqueued) == 1)
        clock.advance(timedelta(milliseconds=80))  # another second: nothing but the pause holds it
        started = asyncio.get_running_loop().time()
        for _ in range(10):
            wake_ups.wake_others()
        at_once = len(queue.tried)
        await until(lambda: len(queue.enqueued) == 2, every=0.001)
        waited = seconds_since(started)

    assert (at_once, queue.enqueued) == (1, [NOON - 1, NOON])
    assert waited >= 0.019


@pytest.mark.parametrize("later", [timedelta(milliseconds=100), -SECOND], ids=["over", "set back"])
async def test_others_are_woken_at_once_after_the_interval(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, clock: FixedClock, later: timedelta
) -> None:
    async with in_background(wake_ups.run):
        wake_ups.wake_others()
        await until(lambda: len(queue.enqueued) == 1)
        clock.advance(later)
        wake_ups.wake_others()
        await until(lambda: len(queue.enqueued) == 2, within=0.09)

    assert queue.enqueued == [NOON, int((NOW + later).timestamp())]


async def test_others_that_wait_to_be_woken_are_woken_at_the_stop(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    async with in_background(wake_ups.run):
        wake_ups.wake_others()
        await until(lambda: len(queue.enqueued) == 1)
        wake_ups.wake_others()
        at_once = list(queue.tried)

    assert (at_once, queue.enqueued) == ([NOON], [NOON, NOON])


async def test_others_are_woken_once_while_the_queue_has_not_answered(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    queue.answers.clear()

    async with in_background(wake_ups.run):
        for _ in range(10):
            wake_ups.wake_others()
        await until(lambda: queue.tried)
        queue.answers.set()
        await until(lambda: queue.enqueued)

    assert queue.tried == [NOON]


async def test_past_seconds_do_not_affect_the_present_one(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, clock: FixedClock
) -> None:
    async with in_background(wake_ups.run):
        for _ in range(100):
            await wake_ups.schedule_and_wait(clock.now)
            clock.advance(SECOND)

    assert queue.enqueued == list(range(NOON, NOON + 100))


async def test_past_seconds_take_up_no_memory(wake_ups: WakeUps, clock: FixedClock) -> None:
    async with in_background(wake_ups.run):
        first = wake_ups.schedule(NOW)
        assert first is not None
        await first
        remembered = weakref.ref(first)
        del first
        clock.advance(5 * SECOND)
        await wake_ups.schedule_and_wait(clock.now)
        await until(lambda: remembered() is None)


async def test_a_wake_up_beyond_the_horizon_keeps_no_timer(
    wake_ups: WakeUps, nudges: Nudges
) -> None:
    for hours in range(1, 100):
        wake_ups.receive(int(NOW.timestamp()) + hours * 3600)

    assert nudges.count == 99


async def test_seconds_enqueued_before_the_clock_was_set_back_take_up_no_memory(
    wake_ups: WakeUps, clock: FixedClock
) -> None:
    async with in_background(wake_ups.run):
        enqueued = wake_ups.schedule(NOW + 30 * SECOND)
        assert enqueued is not None
        kept = weakref.ref(enqueued)
        await enqueued
        del enqueued
        clock.advance(timedelta(minutes=-10))
        await wake_ups.schedule_and_wait(clock() + 30 * SECOND)

        await until(lambda: kept() is None)


async def test_after_a_stop_no_timer_nudges(
    wake_ups: WakeUps, nudges: Nudges, clock: FixedClock
) -> None:
    clock.now = IN_20_MS
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(NOW)
    await until(lambda: loop.time() > started + 0.05)

    assert nudges.count == 0
