import re
from datetime import UTC, datetime, timedelta

import pytest

from gcsched.cli import times
from gcsched.client.argument_values import unix_seconds

NOW = datetime(2026, 7, 1, 12, 0, 0, 250_000, tzinfo=UTC)
NOON = 1_782_907_200


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("now", NOON),
        ("daily", 0),
        ("0", 0),
        ("1767603600", 1767603600),
        ("1767603600000", 1767603600000),
        ("2026-01-05T09:00:00Z", 1767603600),
        ("2026-01-05t09:00:00z", 1767603600),
        ("2026-01-05 09:00Z", 1767603600),
        ("2026-01-05T10:00:00+01:00", 1767603600),
        ("2026-01-05T03:30:00-05:30", 1767603600),
        ("1969-07-20T20:17:40Z", 1),
    ],
)
def test_each_form_means_its_second(text: str, second: int) -> None:
    assert times.parse_time(text, now=NOW) == second


@pytest.mark.parametrize(
    ("text", "later"),
    [
        *[("+30s", 30), ("+10m", 600), ("+2h", 7200), ("+1d", 86400), ("+0s", 0)],
        *[("-30s", -30), ("-5m", -300), ("-2h", -7200), ("-1d", -86400)],
    ],
)
def test_a_delay_counts_from_now_and_is_never_short(text: str, later: int) -> None:
    expected = NOW + timedelta(seconds=later)

    second = times.parse_time(text, now=NOW)

    assert 0 <= second - expected.timestamp() < 1


@pytest.mark.parametrize("text", ["2026-01-05T08:59:59.000001Z", "2026-01-05T08:59:59.9Z"])
def test_a_part_of_a_second_is_rounded_up_as_the_client_does(text: str) -> None:
    second = times.parse_time(text, now=NOW)

    assert second == 1767603600
    assert second == unix_seconds("at", datetime.fromisoformat(text))


def test_the_error_for_a_time_without_a_zone_says_what_to_write() -> None:
    with pytest.raises(ValueError, match="no time zone: write 2026-01-05T09:00:00Z or") as caught:
        times.parse_time("2026-01-05T09:00:00", now=NOW)

    assert "2026-01-05T09:00:00+01:00" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "tomorrow", "+10", "+1w", "-5", "+-5m", "1.5", "٣", "9" * 16, "NOW\n"],
)
def test_the_error_for_anything_else_lists_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match=": expected now, daily, "):
        times.parse_time(text, now=NOW)


def test_a_delay_before_1970_is_a_time_and_not_the_daily_run() -> None:
    assert times.parse_time("-99999d", now=NOW) == 1


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("10m", "invalid time '10m', which has no sign: write +10m"),
        ("2 h", "invalid time '2 h', which has no sign: write +2h"),
        ("2026-01-05", "'2026-01-05', which has no time of day: write 2026-01-05T09:00:00+01:00"),
    ],
)
def test_the_error_for_an_incomplete_time_says_what_is_missing(text: str, advice: str) -> None:
    with pytest.raises(ValueError, match=re.escape(advice)):
        times.parse_time(text, now=NOW)


@pytest.mark.parametrize("text", ["2026-02-30T09:00:00Z", "2026-01-05T25:00:00Z"])
def test_the_error_for_a_nonexistent_day_or_hour_names_it(text: str) -> None:
    with pytest.raises(ValueError, match=f"invalid time '{text}': .* (range|0\\.\\.23)"):
        times.parse_time(text, now=NOW)


@pytest.mark.parametrize(
    ("second", "due"),
    [
        (0, None),
        (1, "2026-07-01T12:00:00Z"),
        (NOON + 60, "2026-07-01T12:01:00Z"),
    ],
)
def test_a_past_time_is_due_now_and_zero_with_the_daily_run(second: int, due: str | None) -> None:
    assert times.format_due_time(second, now=NOW) == due
