from datetime import timedelta

from gcsched.usecases.monitoring.store_health import StoreHealth, StoreReport
from tests.support.background import in_background
from tests.support.builders import NOW, FixedClock
from tests.support.wait import until


class FakeProblem:
    """The result of one problem check, as a test sets it."""

    def __init__(self, text: str | None = None) -> None:
        self.text = text
        self.call_count = 0

    def __call__(self) -> str | None:
        self.call_count += 1
        return self.text


def a_report(failure: str | None, *, minutes: int = 0) -> StoreReport:
    since = NOW + timedelta(minutes=minutes)
    return StoreReport(name="redis", problem=failure, state_time=since)


def test_a_store_is_away_only_if_a_check_has_found_it_so() -> None:
    texts = (None, "not checked yet", "no answer for 3 s")

    assert [a_report(each).is_away for each in texts] == [False, False, True]


def test_the_time_is_that_of_the_change_not_of_the_text() -> None:
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


def test_the_first_problem_counts_and_one_is_enough() -> None:
    first, second = FakeProblem(), FakeProblem("full")
    health = StoreHealth(name="redis", problem_checks=[first, second], now=FixedClock())
    assert health.problem == "full"

    first.text = "away"
    assert health.problem == "away"


async def test_the_time_is_right_without_a_request_meanwhile() -> None:
    clock, failure = FixedClock(), FakeProblem("away")
    health = StoreHealth(name="redis", problem_checks=[failure], now=clock)
    async with in_background(health.run):
        await until(lambda: failure.call_count)
        clock.advance(timedelta(minutes=1))
        failure.text, failure.call_count = None, 0
        await until(lambda: failure.call_count)
        clock.advance(timedelta(minutes=1))

    assert health.report() == a_report(None, minutes=1)
