import asyncio
from datetime import timedelta

import pytest

from gcsched.usecases.wakeups import WakeUps
from tests.support.background import in_background
from tests.support.builders import NOON, NOW, FixedClock
from tests.support.clocks import SECOND
from tests.support.wait import until
from tests.support.wakeups import IN_20_MS, FakeWakeUpQueue, Nudges, seconds_since


@pytest.fixture
def short_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gcsched.usecases.wakeups.BACK_OFF_SECONDS", 0.05)


async def test_a_second_is_enqueued_once_for_any_number_of_jobs(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, nudges: Nudges
) -> None:
    due = NOW + 30 * SECOND

    async with in_background(wake_ups.run):
        await asyncio.gather(*[wake_ups.schedule_and_wait(due) for _ in range(1000)])
        await wake_ups.schedule_and_wait(due)

    assert queue.tried == [NOON + 30]
    assert nudges.count == 0


async def test_each_second_is_enqueued(wake_ups: WakeUps, queue: FakeWakeUpQueue) -> None:
    async with in_background(wake_ups.run):
        await asyncio.gather(*[wake_ups.schedule_and_wait(NOW + n * SECOND) for n in (3, 1, 2, 1)])

    assert queue.enqueued == [NOON + 3, NOON + 1, NOON + 2]


async def test_a_fraction_of_a_second_is_rounded_up(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(NOW + timedelta(seconds=30, microseconds=1))

    assert queue.enqueued == [NOON + 31]


@pytest.mark.parametrize("late", [timedelta(0), SECOND, timedelta(days=400)], ids=str)
async def test_a_due_job_is_enqueued_under_the_present_second_and_nudges(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, nudges: Nudges, clock: FixedClock, late: timedelta
) -> None:
    clock.advance(timedelta(milliseconds=700))

    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(NOW - late)

    assert queue.enqueued == [NOON]
    assert nudges.count == 1


async def test_jobs_due_in_the_present_second_share_one_wake_up_and_nudge_each(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, nudges: Nudges, clock: FixedClock
) -> None:
    async with in_background(wake_ups.run):
        for late in range(3):
            await wake_ups.schedule_and_wait(NOW - late * SECOND)
        clock.advance(SECOND)
        await wake_ups.schedule_and_wait(NOW)

    assert queue.enqueued == [NOON, NOON + 1]
    assert nudges.count == 4


async def test_nothing_is_enqueued_beyond_the_horizon(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    async with in_background(wake_ups.run):
        beyond = wake_ups.schedule(NOW + timedelta(seconds=60, microseconds=1))
        await wake_ups.schedule_and_wait(NOW + 60 * SECOND)

    assert beyond is None
    assert queue.tried == [NOON + 60]


async def test_a_second_that_comes_within_the_horizon_is_enqueued(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, clock: FixedClock
) -> None:
    due = NOW + 90 * SECOND

    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(due)
        clock.advance(30 * SECOND)
        await wake_ups.schedule_and_wait(due)

    assert queue.enqueued == [NOON + 90]


async def test_the_future_is_done_when_the_queue_has_taken_the_wake_up(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    queue.answers.clear()

    async with in_background(wake_ups.run):
        enqueued = wake_ups.schedule(NOW + SECOND)
        assert enqueued is not None
        await until(lambda: queue.tried)
        was_done_before = enqueued.done()
        queue.answers.set()
        await enqueued

    assert not was_done_before
    assert queue.enqueued == [NOON + 1]


async def test_a_silent_queue_is_waited_for_at_most_50_ms(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    queue.answers.clear()
    started = asyncio.get_running_loop().time()

    async with in_background(wake_ups.run):
        await asyncio.gather(*[wake_ups.schedule_and_wait(NOW + n * SECOND) for n in range(50)])
        waited = seconds_since(started)
        queue.answers.set()

    assert 0.045 < waited < 0.5


@pytest.mark.usefixtures("short_back_off")
async def test_a_queue_that_refuses_fails_no_caller(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    queue.is_refusing = True

    async with in_background(wake_ups.run):
        await asyncio.gather(*[wake_ups.schedule_and_wait(NOW + n * SECOND) for n in range(50)])

    assert queue.enqueued == []


@pytest.mark.usefixtures("short_back_off")
async def test_while_the_queue_is_away_a_local_timer_nudges_at_the_second(
    wake_ups: WakeUps, queue: FakeWakeUpQueue, nudges: Nudges, clock: FixedClock
) -> None:
    queue.is_refusing = True
    clock.now = IN_20_MS
    started = asyncio.get_running_loop().time()

    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(NOW)
        clock.now = NOW
        await until(lambda: nudges.count, every=0.001)
        waited = seconds_since(started)

    assert nudges.count == 1
    assert waited >= 0.019


@pytest.mark.usefixtures("short_back_off")
async def test_a_queue_that_refuses_is_left_alone_for_a_while_and_then_used_again(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    queue.is_refusing = True

    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(NOW + SECOND)
        meanwhile = wake_ups.schedule(NOW + 2 * SECOND)
        queue.is_refusing = False
        await until(
            lambda: wake_ups.schedule(NOW + SECOND) is None and queue.enqueued == [NOON + 1]
        )
        await wake_ups.schedule_and_wait(NOW + 2 * SECOND)

    assert meanwhile is None
    assert queue.tried == [NOON + 1, NOON + 1, NOON + 2]


async def test_a_stop_does_not_wait_for_the_back_off_to_end(
    wake_ups: WakeUps, queue: FakeWakeUpQueue
) -> None:
    queue.is_refusing = True
    started = asyncio.get_running_loop().time()

    async with in_background(wake_ups.run):
        await wake_ups.schedule_and_wait(NOW + SECOND)

    assert seconds_since(started) < 1
