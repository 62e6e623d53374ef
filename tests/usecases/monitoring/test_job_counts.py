import asyncio
import time

import pytest

from gcsched.domain.job import State
from gcsched.usecases.monitoring.job_counts import (
    MAX_AGE,
    PAUSE_AFTER_FAST_SECONDS,
    CachedJobCounts,
)
from tests.support.background import in_background
from tests.support.builders import NOW, FixedClock
from tests.support.job_counts import COUNTS, FakeJobCounter
from tests.support.wait import until


def count_sent(job_counts: CachedJobCounts) -> int | None:
    return None if job_counts.latest is None else job_counts.latest.by_state[State.SENT]


async def test_jobs_are_counted_at_the_start() -> None:
    counter = FakeJobCounter()
    job_counts = CachedJobCounts(counter=counter, now=FixedClock())
    assert job_counts.latest is None
    assert job_counts.count_time is None

    async with in_background(job_counts.run):
        await until(lambda: job_counts.latest)

    assert job_counts.latest == COUNTS
    assert job_counts.count_time == NOW
    assert counter.count_times == [NOW]


async def test_counts_that_are_too_old_are_not_reported() -> None:
    seconds = 0.0
    counter = FakeJobCounter()
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=lambda: seconds)
    await job_counts.count()
    counter.is_away = True
    await job_counts.count()

    seconds = MAX_AGE.total_seconds()
    assert job_counts.latest == COUNTS
    seconds += 1
    assert job_counts.latest is None

    assert job_counts.count_time == NOW, "trying is not counting"

    counter.is_away = False
    await job_counts.count()
    assert count_sent(job_counts) == 3


async def test_a_fast_count_is_repeated_on_request() -> None:
    counter = FakeJobCounter()
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=counter.clock)
    async with in_background(job_counts.run):
        await until(lambda: job_counts.latest)
        for looked in range(2, 5):
            counter.clock.now += PAUSE_AFTER_FAST_SECONDS
            await job_counts.refresh()

            assert count_sent(job_counts) == looked


@pytest.mark.parametrize(
    ("took", "pause"), [(0.0, 2.0), (0.01, 2.0), (0.05, 2.0), (0.06, 2.0), (0.2, 3.8), (2.0, 38.0)]
)
async def test_many_requests_keep_mongodb_busy_for_a_small_part_of_the_time(
    took: float, pause: float
) -> None:
    counter = FakeJobCounter()
    counter.took = took
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=counter.clock)
    await job_counts.count()
    async with in_background(job_counts.run):
        await until(lambda: len(counter.count_times) == 2)
        counter.clock.now += pause - 0.001
        for _ in range(100):
            await job_counts.refresh()
        assert len(counter.count_times) == 2

        counter.clock.now += 0.002
        await job_counts.refresh()
        assert len(counter.count_times) == 3


async def test_concurrent_requests_share_one_count_and_none_can_cancel_it() -> None:
    counter = FakeJobCounter()
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=counter.clock)
    async with in_background(job_counts.run):
        await until(lambda: job_counts.latest)
        counter.clock.now += PAUSE_AFTER_FAST_SECONDS
        counter.answers.clear()
        looking = [asyncio.create_task(job_counts.refresh()) for _ in range(20)]
        await until(lambda: len(counter.count_times) == 2)
        looking[0].cancel()
        await asyncio.wait(looking[:1])
        counter.answers.set()
        await asyncio.gather(*looking[1:])

    assert count_sent(job_counts) == 2
    assert len(counter.count_times) == 2


async def test_a_count_that_hangs_delays_a_request_by_half_a_second_only() -> None:
    counter = FakeJobCounter()
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=counter.clock)
    async with in_background(job_counts.run):
        await until(lambda: job_counts.latest)
        counter.clock.now += PAUSE_AFTER_FAST_SECONDS
        counter.answers.clear()
        begun = time.monotonic()
        await job_counts.refresh()
        took = time.monotonic() - begun

        assert count_sent(job_counts) == 1, "what is known, which tells its own time"
        assert 0.4 < took < 1.5
        counter.answers.set()
        await until(lambda: count_sent(job_counts) == 2)


async def test_one_slow_count_does_not_delay_the_next_but_two_do() -> None:
    counter = FakeJobCounter()
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=counter.clock)
    await job_counts.count()
    counter.took = 8.0
    await job_counts.count()
    async with in_background(job_counts.run):
        await until(lambda: len(counter.count_times) == 3)
        await job_counts.refresh()

        assert len(counter.count_times) == 3, "19 times 8 s must pass now"


async def test_after_one_count_that_hung_the_next_is_not_delayed() -> None:
    counter = FakeJobCounter()
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=counter.clock)
    async with in_background(job_counts.run):
        await until(lambda: job_counts.latest)
        counter.took = 8.0
        counter.clock.now += PAUSE_AFTER_FAST_SECONDS
        await job_counts.refresh()
        assert count_sent(job_counts) == 2

        counter.clock.now += PAUSE_AFTER_FAST_SECONDS
        await job_counts.refresh()
        assert count_sent(job_counts) == 3


async def test_while_mongodb_is_away_requests_do_not_each_query_it() -> None:
    counter = FakeJobCounter()
    counter.is_away = True
    job_counts = CachedJobCounts(counter=counter, now=FixedClock(), clock=counter.clock)
    async with in_background(job_counts.run):
        await until(lambda: counter.count_times)
        for _ in range(50):
            await job_counts.refresh()
        assert len(counter.count_times) == 1

        counter.is_away = False
        counter.clock.now += 6
        await job_counts.refresh()

    assert count_sent(job_counts) == 2
