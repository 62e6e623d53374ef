"""What is counted over an hour, and the largest number of a minute, by a clock of the test."""

from gcsched.usecases.monitoring.recent_counts import HourlyCounts, RecentMaximum
from tests.support.clocks import FakeMonotonicClock


def test_counts_are_those_of_the_last_hour() -> None:
    clock = FakeMonotonicClock(0)
    counts: HourlyCounts[str] = HourlyCounts(clock=clock)
    counts.add("a")
    clock.now = 1800
    counts.add("a", 2)
    counts.add("b", 5)

    clock.now = 3599
    assert counts.total() == {"a": 3, "b": 5}
    clock.now = 3600
    assert counts.total() == {"a": 2, "b": 5}
    clock.now = 5400
    assert counts.total() == {}


def test_the_largest_number_is_forgotten_after_a_minute_at_most() -> None:
    clock = FakeMonotonicClock(0)
    largest = RecentMaximum(clock=clock)
    for number in (0.5, 3.0, 1.0):
        largest.add(number)

    clock.now = 31
    largest.add(0.25)
    assert largest.find() == 3.0
    clock.now = 61
    assert largest.find() == 0.25
    clock.now = 200
    assert largest.find() == 0.0
