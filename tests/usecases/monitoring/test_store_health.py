from datetime import timedelta

from gcsched.usecases.monitoring.store_health import StoreHealth, StoreReport
from tests.support.background import in_background
from tests.support.builders import NOW, FixedClock
from tests.support.wait import until


class FakeProblem:
    """What is wrong by one way to look, as a test says."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.asked = 0

    def __call__(self) -> str | None:
        self.asked += 1
        return self.text


def a_report(failure: str | None, *, minutes: int = 0) -> StoreReport:
    since = NOW + timedelta(minutes=minutes)
    return StoreReport(name="redis", problem=failure, state_time=since)


def test_the_time_is_that_of_the_change_not_of_the_words() -> None:
    clock, failure = FixedClock(), FakeProblem()
    health = StoreHealth(name="redis", problem_checks=[failure], now=clock)
    assert health.report() == a_report(None)

    clock.advance(timedelta(minutes=1))
    failure.text = "no answer for 2 s"
    assert health.report() == a_report("no answer for 2 s", minutes=1)

    clock.advance(timedelta(minutes=1))
    failure.text = "no answer for 62 s"
    assert health.report() == a_report("no answer for 62 s", minutes=1)

    clock.advance(timedelta(minutes=1))
    failure.text = None
    assert health.report() == a_report(None, minutes=3)


def test_the_first_trouble_counts_and_one_is_enough() -> None:
    first, second = FakeProblem(), FakeProblem("full")
    health = StoreHealth(name="redis", problem_checks=[first, second], now=FixedClock())
    assert health.problem == "full"

    first.text = "away"
    assert health.problem == "away"


async def test_the_time_is_right_also_when_nobody_asked_meanwhile() -> None:
    clock, failure = FixedClock(), FakeProblem("away")
    health = StoreHealth(name="redis", problem_checks=[failure], now=clock)
    async with in_background(health.run):
        await until(lambda: failure.asked)
        clock.advance(timedelta(minutes=1))
        failure.text, failure.asked = None, 0
        await until(lambda: failure.asked)
        clock.advance(timedelta(minutes=1))

    assert health.report() == a_report(None, minutes=1)
