from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.due import DailyPlan, round_up_to_second

BERLIN = ZoneInfo("Europe/Berlin")
AT_TEN = DailyPlan(at=time(10), zone=BERLIN)
ZONES = ["UTC", "Europe/Berlin", "America/Nuuk", "America/St_Johns", "Australia/Lord_Howe",
         "Africa/Cairo", "Asia/Kathmandu", "Pacific/Kiritimati"]  # fmt: skip


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-07-01T12:00:00", "2026-07-01T12:00:00"),
        ("2026-07-01T12:00:00.000001", "2026-07-01T12:00:01"),
        ("2026-07-01T12:00:00.999999", "2026-07-01T12:00:01"),
        ("2026-12-31T23:59:59.5", "2027-01-01T00:00:00"),
    ],
)
def test_a_second_is_rounded_up(moment: str, expected: str) -> None:
    rounded = round_up_to_second(utc(moment))

    assert rounded == utc(expected)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 1, 15), "2026-01-15T09:00"),
        (date(2026, 7, 15), "2026-07-15T08:00"),
        (date(2026, 3, 29), "2026-03-29T08:00"),
        (date(2026, 10, 25), "2026-10-25T09:00"),
    ],
    ids=["winter", "summer", "first day of summer time", "last day of summer time"],
)
def test_a_run_keeps_its_wall_time_all_year(day: date, expected: str) -> None:
    instant = AT_TEN.run_time(day)

    assert instant == utc(expected)
    assert instant.tzinfo is UTC


def test_a_wall_time_that_is_skipped_runs_by_the_offset_before_the_change() -> None:
    plan = DailyPlan(at=time(2, 30), zone=BERLIN)

    instant = plan.run_time(date(2026, 3, 29))

    assert instant == utc("2026-03-29T01:30")
    assert instant.astimezone(BERLIN).time() == time(3, 30)


def test_a_wall_time_that_comes_twice_runs_at_its_first_occurrence() -> None:
    plan = DailyPlan(at=time(2, 30), zone=BERLIN)

    instant = plan.run_time(date(2026, 10, 25))

    assert instant == utc("2026-10-25T00:30")


def test_a_wall_time_that_comes_twice_runs_once() -> None:
    plan = DailyPlan(at=time(2, 30), zone=BERLIN)
    second_occurrence = utc("2026-10-25T01:30")

    assert plan.last_run_day(second_occurrence) == date(2026, 10, 25)
    assert plan.next_run_day(second_occurrence) == date(2026, 10, 26)


@pytest.mark.parametrize(
    ("now", "following", "latest"),
    [
        ("2026-07-01T07:59:59.999999", date(2026, 7, 1), date(2026, 6, 30)),
        ("2026-07-01T08:00:00", date(2026, 7, 2), date(2026, 7, 1)),
        ("2026-07-01T21:59:59", date(2026, 7, 2), date(2026, 7, 1)),
        ("2026-07-01T22:00:00", date(2026, 7, 2), date(2026, 7, 1)),
        ("2026-12-31T23:30:00", date(2027, 1, 1), date(2026, 12, 31)),
    ],
    ids=["just before", "on the second", "before midnight", "after midnight", "new year"],
)
def test_a_run_is_due_from_its_second_on(now: str, following: date, latest: date) -> None:
    assert AT_TEN.next_run_day(utc(now)) == following
    assert AT_TEN.last_run_day(utc(now)) == latest


@pytest.mark.parametrize(
    ("now", "following"),
    [
        ("2026-03-29T01:29:59", date(2026, 3, 29)),
        ("2026-03-29T01:30:00", date(2026, 3, 30)),
        ("2026-10-25T00:29:59", date(2026, 10, 25)),
        ("2026-10-25T00:30:00", date(2026, 10, 26)),
    ],
)
def test_a_run_is_due_from_its_second_on_at_clock_changes_too(now: str, following: date) -> None:
    plan = DailyPlan(at=time(2, 30), zone=BERLIN)

    assert plan.next_run_day(utc(now)) == following


def test_a_run_that_a_clock_change_moves_over_midnight_is_still_the_next() -> None:
    # Nuuk's clocks go from Saturday, 2026-03-28, 23:00 to Sunday 00:00: 23:30 is skipped.
    plan = DailyPlan(at=time(23, 30), zone=ZoneInfo("America/Nuuk"))
    early_on_sunday = utc("2026-03-29T01:10")

    assert plan.run_time(date(2026, 3, 28)) == utc("2026-03-29T01:30")
    assert plan.next_run_day(early_on_sunday) == date(2026, 3, 28)
    assert plan.last_run_day(early_on_sunday) == date(2026, 3, 27)


@given(
    now=st.timedeltas(timedelta(0), timedelta(days=365 * 30)).map(utc("2006-01-01").__add__),
    at=st.times(),
    zone=st.sampled_from(ZONES),
)
@settings(deadline=None, max_examples=200)
def test_now_is_always_between_the_latest_run_and_the_next(
    now: datetime, at: time, zone: str
) -> None:
    plan = DailyPlan(at=at, zone=ZoneInfo(zone))

    latest, following = plan.last_run_day(now), plan.next_run_day(now)

    assert following - latest == timedelta(days=1)
    assert plan.run_time(latest) <= now < plan.run_time(following)
