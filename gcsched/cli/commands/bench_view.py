"""A load test for people: progress while it runs, the final table, two reports side by side."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gcsched.cli import output
from gcsched.cli.blocks import Block, Table

if TYPE_CHECKING:
    from gcsched.bench.comparison import Compared
    from gcsched.bench.progress import Progress

BAR_WIDTH = 30
LIVE_SECONDS, PLAIN_SECONDS = 0.2, 5.0
FIGURES: Mapping[str, tuple[str, str]] = {
    "calls_per_s": ("calls per second", ""),
    "jobs_per_s": ("jobs per second", ""),
    "mails_per_s": ("mails per second", ""),
    "call_p50_ms": ("call, 50 % within", " ms"),
    "call_p99_ms": ("call, 99 % within", " ms"),
    "batch_p50_ms": ("batch, 50 % within", " ms"),
    "batch_p99_ms": ("batch, 99 % within", " ms"),
    "schedule_p99_ms": ("schedule, 99 % within", " ms"),
    "read_p99_ms": ("read, 99 % within", " ms"),
    "cancel_p99_ms": ("cancel, 99 % within", " ms"),
    "late_p50_ms": ("late, 50 % within", " ms"),
    "late_p99_ms": ("late, 99 % within", " ms"),
    "late_max_ms": ("late, all within", " ms"),
    "missing": ("missing mails", ""),
    "duplicates": ("second mails", ""),
    "cpu_us.gcsched": ("CPU of the service, each", " µs"),
    "cpu_us.mongod": ("CPU of MongoDB, each", " µs"),
    "memory_mb": ("memory of the service", " MB"),
}
SPREAD_RATES = {"mails_per_s"}
"""Figures that say nothing where the mails are spread over time."""
SMALL = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """Where progress is shown, and how often."""

    show: "Callable[[Progress], None]"
    every_seconds: float


@contextmanager
def open_display(*, is_silent: bool) -> Iterator[Display]:
    """Yield a bar on a terminal, or lines on standard error; nothing if *is_silent*."""
    if is_silent:
        yield Display(show=lambda _: None, every_seconds=PLAIN_SECONDS)
    elif output.is_terminal():
        from gcsched.cli import terminal

        with terminal.live_display() as show_blocks:
            yield Display(
                show=lambda progress: show_blocks([format_bar(progress)]),
                every_seconds=LIVE_SECONDS,
            )
    else:
        started = time.monotonic()

        def show_line(progress: "Progress") -> None:
            seconds = time.monotonic() - started
            output.print_note(f"{seconds:5.0f} s  {format_progress(progress)}")

        yield Display(show=show_line, every_seconds=PLAIN_SECONDS)


def format_bar(progress: "Progress") -> str:
    share = min(1.0, progress.done / progress.total) if progress.total else 0.0
    full = round(share * BAR_WIDTH)
    return f"{'█' * full}{'░' * (BAR_WIDTH - full)}  {format_progress(progress)}"


def format_progress(progress: "Progress") -> str:
    name = progress.scenario
    if progress.rounds > 1:
        name += f" {progress.round}/{progress.rounds}"
    parts = [f"{name}: {progress.stage}"]
    if progress.total:
        parts.append(f"{progress.done:,} of {progress.total:,}")
        parts.append(f"{progress.measure_rate():,.0f} per second")
    if progress.late_seconds is not None:
        parts.append(f"late {progress.late_seconds * 1e3:,.0f} ms")
    return ", ".join(parts)


def format_report(report: Mapping[str, Any]) -> list[Block]:
    where = report["surroundings"]
    about = (
        f"gcsched {where['gcsched']}, Python {where['python']}, {where['cores']} cores:"
        f" {where['target']}"
    )
    rows = [
        row for name, found in report["scenarios"].items() for row in format_scenario(name, found)
    ]
    columns = ("SCENARIO", "FIGURE", "MEDIAN", "LEAST", "LARGEST")
    verdicts = [f"{name}: {found['verdict']}" for name, found in report["scenarios"].items()]
    return [about, Table(rows=rows, columns=columns, uncut_columns=5), "\n".join(verdicts)]


def format_scenario(name: str, found: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    summary = found["summary"]
    is_spread = bool(found["scenario"]["spread_seconds"])
    label = name
    for key, (title, unit) in FIGURES.items():
        if key not in summary or (is_spread and key in SPREAD_RATES):
            continue
        each = summary[key]
        has_range = len(found["rounds"]) > 1
        ends = [format_number(each[end]) if has_range else "" for end in ("min", "max")]
        yield (label, title, format_number(each["median"]) + unit, *ends)
        label = ""
    for code, count in found["failures"].items():
        yield (label, f"calls with {code}", str(count), "", "")


def format_number(value: float) -> str:
    return f"{value:,.1f}" if 0 < value < SMALL and value != int(value) else f"{value:,.0f}"


def format_comparison(found: "Sequence[Compared]", differences: Sequence[str]) -> list[Block]:
    rows = [
        (
            each.scenario,
            FIGURES[each.name][0],
            format_range(each.before),
            format_range(each.after),
            "" if each.ratio is None else f"{each.ratio:.2f}",
            judge_spread(each),
        )
        for each in found
    ]
    columns = ("SCENARIO", "FIGURE", "A", "B", "B/A", "SPREAD")
    notes = [f"the reports differ in {each}" for each in differences]
    table = Table(rows=rows, columns=columns, uncut_columns=6)
    return [table, "\n".join(notes)] if notes else [table]


def format_range(figure: tuple[float, float, float]) -> str:
    median, least, largest = map(format_number, figure)
    return median if least == largest else f"{median} ({least} to {largest})"


def judge_spread(each: "Compared") -> str:
    if not each.has_spread:
        return "one round"
    return "beyond" if each.is_beyond_spread else "within"
