"""A report as an SVG picture: how long calls took or how late mails were, and the rate."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, log10
from typing import Any

WIDTH, MARGIN, HEADER = 960, 32, 92
PANEL_HEIGHT, PLOT_HEIGHT, PLOT_TOP = 208, 104, 62
LEFT_PLOT, RIGHT_PLOT = (MARGIN, 420), (508, 420)
TICKS = 4
BLUE, GREEN, GRID, INK = "#2f6fb3", "#2b9a77", "#e6eaef", "#151b23"
STYLE = """<style>
  text { font: 12px/1 Roboto, Helvetica, Arial, sans-serif; fill: #5b6775; }
  .title { font-size: 20px; font-weight: 600; fill: #151b23; }
  .name { font-size: 15px; font-weight: 600; fill: #151b23; }
  .figure { font-size: 13px; fill: #333f4d; }
  .end { text-anchor: end; } .middle { text-anchor: middle; }
  .mark { font-size: 11px; fill: #a3441c; }
</style>"""
Box = tuple[float, float, float]
"""Left, top and width of a plot."""


def draw(report: Mapping[str, Any]) -> str:
    """Return the picture: a panel for each scenario of *report*."""
    scenarios = report["scenarios"]
    height = HEADER + PANEL_HEIGHT * len(scenarios) + 8
    lines = list(draw_header(report["surroundings"]))
    for number, (name, found) in enumerate(scenarios.items()):
        lines += draw_panel(HEADER + number * PANEL_HEIGHT, name, found)
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    title = "<title>A load test of gcsched</title>"
    background = f'<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff"/>'
    return "\n".join([head, title, STYLE, background, *lines, "</svg>", ""])


def draw_header(where: Mapping[str, Any]) -> Iterator[str]:
    about = (
        f"gcsched {where['gcsched']}, Python {where['python']}, {where['cores']} cores,"
        f" {where['target']}, {where['time'].replace('T', ' ').replace('+00:00', ' UTC')}"
    )
    yield f'<text class="title" x="{MARGIN}" y="44">gcsched bench</text>'
    yield f'<text x="{MARGIN}" y="68">{escape(about)}</text>'


def draw_panel(top: float, name: str, found: Mapping[str, Any]) -> Iterator[str]:
    is_mails = found["scenario"]["kind"] == "mails"
    yield f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{top}" y2="{top}" stroke="{GRID}"/>'
    yield f'<text class="name" x="{MARGIN}" y="{top + 26}">{escape(name)}</text>'
    headline = describe_headline(found)
    yield f'<text class="figure end" x="{WIDTH - MARGIN}" y="{top + 26}">{escape(headline)}</text>'
    what = "how late the mails were" if is_mails else "how long the calls took"
    left = (LEFT_PLOT[0], top + PLOT_TOP, LEFT_PLOT[1])
    yield f'<text x="{left[0]}" y="{left[1] - 10}">{what}</text>'
    yield from draw_histogram(left, found["distribution"], read_marks(found["summary"]))
    right = (RIGHT_PLOT[0], top + PLOT_TOP, RIGHT_PLOT[1])
    if is_mails:
        yield f'<text x="{right[0]}" y="{right[1] - 10}">mails per second, from the first on</text>'
        yield from draw_rate(right, found["rates"])
    else:
        yield f'<text x="{right[0]}" y="{right[1] - 10}">rate of each round, per second</text>'
        yield from draw_rounds(right, found)


def describe_headline(found: Mapping[str, Any]) -> str:
    summary = found["summary"]
    kind = found["scenario"]["kind"]
    rate = "mails" if kind == "mails" else ("jobs" if kind == "batches" else "calls")
    cpu = summary.get("cpu_us.gcsched")
    parts = [f"{summary[f'{rate}_per_s']['median']:,.0f} {rate} per second"]
    if found["scenario"]["spread_seconds"]:
        parts = [f"{summary['delivered']['median']:,.0f} mails"]
        parts.append(f"99 % within {summary['late_p99_ms']['median']:,.0f} ms")
    parts += [f"{cpu['median']:,.0f} µs of CPU each"] if cpu else []
    return "  ·  ".join(parts)


def read_marks(summary: Mapping[str, Any]) -> dict[str, float]:
    """Return the median and the 99 % of what the histogram shows, in milliseconds."""
    for name in ("late", "call", "batch", "schedule"):
        if f"{name}_p50_ms" in summary:
            return {
                "50 %": summary[f"{name}_p50_ms"]["median"],
                "99 %": summary[f"{name}_p99_ms"]["median"],
            }
    return {}


def draw_histogram(
    box: Box, histogram: Mapping[str, Any], marks: Mapping[str, float]
) -> Iterator[str]:
    counts, low = histogram["counts"], histogram["from_ms"]
    high = low + histogram["bin_ms"] * len(counts)
    yield from draw_bars(box, counts, BLUE, max(counts))
    yield from draw_axis(box, low, high, " ms")
    left, top, width = box
    words = ", ".join(f"{label} within {value:,.0f} ms" for label, value in marks.items())
    yield f'<text class="mark end" x="{left + width}" y="{top - 10}">{words}</text>'
    for value in marks.values():
        x = left + min(1.0, (value - low) / (high - low)) * width
        yield (
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + PLOT_HEIGHT}"'
            ' stroke="#a3441c" stroke-dasharray="3 3"/>'
        )


def draw_rate(box: Box, rates: Mapping[str, Any]) -> Iterator[str]:
    per_second = [count / rates["bin_s"] for count in rates["counts"]]
    largest = choose_ceiling(max(per_second, default=1))
    yield from draw_grid(box, largest)
    yield from draw_bars(box, per_second, GREEN, largest)
    yield from draw_axis(box, 0, len(per_second) * rates["bin_s"], " s")


def draw_rounds(box: Box, found: Mapping[str, Any]) -> Iterator[str]:
    name = "jobs_per_s" if found["scenario"]["kind"] == "batches" else "calls_per_s"
    rates = [each[name] for each in found["rounds"]]
    largest = choose_ceiling(max(rates))
    yield from draw_grid(box, largest)
    yield from draw_bars(box, rates, GREEN, largest, widest=72)
    left, top, width = box
    for number, rate in enumerate(rates):
        x = left + (number + 0.5) * width / len(rates)
        yield (
            f'<text class="middle" x="{x:.1f}" y="{top + PLOT_HEIGHT + 17}">'
            f"round {number + 1}: {rate:,.0f}</text>"
        )


def draw_bars(
    box: Box, counts: Sequence[float], colour: str, largest: float, *, widest: float = 24
) -> Iterator[str]:
    left, top, width = box
    step = width / max(len(counts), 1)
    bar = min(widest, step - min(1.0, step / 4))
    for number, count in enumerate(counts):
        if count:
            height = max(1.0, count / max(largest, 1) * PLOT_HEIGHT)
            x, y = left + number * step + (step - bar) / 2, top + PLOT_HEIGHT - height
            yield (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar:.1f}" height="{height:.1f}"'
                f' rx="{min(2.0, bar / 3):.1f}" fill="{colour}"/>'
            )
    bottom = top + PLOT_HEIGHT
    yield (
        f'<line x1="{left}" x2="{left + width}" y1="{bottom}" y2="{bottom}"'
        f' stroke="{INK}" stroke-opacity="0.4"/>'
    )


def draw_grid(box: Box, largest: float) -> Iterator[str]:
    left, top, width = box
    for share in (0.5, 1.0):
        y = top + PLOT_HEIGHT * (1 - share)
        yield f'<line x1="{left}" x2="{left + width}" y1="{y}" y2="{y}" stroke="{GRID}"/>'
        yield (f'<text class="end" x="{left - 6}" y="{y + 4}">{largest * share:,.0f}</text>')


def draw_axis(box: Box, low: float, high: float, unit: str) -> Iterator[str]:
    left, top, width = box
    step = choose_step((high - low) / TICKS)
    number = ceil(low / step)
    while number * step <= high:
        x = left + (number * step - low) / (high - low) * width
        label = f"{number * step:,.10g}{unit}"
        yield (f'<text class="middle" x="{x:.1f}" y="{top + PLOT_HEIGHT + 17}">{label}</text>')
        number += 1


def choose_step(least: float) -> float:
    """Return the next round number that is at least *least*: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(least)) if least > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def choose_ceiling(largest: float) -> float:
    """Return a round number a little above *largest*, for the top of a scale."""
    power = 10.0 ** floor(log10(largest)) if largest > 0 else 1.0
    steps = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
    return next(
        factor * power
        for least, factor in pairwise((0, *steps))
        if least * power < largest <= factor * power
    )
