from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.checks import require_valid
from gcsched.domain.zoned_time import (
    MAX_NAME_LENGTH,
    Resolved,
    WallTime,
    find_nearest_names,
    load_zone,
    parse_wall_time,
    resolve,
    zone_violations,
)
from gcsched.errors import InvalidRequest
from tests.support.zone_checks import compare_zones
from tests.support.zone_oracle import EPOCH, read_all_periods, wheel_zone_names


def resolve_text(local: str, zone: str) -> Resolved:
    return resolve(WallTime(datetime.fromisoformat(local), zone), ZoneInfo(zone))


def parse(text: str) -> datetime | None:
    return require_valid(parse_wall_time(text, "start"))


def find_problem(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    [violation] = caught.value.violations
    assert violation.field == "start"
    return violation.problem


def find_zone_problem(name: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        require_valid(zone_violations(name))
    [violation] = caught.value.violations
    assert violation.field == "time_zone"
    return violation.problem


def test_at_every_clock_change_of_every_zone_a_wall_time_means_what_the_zone_files_say() -> None:
    comparison = compare_zones(read_all_periods(), range(2026, 2031))

    assert comparison.wrong == []
    assert comparison.wrong_daily_runs == []
    assert min(comparison.compared["gaps"], comparison.compared["overlaps"]) > 500


@pytest.mark.parametrize(
    ("local", "zone", "instant", "offset", "note"),
    [
        ("2027-01-05T09:00", "Europe/Berlin", "2027-01-05T08:00", 60, ""),
        ("2027-07-05T09:00", "Europe/Berlin", "2027-07-05T07:00", 120, ""),
        ("2027-01-05T09:00", "UTC", "2027-01-05T09:00", 0, ""),
        (
            "2027-03-28T02:30",
            "Europe/Berlin",
            "2027-03-28T01:30",
            60,
            (
                "2027-03-28T02:30 does not exist in Europe/Berlin, because the clocks skip it;"
                " it is taken as 2027-03-28T03:30+02:00"
            ),
        ),
        (
            "2027-10-31T02:30",
            "Europe/Berlin",
            "2027-10-31T00:30",
            120,
            (
                "2027-10-31T02:30 occurs twice in Europe/Berlin;"
                " it is taken as 2027-10-31T02:30+02:00, not 2027-10-31T02:30+01:00"
            ),
        ),
        (
            "2011-12-30T12:00",  # a whole day that Samoa left out
            "Pacific/Apia",
            "2011-12-30T22:00",
            -600,
            (
                "2011-12-30T12:00 does not exist in Pacific/Apia, because the clocks skip it;"
                " it is taken as 2011-12-31T12:00+14:00"
            ),
        ),
    ],
    ids=["winter", "summer", "utc", "skipped", "repeated", "a day is skipped"],
)
def test_a_wall_time_has_one_instant_and_a_note_where_that_is_a_choice(
    local: str, zone: str, instant: str, offset: int, note: str
) -> None:
    expected = datetime.fromisoformat(instant).replace(tzinfo=UTC)

    found = resolve_text(local, zone)

    assert found == Resolved(expected, timedelta(minutes=offset), note)
    assert found.instant.tzinfo is UTC


@pytest.mark.parametrize("local", ["1970-01-01T00:00", "9998-12-31T23:59"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "Asia/Manila"])
def test_the_first_and_the_last_wall_time_have_an_instant(local: str, zone: str) -> None:
    found = resolve_text(local, zone)

    assert found.instant.replace(tzinfo=None) + found.offset == parse(local)


@pytest.mark.parametrize("text", ["2027-01-05T09:00", "2027-01-05T09:00:00"])
def test_a_wall_time_is_parsed_with_or_without_seconds(text: str) -> None:
    assert parse(text) == datetime.fromisoformat("2027-01-05T09:00")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a date and a time like 2027-01-05T09:00"),
        ("tomorrow", "a date and a time like"),
        ("2027-01-05", "a date and a time like"),
        ("2027-01-05 09:00", "a date and a time like"),
        ("2027-1-5T9:00", "a date and a time like"),
        ("20270105T0900", "a date and a time like"),
        ("2027-01-05T09", "a date and a time like"),
        ("2027-01-05T09:00\n", "a date and a time like"),
        ("2027-01-05T09:00\r\nX:1", "a date and a time like"),
        ("\uff12\uff10\uff12\uff17-01-05T09:00", "a date and a time like"),
        ("2027-W01-2T09:00", "a date and a time like"),
        ("2027-01-05T09:00Z", "must not have an offset"),
        ("2027-01-05T09:00:00+01:00", "must not have an offset"),
        ("2027-01-05T09:00:00.000Z", "must not have an offset"),
        ("2027-01-05T09:00:30", "whole minutes"),
        ("2027-01-05T09:00:00.000", "whole minutes"),
        ("2027-02-29T09:00", "that exist"),
        ("2027-13-01T09:00", "that exist"),
        ("2027-01-05T24:00", "that exist"),
        ("0000-01-05T09:00", "that exist"),
        ("1969-12-31T23:59", "in the years 1970 to 9998"),
        ("9999-01-01T00:00", "in the years 1970 to 9998"),
    ],
)
def test_what_is_not_a_wall_time_is_refused_with_the_reason(text: str, words: str) -> None:
    assert words in find_problem(text)


@given(st.datetimes(EPOCH, datetime.fromisoformat("9998-12-31")))
def test_every_minute_is_parsed_as_it_is_written(moment: datetime) -> None:
    local = moment.replace(second=0, microsecond=0)

    assert parse(local.isoformat(timespec="minutes")) == local


@pytest.mark.parametrize(
    "local",
    [
        datetime(2027, 1, 5, 9, tzinfo=UTC),
        datetime.fromisoformat("2027-01-05T09:00:30"),
        datetime.fromisoformat("2027-01-05T09:00:00.000001"),
    ],
)
def test_a_wall_time_is_of_whole_minutes_without_an_offset(local: datetime) -> None:
    with pytest.raises(ValueError, match="not a wall time"):
        WallTime(local, "Europe/Berlin")


def test_every_name_of_the_package_is_a_zone_and_no_other() -> None:
    names = wheel_zone_names()

    assert available_timezones() == set(names)
    assert [require_valid(zone_violations(each)).key for each in names] == names


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Olympus", "../UTC", "Europe", "zone.tab", "__init__.py", "Europe/Berlin\n",
     "posix/Europe/Berlin", "localtime", "+01:00", "a\0b", "\ud800", "x" * 5000, "🕐"],
)  # fmt: skip
def test_what_is_not_the_name_of_a_zone_is_refused(name: str) -> None:
    assert "must be the name of an IANA time zone, e.g. Europe/Berlin" in find_zone_problem(name)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("america/newyork", "America/New_York"),
        ("Kolkata", "Asia/Kolkata"),
        ("Buenos Aires", "America/Buenos_Aires"),
        ("US/Pacfic", "US/Pacific"),
        ("utc", "UTC"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest_ones(name: str, first: str) -> None:
    assert find_nearest_names(name)[0] == first
    assert f"(did you mean {first}" in find_zone_problem(name)


@pytest.mark.parametrize("name", ["W. Europe Standard Time", "Mars/Olympus", "x", "-", "a" * 64])
def test_nothing_is_suggested_where_no_name_is_near(name: str) -> None:
    assert find_zone_problem(name).endswith("e.g. Europe/Berlin")


def test_a_name_of_any_length_costs_little() -> None:
    assert find_nearest_names("Europe/Berlin"[:12] + "n" * MAX_NAME_LENGTH) == ()


def test_a_zone_is_loaded_once() -> None:
    assert load_zone("Asia/Kathmandu") is load_zone("Asia/Kathmandu")
