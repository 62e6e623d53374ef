"""What is logged of a lasting problem, for an operator who reads the log."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gcsched.usecases.problem_log import ProblemLog

MINUTE = 60.0


@dataclass
class Ticks:
    """A monotonic clock that advances only when a test sets it."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Ticks:
    return Ticks()


@pytest.fixture
def problem_log(clock: Ticks) -> ProblemLog:
    return ProblemLog(event="claim failed, retrying", end_event="claims resumed", clock=clock)


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as logs:
        yield logs


def test_a_problem_is_logged_at_its_start_every_five_minutes_and_at_its_end(
    problem_log: ProblemLog, clock: Ticks, logs: list[EventDict]
) -> None:
    for _ in range(12 * 60):
        problem_log.record_failure("no answer", waiting=3)
        clock.now += 1
    problem_log.record_success()

    waits = {
        "event": "claim failed, retrying",
        "log_level": "warning",
        "error": "no answer",
        "waiting": 3,
    }
    assert logs == [
        waits,
        waits | {"times": 301},
        waits | {"times": 601},
        {
            "event": "claims resumed",
            "log_level": "info",
            "times": 720,
            "lasted_seconds": 12 * MINUTE,
        },
    ]


def test_a_different_error_is_logged_and_a_repeated_one_is_not(
    problem_log: ProblemLog, logs: list[EventDict]
) -> None:
    for _ in range(50):
        problem_log.record_failure("refused")
        problem_log.record_failure("silent")

    assert [each["error"] for each in logs] == ["refused", "silent"]


def test_a_second_problem_is_logged_after_the_first_has_ended(
    problem_log: ProblemLog, logs: list[EventDict]
) -> None:
    problem_log.record_failure("refused")
    problem_log.record_success()
    problem_log.record_failure("refused")

    assert [each["event"] for each in logs] == [
        "claim failed, retrying",
        "claims resumed",
        "claim failed, retrying",
    ]
    assert "times" not in logs[2]


def test_an_outage_after_many_blips_is_the_last_line(
    problem_log: ProblemLog, clock: Ticks, logs: list[EventDict]
) -> None:
    for _ in range(40):
        problem_log.record_failure("refused")
        problem_log.record_success()
        clock.now += 1
    for _ in range(250):
        problem_log.record_failure("refused")
        clock.now += 1

    assert logs[-1]["event"] == "claim failed, retrying"


def test_the_end_of_a_frequent_problem_is_logged_once_a_line_is_free(
    problem_log: ProblemLog, clock: Ticks, logs: list[EventDict]
) -> None:
    for _ in range(15):
        problem_log.record_failure("refused")
        clock.now += 1
        problem_log.record_success()
    clock.now = 299.0
    problem_log.record_success()
    assert logs[-1]["event"] == "claim failed, retrying"

    clock.now = 300.0
    problem_log.record_success()

    ended = {"event": "claims resumed", "log_level": "info"}
    assert logs[-1] == ended | {"times": 6, "lasted_seconds": 6.0}


def test_errors_that_differ_leave_a_line_for_the_end(
    problem_log: ProblemLog, logs: list[EventDict]
) -> None:
    for number in range(12):
        problem_log.record_failure(f"gave up after {number} ms")
    problem_log.record_success()
    problem_log.record_failure("refused")

    *_, waits, resumed, again = logs
    assert (waits["event"], waits["times"]) == ("claim failed, retrying", 9)
    assert (resumed["event"], resumed["times"]) == ("claims resumed", 12)
    assert (again["event"], again["error"]) == ("claim failed, retrying", "refused")


STEPS = st.tuples(
    st.sampled_from(["", "refused", "silent", "gave up", "cut off"]),  # empty: a success
    st.sampled_from([0.0, 0.5, 1.0, 20.0, 100.0, 299.0, 300.0, 900.0]),
)


@given(st.lists(STEPS, max_size=200))
def test_the_last_line_is_true_and_the_log_stays_short(steps: list[tuple[str, float]]) -> None:
    clock, written = Ticks(), list[tuple[float, str]]()
    problem_log = ProblemLog(event="waits", end_event="resumed", clock=clock)
    for error, seconds in steps:
        with capture_logs() as logs:
            problem_log.record_failure(error) if error else problem_log.record_success()
        written += [(clock.now, each["event"]) for each in logs]
        recent = [event for at, event in written if clock.now - at < 5 * MINUTE]

        assert len(recent) <= 20
        if error:
            assert written[-1][1] == "waits"
        elif recent.count("waits") < 10:
            assert not written or written[-1][1] == "resumed"
        clock.now += seconds


def test_success_without_a_problem_logs_nothing(
    problem_log: ProblemLog, logs: list[EventDict]
) -> None:
    problem_log.record_success()

    assert logs == []
