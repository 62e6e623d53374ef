"""Wake-ups and timers: not before their second, once, and none left behind."""

import asyncio
import weakref
from datetime import timedelta

from gcsched.usecases.wakeups import WakeUps
from tests.support.background import in_background
from tests.support.builders import NOON, NOW, FixedClock
from tests.support.clocks import SECOND
from tests.support.wait import until
from tests.support.wakeups import IN_20_MS, FakeWakeUpQueue, Nudges, seconds_since


async def test_a_wake_up_on_time_or_late_nudges_at_once(ringer: WakeUps, nudges: Nudges) -> None:
    ringer.receive(NOON)
    ringer.receive(NOON - 30)

    assert nudges.count == 2


async def test_a_wake_up_picked_too_early_waits_for_its_second(
    ringer: WakeUps, nudges: Nudges, clock: FixedClock
) -> None:
    clock.now = IN_20_MS
    started = asyncio.get_running_loop().time()

    ringer.receive(NOON)
    at_once = nudges.count
    clock.now = NOW
    await until(lambda: nudges.count, every=0.001)

    assert at_once == 0
    assert seconds_since(started) >= 0.019


async def test_a_timer_that_comes_too_early_by_the_clock_waits_for_its_second(
    ringer: WakeUps, nudges: Nudges, clock: FixedClock
) -> None:
    clock.now = IN_20_MS
    loop = asyncio.get_running_loop()
    started = loop.time()

    ringer.receive(NOON)  # the clock is set back, or slewed, while the timer runs
    clock.now = IN_20_MS - timedelta(milliseconds=10)
    await until(lambda: nudges.count or loop.time() > started + 0.025, every=0.001)
    nudged_too_early = nudges.count
    clock.now = NOW
    await until(lambda: nudges.count, within=0.5)

    assert nudged_too_early == 0


async def test_one_second_is_one_timer(ringer: WakeUps, nudges: Nudges, clock: FixedClock) -> None:
    clock.now = IN_20_MS

    async with in_background(ringer.run):
        await asyncio.gather(*[ringer.schedule_and_wait(NOW) for _ in range(10)])
        ringer.receive(NOON)
        clock.now = NOW
        await until(lambda: nudges.count, every=0.03)

    assert nudges.count == 1


async def test_others_are_woken_under_the_present_second_again(
    ringer: WakeUps, bell: FakeWakeUpQueue, nudges: Nudges
) -> None:
    async with in_background(ringer.run):
        await ringer.schedule_and_wait(NOW)
        ringer.wake_others()
        await until(lambda: len(bell.enqueued) == 2)
        ringer.wake_others()
        await until(lambda: len(bell.enqueued) == 3)

    assert bell.enqueued == [NOON, NOON, NOON]
    assert nudges.count == 1


async def test_others_are_woken_once_while_the_bell_has_not_answered(
    ringer: WakeUps, bell: FakeWakeUpQueue
) -> None:
    bell.answers.clear()

    async with in_background(ringer.run):
        for _ in range(10):
            ringer.wake_others()
        await until(lambda: bell.tried)
        bell.answers.set()
        await until(lambda: bell.enqueued)

    assert bell.tried == [NOON]


async def test_seconds_that_are_over_do_not_disturb_the_present(
    ringer: WakeUps, bell: FakeWakeUpQueue, clock: FixedClock
) -> None:
    async with in_background(ringer.run):
        for _ in range(100):
            await ringer.schedule_and_wait(clock.now)
            clock.advance(SECOND)

    assert bell.enqueued == list(range(NOON, NOON + 100))


async def test_seconds_that_are_over_take_up_no_memory(ringer: WakeUps, clock: FixedClock) -> None:
    async with in_background(ringer.run):
        first = ringer.schedule(NOW)
        assert first is not None
        await first
        remembered = weakref.ref(first)
        del first
        clock.advance(5 * SECOND)
        await ringer.schedule_and_wait(clock.now)
        await until(lambda: remembered() is None)


async def test_a_wake_up_beyond_the_horizon_keeps_no_timer(ringer: WakeUps, nudges: Nudges) -> None:
    for hours in range(1, 100):
        ringer.receive(int(NOW.timestamp()) + hours * 3600)

    assert nudges.count == 99


async def test_seconds_rung_before_the_clock_was_set_back_take_up_no_memory(
    ringer: WakeUps, clock: FixedClock
) -> None:
    async with in_background(ringer.run):
        rung = ringer.schedule(NOW + 30 * SECOND)
        assert rung is not None
        kept = weakref.ref(rung)
        await rung
        del rung
        clock.advance(timedelta(minutes=-10))
        await ringer.schedule_and_wait(clock() + 30 * SECOND)

        await until(lambda: kept() is None)


async def test_after_a_stop_no_timer_nudges(
    ringer: WakeUps, nudges: Nudges, clock: FixedClock
) -> None:
    clock.now = IN_20_MS
    loop = asyncio.get_running_loop()
    started = loop.time()

    async with in_background(ringer.run):
        await ringer.schedule_and_wait(NOW)
    await until(lambda: loop.time() > started + 0.05)

    assert nudges.count == 0
