"""The panels of the history: each a chart, and the same numbers as a table. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar

from gcsched.domain.history import (
    BUCKET_RATIO,
    SMALLEST_BUCKET,
    HistoryFigures,
    find_quantiles,
)
from gcsched.usecases.monitoring.read_history import History, HistorySpan
from gcsched.web.console.charts import Chart, Slots, draw_bars, draw_durations
from gcsched.web.console.history_names import ADMISSION_COLOURS, KIND_COLOURS, OTHER
from gcsched.web.console.times import Times, show_duration

QUANTILES = (0.5, 0.99)
NOTHING = (None, None)
PROMISE = timedelta(seconds=30)
"""So late is an accepted mail at most while Redis is away: P5 of the README."""
FEW = 10
MAX_KEPT = 12
UNKNOWN = "\u2013"

T = TypeVar("T")


class Numbers(NamedTuple):
    """The *columns* of a table, and the cells of each interval that is known."""

    columns: Sequence[str]
    cells: Mapping[int, Sequence[str]]


class Moment(NamedTuple):
    """The start of an interval as pages write it: written once, because four tables show it."""

    iso: str
    title: str
    short: str


class Row(NamedTuple):
    """The numbers of the interval that begins at *start*, in the order of the columns."""

    start: Moment
    cells: Sequence[str]


class Spot(NamedTuple):
    """The place of one interval, whose *title* a browser shows under the pointer."""

    x: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A chart with the same numbers as a table; *empty* says what is missing if it shows nothing.

    *spots* show the numbers of an interval under the pointer.
    """

    name: str
    title: str
    chart: Chart
    columns: Sequence[str]
    rows: Sequence[Row]
    spots: Sequence[Spot]
    empty: str = ""

    @property
    def heads(self) -> list[tuple[str, str]]:
        """Return the columns with the class of their cells."""
        return [(each, "number") for each in self.columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The whole span. *latest* is how late the latest mail was, first in that interval."""

    mails: int
    p50: timedelta | None
    p99: timedelta | None
    oldest_due: timedelta | None
    latest: timedelta | None
    latest_start: datetime | None


def sum_up(figures: Sequence[HistoryFigures]) -> Sums:
    lateness: dict[int, int] = {}
    for each in figures:
        for bucket, count in each.lateness.items():
            lateness[bucket] = lateness.get(bucket, 0) + count
    latest = max(lateness, default=0)
    p50, p99 = find_quantiles(lateness, QUANTILES) or NOTHING
    return Sums(
        mails=sum(lateness.values()),
        p50=p50,
        p99=p99,
        oldest_due=max((each.oldest_due for each in figures if each.oldest_due), default=None),
        latest=None if not lateness else SMALLEST_BUCKET * BUCKET_RATIO**latest,
        latest_start=next((each.start for each in figures if latest in each.lateness), None),
    )


@dataclass(kw_only=True, eq=False)
class KeptPanels:
    """Keeps panels until their history has changed: many tabs cost as much as one.

    There are some for each zone that people have chosen, MAX_KEPT at most.
    """

    _kept: dict[tuple[HistorySpan, str], tuple[History, date, list[Panel]]] = field(
        default_factory=dict, init=False
    )

    def find(self, history: History, times: Times) -> list[Panel]:
        """Return the panels of *history*, whose times depend on the zone and on the day."""
        key, today = (history.span, times.zone.key), times.now.astimezone(times.zone).date()
        kept = self._kept.get(key)
        if kept is not None and kept[0] is history and kept[1] == today:
            return kept[2]
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        panels = list_panels(history, times)
        self._kept[key] = (history, today, panels)
        return panels


def list_panels(history: History, times: Times) -> list[Panel]:
    """Return the panels of *history*; *times* writes the starts of the intervals."""
    panels = PanelMaker(history, times)
    return [
        panels.make_lateness(),
        panels.make_rates(
            "mails",
            "Attempts a minute, by outcome",
            lambda each: each.attempts,
            KIND_COLOURS,
            empty="No attempt in this time.",
        ),
        panels.make_oldest_due(),
        panels.make_rates(
            "admissions",
            "Requests a minute, by outcome",
            lambda each: each.admissions,
            ADMISSION_COLOURS,
            empty="No request in this time.",
        ),
    ]


class PanelMaker:
    """Makes the panels of one history; all have the same intervals."""

    def __init__(self, history: History, times: Times) -> None:
        self._history = history
        known = {each.start: each for each in history.figures}
        self._columns = [known.get(start) for start in history.starts]
        self._slots = Slots(count=len(history.starts))
        self._moments = [
            Moment(iso=each.isoformat(), title=times.show_fully(each), short=times.show(each))
            for each in history.starts
        ]
        self._places = [f"{self._slots.find_left(slot):.1f}" for slot in range(self._slots.count)]

    def make_lateness(self) -> Panel:
        quantiles = [
            NOTHING if each is None else find_quantiles(each.lateness, QUANTILES) or NOTHING
            for each in self._columns
        ]
        p50, p99 = [each[0] for each in quantiles], [each[1] for each in quantiles]
        mails = self._list(lambda each: sum(each.lateness.values()))
        lines = [("p99", "waiting", p99), ("p50", "sending", p50)]
        cells = {
            slot: [show_late(p50[slot]), show_late(p99[slot]), f"{mails[slot] or 0:,}"]
            for slot in self._list_known_slots()
        }
        return self._make(
            "lateness",
            "Lateness of accepted mails",
            draw_durations(self._slots, lines, promise=PROMISE),
            Numbers(["p50", "p99", "Mails"], cells),
            empty="" if any(mails) else "No mail was accepted in this time.",
        )

    def make_oldest_due(self) -> Panel:
        values = self._list(lambda each: each.oldest_due)
        cells = {slot: [show_due(values[slot])] for slot in self._list_known_slots()}
        return self._make(
            "oldest-due",
            "Oldest due job",
            draw_durations(self._slots, [("oldest due", "retrying", values)]),
            Numbers(["Late at most"], cells),
            empty="" if any(each is not None for each in values) else "Jobs were not counted.",
        )

    def make_rates(
        self,
        name: str,
        title: str,
        find_counts: Callable[[HistoryFigures], Mapping[str, int]],
        colours: Mapping[str, str],
        *,
        empty: str,
    ) -> Panel:
        """Make a panel of counts by name, for each minute."""
        counts = [None if each is None else find_counts(each) for each in self._columns]
        minutes = [self._history.count_minutes(start) for start in self._history.starts]
        names = sort_names((name for each in counts if each for name in each), colours)
        rates = {
            name: [
                None if each is None else each.get(name, 0) / length
                for each, length in zip(counts, minutes, strict=True)
            ]
            for name in names
        }
        bars = [(name, colours.get(name, OTHER), rates[name]) for name in names]
        cells = {
            slot: [show_rate(rates[name][slot] or 0) for name in names]
            for slot in self._list_known_slots()
        }
        chart = draw_bars(self._slots, bars, show_number=show_rate)
        return self._make(name, title, chart, Numbers(names, cells), empty="" if names else empty)

    def _make(
        self,
        name: str,
        title: str,
        chart: Chart,
        numbers: Numbers,
        *,
        empty: str,
    ) -> Panel:
        columns, cells = numbers
        spots = []
        for slot, row in cells.items():
            pairs = [f"{each} {cell}" for each, cell in zip(columns, row, strict=True)]
            spot = Spot(self._places[slot], f"{self._moments[slot].short}: {', '.join(pairs)}")
            spots.append(spot)
        return Panel(
            name=name,
            title=title,
            chart=chart,
            columns=columns,
            rows=[Row(self._moments[slot], row) for slot, row in reversed([*cells.items()])],
            spots=spots,
            empty=empty,
        )

    def _list(self, find: Callable[[HistoryFigures], T]) -> list[T | None]:
        return [None if each is None else find(each) for each in self._columns]

    def _list_known_slots(self) -> list[int]:
        return [slot for slot, each in enumerate(self._columns) if each is not None]


def sort_names(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the different names that were *found*, those that are *known* first."""
    order = {name: place for place, name in enumerate(known)}
    return sorted(set(found), key=lambda name: (order.get(name, len(order)), name))


def show_late(lateness: timedelta | None) -> str:
    return UNKNOWN if lateness is None else show_duration(lateness)


def show_due(lateness: timedelta | None) -> str:
    return "none due" if lateness == timedelta(0) else show_late(lateness)


def show_rate(rate: float) -> str:
    """Return a number of mails a minute, with a fraction where that says something."""
    return f"{rate:.2g}" if rate < FEW else f"{rate:,.0f}"
