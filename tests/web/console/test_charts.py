"""The charts: where their points, bars and labels are. Oracle: arithmetic by hand."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from gcsched.usecases.monitoring.read_history import HistorySpan, list_starts
from gcsched.web.console.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Slots,
    draw_bars,
    draw_durations,
    find_nice_top,
)
from gcsched.web.console.time_axis import list_ticks

SECOND = timedelta(seconds=1)
NOON = datetime(2026, 10, 25, 12, 34, tzinfo=UTC)


def heights_of(path: str) -> list[float]:
    return [float(each) for each in re.findall(r"v([\d.]+)", path)]


def test_equal_factors_are_equal_distances_on_the_axis_of_durations() -> None:
    values = [0.01 * SECOND, 0.1 * SECOND, SECOND, 10 * SECOND, 100 * SECOND]

    chart = draw_durations(Slots(count=5), [("p99", "waiting", values)], promise=10 * SECOND)

    [line] = chart.lines
    ys = [float(each) for each in re.findall(r" ([\d.]+)", line.path)]
    assert (ys[0], ys[-1]) == (BOTTOM, TOP)
    steps = [before - after for before, after in pairwise(ys)]
    assert steps == pytest.approx([(BOTTOM - TOP) / 4] * 4, abs=0.11)
    assert chart.promise == pytest.approx(ys[3], abs=0.06)


def test_a_line_has_a_gap_where_nothing_is_known_and_a_dash_for_a_single_point() -> None:
    values = [SECOND, SECOND, None, SECOND, None]

    [line] = draw_durations(Slots(count=5), [("p99", "waiting", values)]).lines

    assert [line.path.count(each) for each in "MLh"] == [2, 1, 1]


def test_bars_stand_upon_each_other_and_end_at_the_end_of_the_axis() -> None:
    chart = draw_bars(
        Slots(count=2),
        [("ACCEPTED", "sent", [1999, 1000]), ("POLICY", "failed", [1, None])],
        show_number=str,
    )

    accepted, policy = (heights_of(each.path) for each in chart.bars)
    assert [each.label for each in chart.ticks] == ["0.0", "1000.0", "2000.0"]
    assert accepted == pytest.approx([(BOTTOM - TOP) * each for each in (0.9995, 0.5)], abs=0.1)
    assert policy == [pytest.approx(BOTTOM - TOP - accepted[0], abs=0.11)]


def test_a_single_refusal_among_many_mails_is_seen() -> None:
    chart = draw_bars(
        Slots(count=1),
        [("ACCEPTED", "sent", [1000]), ("POLICY", "failed", [1])],
        show_number=str,
    )

    [height] = heights_of(chart.bars[1].path)
    assert height == 2.0


@pytest.mark.parametrize(
    ("most", "top"), [(0, 4), (3.2, 4), (5, 5), (11, 12), (1001, 1200), (9500, 10_000)]
)
def test_an_axis_ends_at_a_number_that_is_easy_to_read(most: float, top: float) -> None:
    assert find_nice_top(most) == pytest.approx(top)


@pytest.mark.parametrize(("name", "first"), [("1h", "11:40"), ("24h", "15:00"), ("7d", "Mon 19")])
def test_labels_stand_where_their_time_begins(name: str, first: str) -> None:
    span = HistorySpan(name)
    starts = list_starts(NOON, span)

    ticks = [*list_ticks(span, starts, ZoneInfo("UTC"))]

    assert ticks[0].label == first
    assert all(LEFT < each.place < RIGHT for each in ticks)
    slots = Slots(count=len(starts))
    slot = round((ticks[0].place - LEFT) / slots.width)
    assert f"{starts[slot]:%H:%M}" == {"1h": "11:40", "24h": "15:00", "7d": "00:00"}[name]


def test_a_day_with_25_hours_has_each_label_once() -> None:
    span = HistorySpan.DAY
    labels = [
        each.label for each in list_ticks(span, list_starts(NOON, span), ZoneInfo("Europe/Berlin"))
    ]

    assert labels == ["15:00", "18:00", "21:00", "00:00", "03:00", "06:00", "09:00", "12:00"]
