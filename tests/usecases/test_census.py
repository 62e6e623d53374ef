from datetime import datetime, timedelta

from gcsched.domain.job import State
from gcsched.errors import StoreUnavailable
from gcsched.usecases.census import TOO_OLD, Census
from gcsched.usecases.ports import JobCounts
from tests.builders import NOW, FixedClock, running
from tests.waiting import until

COUNTS = JobCounts(by_state={State.SENT: 3}, oldest_due=timedelta(seconds=4))


class ToyTally:
    def __init__(self) -> None:
        self.asked: list[datetime] = []
        self.is_away = False

    async def count(self, *, now: datetime) -> JobCounts:
        self.asked.append(now)
        if self.is_away:
            raise StoreUnavailable("counting jobs")
        return COUNTS


async def test_it_counts_at_once_when_it_begins() -> None:
    tally = ToyTally()
    census = Census(tally=tally, now=FixedClock())
    assert census.latest is None
    assert census.counted is None

    async with running(census.run):
        await until(lambda: census.latest)

    assert census.latest == COUNTS
    assert census.counted == NOW
    assert tally.asked == [NOW]


async def test_what_is_too_old_is_not_told_any_more() -> None:
    seconds = 0.0
    tally = ToyTally()
    census = Census(tally=tally, now=FixedClock(), clock=lambda: seconds)
    await census.count()
    tally.is_away = True
    await census.count()

    seconds = TOO_OLD.total_seconds()
    assert census.latest == COUNTS
    seconds += 1
    assert census.latest is None

    assert census.counted == NOW, "trying is not counting"

    tally.is_away = False
    await census.count()
    assert census.latest == COUNTS
