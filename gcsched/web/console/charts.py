"""Places what the charts of the history show; a macro draws them as SVG. Pure."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gcsched.web.console.times import show_duration

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 68, 632, 10, 174
SHORTEST = timedelta(milliseconds=10)
"""The lower end of the axis of durations: what is shorter lies on it."""
LONGEST_AT_LEAST = timedelta(minutes=1)
"""A difference of a few milliseconds must not look like one of an hour."""
NICE_DURATIONS = (
    *(timedelta(milliseconds=each) for each in (10, 100)),
    *(timedelta(seconds=each) for each in (1, 10, 60, 600, 3_600)),
    *(timedelta(days=each) for each in (1, 10, 100, 1_000)),
)
FEWEST_AT_TOP = 4
NICE_STEPS = (1, 1.2, 1.6, 2, 3, 4, 5, 6, 8)
MIN_BAR_HEIGHT = 2.0
"""One refused mail among thousands must be seen."""
HALF_DOT = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A *label* of an axis at *place*. A *minor* one is left out where there is little room."""

    place: float
    label: str
    is_minor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A *path* of SVG in a *colour*, the name of a CSS class, with its *title* for the legend."""

    title: str
    colour: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What a chart consists of, in units of its view box. *promise* is the height of a line."""

    lines: Sequence[Series] = ()
    bars: Sequence[Series] = ()
    ticks: Sequence[Tick]
    promise: float | None = None

    @property
    def series(self) -> Sequence[Series]:
        return (*self.lines, *self.bars)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """The intervals of an axis of time, *count* of them beside each other."""

    count: int

    @property
    def width(self) -> float:
        return (RIGHT - LEFT) / self.count

    def find_left(self, slot: int) -> float:
        return LEFT + slot * self.width

    def find_middle(self, slot: int) -> float:
        return self.find_left(slot) + self.width / 2


def draw_durations(
    slots: Slots,
    lines: Sequence[tuple[str, str, Sequence[timedelta | None]]],
    *,
    promise: timedelta | None = None,
) -> Chart:
    """Draw *lines* of title, colour and a duration for each slot, on a logarithmic axis.

    A line has a gap where nothing is known.
    """
    known = [each for _, _, values in lines for each in values if each is not None]
    top = max([LONGEST_AT_LEAST, *known])
    return Chart(
        lines=[
            Series(title=title, colour=colour, path=draw_line(slots, values, top))
            for title, colour, values in lines
        ],
        ticks=[
            Tick(
                place=find_height(each, top), label=show_duration(each) if each > SHORTEST else "0"
            )
            for each in NICE_DURATIONS
            if each <= top
        ],
        promise=None if promise is None else find_height(promise, top),
    )


def draw_line(slots: Slots, values: Sequence[timedelta | None], top: timedelta) -> str:
    """Return the path through *values*; a single one becomes a dash that can be seen."""
    parts: list[str] = []
    is_open = False
    for slot, value in enumerate(values):
        if value is not None:
            x, y = slots.find_middle(slot), find_height(value, top)
            is_alone = not is_open and (slot + 1 == len(values) or values[slot + 1] is None)
            parts.append(f"{'L' if is_open else 'M'}{x:.1f} {y:.1f}")
            if is_alone:
                parts[-1] = f"M{x - HALF_DOT:.1f} {y:.1f}h{2 * HALF_DOT}"
        is_open = value is not None
    return "".join(parts)


def find_height(value: timedelta, top: timedelta) -> float:
    share = math.log(max(value, SHORTEST) / SHORTEST) / math.log(top / SHORTEST)
    return BOTTOM - share * (BOTTOM - TOP)


def draw_bars(
    slots: Slots,
    bars: Sequence[tuple[str, str, Sequence[float | None]]],
    *,
    show_number: Callable[[float], str],
) -> Chart:
    """Draw *bars* of title, colour and a number for each slot, upon each other."""
    most = max(
        (sum(each or 0 for each in column) for column in zip(*(b[2] for b in bars), strict=True)),
        default=0.0,
    )
    top = find_nice_top(most)
    bases = [0.0] * slots.count
    drawn = []
    for title, colour, values in bars:
        path = "".join(stack(slots, values, bases, top))
        drawn.append(Series(title=title, colour=colour, path=path))
    ticks = [
        Tick(place=BOTTOM - part / 2 * (BOTTOM - TOP), label=show_number(top * part / 2))
        for part in (0, 1, 2)
    ]
    return Chart(bars=drawn, ticks=ticks)


def stack(
    slots: Slots, values: Sequence[float | None], bases: list[float], top: float
) -> Iterator[str]:
    """Yield a rectangle for each of *values*, upon *bases*, which grow by it."""
    gap = min(1.0, slots.width / 5)
    for slot, value in enumerate(values):
        if not value:
            continue
        height = max(MIN_BAR_HEIGHT, value / top * (BOTTOM - TOP))
        height = min(height, BOTTOM - TOP - bases[slot])
        bases[slot] += height
        x, width = slots.find_left(slot) + gap / 2, slots.width - gap
        yield f"M{x:.1f} {BOTTOM - bases[slot]:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"


def find_nice_top(most: float) -> float:
    """Return the end of an axis that reaches to *most*: a number whose half is easy to read."""
    if most <= FEWEST_AT_TOP:
        return float(FEWEST_AT_TOP)
    power: float = 10 ** math.floor(math.log10(most))
    return next((power * each for each in NICE_STEPS if power * each >= most), power * 10)
