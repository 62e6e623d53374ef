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


def count_sent(census: CachedJobCounts) -> int | None:
    return None if census.latest is None else census.latest.by_state[State.SENT]


async def test_it_counts_at_once_when_it_begins() -> None:
    tally = FakeJobCounter()
    census = CachedJobCounts(counter=tally, now=FixedClock())
    assert census.latest is None
    assert census.count_time is None

    async with in_background(census.run):
        await until(lambda: census.latest)

    assert census.latest == COUNTS
    assert census.count_time == NOW
    assert tally.count_times == [NOW]


async def test_what_is_too_old_is_not_told_any_more() -> None:
    seconds = 0.0
    tally = FakeJobCounter()
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=lambda: seconds)
    await census.count()
    tally.is_away = True
    await census.count()

    seconds = MAX_AGE.total_seconds()
    assert census.latest == COUNTS
    seconds += 1
    assert census.latest is None

    assert census.count_time == NOW, "trying is not counting"

    tally.is_away = False
    await census.count()
    assert count_sent(census) == 3


async def test_what_is_cheap_is_counted_anew_for_whoever_looks() -> None:
    tally = FakeJobCounter()
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=tally.clock)
    async with in_background(census.run):
        await until(lambda: census.latest)
        for looked in range(2, 5):
            tally.clock.now += PAUSE_AFTER_FAST_SECONDS
            await census.refresh()

            assert count_sent(census) == looked


@pytest.mark.parametrize(
    ("took", "pause"), [(0.0, 2.0), (0.01, 2.0), (0.05, 2.0), (0.06, 2.0), (0.2, 3.8), (2.0, 38.0)]
)
async def test_however_many_look_mongodb_counts_a_small_part_of_the_time(
    took: float, pause: float
) -> None:
    tally = FakeJobCounter()
    tally.took = took
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=tally.clock)
    await census.count()
    async with in_background(census.run):
        await until(lambda: len(tally.count_times) == 2)
        tally.clock.now += pause - 0.001
        for _ in range(100):
            await census.refresh()
        assert len(tally.count_times) == 2

        tally.clock.now += 0.002
        await census.refresh()
        assert len(tally.count_times) == 3


async def test_all_who_look_at_once_share_one_count_and_none_can_cancel_it() -> None:
    tally = FakeJobCounter()
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=tally.clock)
    async with in_background(census.run):
        await until(lambda: census.latest)
        tally.clock.now += PAUSE_AFTER_FAST_SECONDS
        tally.answers.clear()
        looking = [asyncio.create_task(census.refresh()) for _ in range(20)]
        await until(lambda: len(tally.count_times) == 2)
        looking[0].cancel()
        await asyncio.wait(looking[:1])
        tally.answers.set()
        await asyncio.gather(*looking[1:])

    assert count_sent(census) == 2
    assert len(tally.count_times) == 2


async def test_a_count_that_hangs_holds_up_a_look_for_half_a_second_only() -> None:
    tally = FakeJobCounter()
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=tally.clock)
    async with in_background(census.run):
        await until(lambda: census.latest)
        tally.clock.now += PAUSE_AFTER_FAST_SECONDS
        tally.answers.clear()
        begun = time.monotonic()
        await census.refresh()
        took = time.monotonic() - begun

        assert count_sent(census) == 1, "what is known, which tells its own time"
        assert 0.4 < took < 1.5
        tally.answers.set()
        await until(lambda: count_sent(census) == 2)


async def test_one_count_that_hung_makes_the_next_no_rarer_but_two_do() -> None:
    tally = FakeJobCounter()
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=tally.clock)
    await census.count()
    tally.took = 8.0
    await census.count()
    async with in_background(census.run):
        await until(lambda: len(tally.count_times) == 3)
        await census.refresh()

        assert len(tally.count_times) == 3, "19 times 8 s must pass now"


async def test_after_a_count_that_hung_once_the_next_is_no_later() -> None:
    tally = FakeJobCounter()
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=tally.clock)
    async with in_background(census.run):
        await until(lambda: census.latest)
        tally.took = 8.0
        tally.clock.now += PAUSE_AFTER_FAST_SECONDS
        await census.refresh()
        assert count_sent(census) == 2

        tally.clock.now += PAUSE_AFTER_FAST_SECONDS
        await census.refresh()
        assert count_sent(census) == 3


async def test_a_mongodb_that_is_away_is_not_asked_by_each_who_looks() -> None:
    tally = FakeJobCounter()
    tally.is_away = True
    census = CachedJobCounts(counter=tally, now=FixedClock(), clock=tally.clock)
    async with in_background(census.run):
        await until(lambda: tally.count_times)
        for _ in range(50):
            await census.refresh()
        assert len(tally.count_times) == 1

        tally.is_away = False
        tally.clock.now += 6
        await census.refresh()

    assert count_sent(census) == 2
