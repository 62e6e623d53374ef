"""The log of refused calls stays short, however many there are."""

import pytest

from gcsched.domain.refusal import Refusal, RefusalReason
from gcsched.usecases.access.refusal_log import RefusalLog
from tests.support.log_events import Events

PEER = "ipv4:192.0.2.1:5"


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock: Clock) -> RefusalLog:
    return RefusalLog(clock=clock)


def record(log: RefusalLog, refusal: Refusal, times: int = 1) -> None:
    for _ in range(times):
        log.record(refusal, method="/scheduler.Scheduler/GetJob", peer=lambda: PEER)


def test_the_first_of_each_kind_is_logged_with_what_is_known(
    log: RefusalLog, events: Events
) -> None:
    record(log, Refusal(RefusalReason.EXPIRED, "payroll", "k3v9x2ab"), times=10_000)
    record(log, Refusal(RefusalReason.MISSING), times=10_000)

    assert [dict(each) for each in events] == [
        {
            "event": "call refused",
            "log_level": "warning",
            "reason": "expired",
            "client": "payroll",
            "token": "k3v9x2ab",
            "method": "/scheduler.Scheduler/GetJob",
            "peer": PEER,
        },
        {
            "event": "call refused",
            "log_level": "warning",
            "reason": "missing",
            "method": "/scheduler.Scheduler/GetJob",
            "peer": PEER,
        },
    ]


def test_five_minutes_end_with_the_numbers(log: RefusalLog, clock: Clock, events: Events) -> None:
    record(log, Refusal(RefusalReason.MISSING), times=3)
    record(log, Refusal(RefusalReason.SCOPE, "ops"))
    clock.seconds = 299.0
    log.flush_if_due()
    assert len(events) == 2

    clock.seconds = 300.0
    log.flush_if_due()
    log.flush_if_due()

    assert [(each["event"], each["reason"], each["times"]) for each in events[2:]] == [
        ("calls refused", "missing", 3)
    ]
    record(log, Refusal(RefusalReason.MISSING))
    assert events[-1]["event"] == "call refused", "it is the first of the next five minutes"


def test_made_up_tokens_do_not_fill_the_log(log: RefusalLog, clock: Clock, events: Events) -> None:
    for number in range(1_000):
        record(log, Refusal(RefusalReason.UNKNOWN, token=f"{number:08}"), times=2)
    assert len(events) == 20

    clock.seconds = 300.0
    log.flush_if_due()

    assert len(events) <= 41
    assert sum(each.get("times", 0) for each in events) == 2_000
