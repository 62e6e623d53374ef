"""Places the points of a small chart; a macro draws them. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

WIDTH, HEIGHT, MARGIN = 120, 28, 2
SHORTEST_SECONDS = 0.01
FEWEST = 3
MIN_DECADES = 2.0
"""A difference of a few milliseconds must not look like one of an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """The *lines* of a chart, each as the points of SVG: a gap is where nothing is known."""

    lines: tuple[str, ...]
    most: timedelta
    width: int = WIDTH
    height: int = HEIGHT


def draw(values: Sequence[timedelta | None]) -> Sparkline | None:
    """Return the chart of *values* on a logarithmic axis; None if fewer than three are known."""
    known = [each for each in values if each is not None]
    if len(known) < FEWEST:
        return None
    most = max(known)
    top = max(find_height(most), MIN_DECADES)
    lines: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        x = MARGIN + place * (WIDTH - 2 * MARGIN) / (len(values) - 1)
        y = HEIGHT - MARGIN - find_height(value) / top * (HEIGHT - 2 * MARGIN)
        lines[-1].append(f"{x:.1f},{y:.1f}")
    return Sparkline(lines=tuple(map(join_points, filter(None, lines))), most=most)


def find_height(value: timedelta) -> float:
    """Return how many powers of ten *value* is above the shortest one that differs."""
    return max(0.0, math.log10(max(value.total_seconds(), SHORTEST_SECONDS) / SHORTEST_SECONDS))


def join_points(points: list[str]) -> str:
    """Return *points* as one text; a single one becomes a line that can be seen."""
    if len(points) > 1:
        return " ".join(points)
    x, _, y = points[0].partition(",")
    return f"{float(x) - 1:.1f},{y} {float(x) + 1:.1f},{y}"
