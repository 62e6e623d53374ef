"""The figures of docs/performance.md are those of the measurements, and its commands exist."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.measure.budget_picture import FIGURES, PICTURE, draw
from tests.measure.performance_tables import TABLES, make_tables

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
MEASUREMENTS = ROOT / "docs" / "measurements"


def load_measurement(name: str) -> Any:
    return json.loads((MEASUREMENTS / name).read_text(encoding="utf-8"))


def find_row(label: str) -> list[str]:
    """Return the cells after *label* in the row of a table that starts with it."""
    [line] = [each for each in PAGE.splitlines() if each.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")[1:]]


def format_range(values: list[float]) -> str:
    return f"{min(values):,.0f} to {max(values):,.0f}"


@pytest.mark.parametrize(
    ("label", "phase", "figure", "unit"),
    [
        ("calls per second", "schedule", "calls_per_s", ""),
        ("CPU per call", "schedule", "cpu_us_per_call", " µs"),
        ("mails per second, 5,000 due at once", "burst", "mails_per_s", ""),
        ("CPU per mail of that burst", "burst", "cpu_us_per_mail", " µs"),
        ("connections to the relay for that burst", "burst", "connections", ""),
        ("late, mails spread evenly, 99 % within", "spread", "late_p99_ms", " ms"),
    ],
)
def test_the_comparison_is_that_of_its_file(label: str, phase: str, figure: str, unit: str) -> None:
    both = load_measurement("compare.json")[phase]
    other, own = both["seed"][figure], both["gcsched"][figure]

    digits = 1 if own > other and not unit else 2
    assert find_row(label) == [
        f"{other:,.0f}{unit}",
        f"{own:,.0f}{unit}",
        f"{own / other:.{digits}f}",
        "compare.json",
    ]


def test_the_comparison_of_memory_and_of_a_distant_relay_is_that_of_its_file() -> None:
    phases = [load_measurement("compare.json")[phase] for phase in ("schedule", "burst")]
    other = [phase["seed"]["rss_mb"] for phase in phases]
    own = [phase["gcsched"]["rss_mb"] for phase in phases]
    distant = load_measurement("compare_delayed.json")["burst"]
    before, now = (distant[stack]["mails_per_s"] for stack in ("seed", "gcsched"))

    assert find_row("memory, calls; burst")[:3] == [
        f"{other[0]:.0f}; {other[1]:.0f} MB",
        f"{own[0]:.0f}; {own[1]:.0f} MB",
        f"{own[0] / other[0]:.2f}; {own[1] / other[1]:.2f}",
    ]
    assert find_row("mails per second, relay that takes 30 ms for each reply, 64 sessions")[:3] == [
        f"{before:.0f}",
        f"{now:.0f}",
        f"{now / before:.1f}",
    ]


def test_the_figures_of_batches_are_those_of_their_file() -> None:
    rounds = load_measurement("batch.json")["rounds"]
    batches = [each["batches"]["jobs_per_second"] for each in rounds]
    calls = [each["old_stack_single_calls"]["calls_per_s"] for each in rounds]
    ratios = [each["ratio"] for each in rounds]
    cpu = [each["batches"]["cpu_us_per_job"] for each in rounds]

    assert find_row("jobs per second, batches of 500 beside single calls")[:3] == [
        format_range(calls),
        format_range(batches),
        format_range(ratios),
    ]
    assert find_row("batches of 500 requests")[0] == (
        f"{format_range(batches)} jobs per second, {format_range(cpu)} µs of CPU each"
    )


def load_own_rounds(phase: str) -> list[dict[str, float]]:
    rounds = load_measurement("compare_sessions.json")["rounds"]
    return [each["b"][phase]["gcsched"] for each in rounds]


def test_the_figures_of_single_calls_are_those_of_their_file() -> None:
    rates, cpu = (
        format_range([each[name] for each in load_own_rounds("schedule")])
        for name in ("calls_per_s", "cpu_us_per_call")
    )
    calls = load_measurement("compare_sessions.json")["empty_calls"]
    empty = format_range([each["schedule"]["gcsched"]["cpu_us_per_call"] for each in calls])

    assert find_row("single calls, one process")[:2] == [
        f"{rates} per second, {cpu} µs of CPU each; an empty gRPC call {empty} µs",
        "compare_sessions.json, `b`",
    ]


def test_the_figures_of_a_burst_are_those_of_their_file() -> None:
    rounds = load_own_rounds("burst")

    assert find_row("mails, 5,000 due at once, one process")[0].startswith(
        f"{format_range([each['mails_per_s'] for each in rounds])} per second,"
        f" {format_range([each['cpu_us_per_mail'] for each in rounds])} µs of CPU each"
    )


def test_the_figures_of_an_idle_process_are_those_of_their_file() -> None:
    idle = load_measurement("idle.json")["idle"]["new"]["median"]
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert find_row("one process that has nothing to do")[0] == (
        f"{idle['rss_mb']:.0f} MB ({idle['pss_mb']:.0f} MB PSS), {idle['cpu_percent']:.1f} % of a"
        f" core; serving after {idle['start_cpu_seconds']:.1f} s of CPU time"
    )
    assert f"{idle['rss_mb']:.0f} MB while idle ([idle.json]" in operations


def test_the_cpu_of_mongod_is_that_of_its_file() -> None:
    call, mail = (
        round(median(each["mongod_us"] for each in load_own_rounds(phase)), -1)
        for phase in ("schedule", "burst")
    )

    assert (
        f"A call costs mongod about {call:.0f} µs of CPU and a mail about {mail:.0f} µs"
        in " ".join(PAGE.split())
    )


def test_each_file_and_each_command_is_there() -> None:
    files = set(re.findall(r"\b[a-z_]+\.json\b", PAGE)) - {"service_config.json"}
    commands = re.findall(r"python -m (tests\.measure\.\w+)", PAGE)

    assert len(files) > 8
    assert [name for name in files if not (MEASUREMENTS / name).exists()] == []
    assert len(commands) > 6
    assert [name for name in commands if find_spec(name) is None] == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_a_bench_is_that_of_its_file(name: str) -> None:
    file, _ = TABLES[name]
    table = dict(make_tables()).get(name)

    assert (file in PAGE) == (table is not None)
    assert table is None or table in PAGE


def test_the_picture_of_the_budget_is_that_of_its_file() -> None:
    is_measured = FIGURES.exists()

    assert ("images/budget.svg" in PAGE) == PICTURE.exists() == is_measured
    assert not is_measured or PICTURE.read_text(encoding="utf-8") == draw(
        load_measurement("budget.json")["budget"]
    )
