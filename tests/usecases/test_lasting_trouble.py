"""What is logged of a trouble that lasts, for someone who reads the log and not each try."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from gcsched.usecases.lasting_trouble import LastingTrouble

MINUTE = 60.0


@dataclass
class Ticks:
    """A monotonic clock that only goes when told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Ticks:
    return Ticks()


@pytest.fixture
def trouble(clock: Ticks) -> LastingTrouble:
    return LastingTrouble(event="claiming waits", over="claiming resumed", clock=clock)


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as logs:
        yield logs


def test_it_is_logged_at_its_begin_every_five_minutes_and_at_its_end(
    trouble: LastingTrouble, clock: Ticks, logs: list[EventDict]
) -> None:
    for _ in range(12 * 60):
        trouble.met("no answer", waiting=3)
        clock.now += 1
    trouble.ended()

    waits = {"event": "claiming waits", "log_level": "warning", "error": "no answer", "waiting": 3}
    assert logs == [
        waits,
        waits | {"times": 301},
        waits | {"times": 601},
        {
            "event": "claiming resumed",
            "log_level": "info",
            "times": 720,
            "lasted_seconds": 12 * MINUTE,
        },
    ]


def test_another_error_is_news_and_the_first_one_again_is_not(
    trouble: LastingTrouble, logs: list[EventDict]
) -> None:
    for _ in range(50):
        trouble.met("refused")
        trouble.met("silent")

    assert [each["error"] for each in logs] == ["refused", "silent"]


def test_a_second_trouble_is_news_after_the_first_has_ended(
    trouble: LastingTrouble, logs: list[EventDict]
) -> None:
    trouble.met("refused")
    trouble.ended()
    trouble.met("refused")

    assert [each["event"] for each in logs] == [
        "claiming waits",
        "claiming resumed",
        "claiming waits",
    ]
    assert "times" not in logs[2]


def test_one_that_comes_and_goes_fills_no_log(
    trouble: LastingTrouble, clock: Ticks, logs: list[EventDict]
) -> None:
    for _ in range(600):
        trouble.met("refused")
        trouble.ended()
        clock.now += 1

    assert len(logs) == 20


def test_words_that_differ_each_time_fill_no_log(
    trouble: LastingTrouble, clock: Ticks, logs: list[EventDict]
) -> None:
    for number in range(600):
        trouble.met(f"gave up after {number} ms")
        clock.now += 1

    assert len(logs) == 20


def test_what_never_was_has_no_end(trouble: LastingTrouble, logs: list[EventDict]) -> None:
    trouble.ended()

    assert logs == []
