"""Reports on limits: one line a day for each, and numbers that are bounded and current."""

from datetime import timedelta

import pytest

from gcsched.domain.client_limits import Limit
from gcsched.usecases.access import limit_reports
from gcsched.usecases.access.limit_reports import OTHERS, LimitReports
from tests.support.builders import FixedClock
from tests.support.clocks import DAY
from tests.support.log_events import Events

DAILY, WAITING, CALLS = Limit.JOBS_PER_DAY, Limit.JOBS_WAITING, Limit.CALLS_PER_SECOND


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def reports(clock: FixedClock) -> LimitReports:
    return LimitReports(now=clock)


def test_a_line_is_logged_from_80_percent_on_once_a_day(
    reports: LimitReports, clock: FixedClock, events: Events
) -> None:
    for used in (10, 79, 80, 81, 100):
        reports.on_usage("payroll", DAILY, used, 100)
    reports.on_usage("payroll", WAITING, 8, 10)
    reports.on_usage("hr", DAILY, 8, 10)
    clock.advance(DAY)
    reports.on_usage("payroll", DAILY, 90, 100)

    near = "client comes near its limit"
    assert events == [
        {"event": near, "client": client, "limit": limit, "used": used, "most": most}
        | {"log_level": "warning"}
        for client, limit, used, most in [
            ("payroll", "jobs_per_day", 80, 100),
            ("payroll", "jobs_waiting", 8, 10),
            ("hr", "jobs_per_day", 8, 10),
            ("payroll", "jobs_per_day", 90, 100),
        ]
    ]


def test_the_first_refusal_of_a_day_is_logged_and_all_are_counted(
    reports: LimitReports, events: Events
) -> None:
    for _ in range(3):
        reports.on_limit("payroll", CALLS)
    reports.on_limit("payroll", DAILY)

    assert [each["limit"] for each in events] == ["calls_per_second", "jobs_per_day"]
    assert reports.refused == {("payroll", CALLS): 3, ("payroll", DAILY): 1}


def test_ratios_are_those_of_now(reports: LimitReports, clock: FixedClock) -> None:
    reports.on_usage("payroll", DAILY, 30, 120)
    reports.on_usage("payroll", WAITING, 1, 2)
    reports.on_usage("hr", DAILY, 0, 0)
    every = {("payroll", DAILY): 0.25, ("payroll", WAITING): 0.5, ("hr", DAILY): 1.0}
    assert reports.ratios == every

    clock.advance(timedelta(seconds=61))
    assert reports.ratios == {("payroll", DAILY): 0.25, ("hr", DAILY): 1.0}

    clock.advance(timedelta(hours=12))
    assert reports.ratios == {}


def test_the_number_of_series_is_bounded(
    reports: LimitReports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_reports, "MAX_SERIES", 2)

    for client in ("a", "b", "c", "d", "a"):
        reports.on_limit(client, DAILY)
        reports.on_usage(client, DAILY, 1, 10)

    assert reports.refused == {("a", DAILY): 2, ("b", DAILY): 1, (OTHERS, DAILY): 2}
    assert set(reports.ratios) == {("a", DAILY), ("b", DAILY)}
