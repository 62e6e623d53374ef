"""Two reports beside each other: the ratio of each figure, and whether it is beyond the spread."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gcsched.bench.failure import BenchFailed

COMPARED = (
    "calls_per_s",
    "jobs_per_s",
    "mails_per_s",
    "call_p50_ms",
    "call_p99_ms",
    "batch_p50_ms",
    "late_p50_ms",
    "late_p99_ms",
    "schedule_p99_ms",
    "read_p99_ms",
    "cancel_p99_ms",
    "cpu_us.gcsched",
    "cpu_us.mongod",
    "memory_mb",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One figure of both reports; *before* and *after* are median, least and largest."""

    scenario: str
    name: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]

    @property
    def ratio(self) -> float | None:
        return self.after[0] / self.before[0] if self.before[0] else None

    @property
    def is_beyond_spread(self) -> bool:
        """Return whether the ranges of the rounds are apart; one round each has no range."""
        return self.after[1] > self.before[2] or self.after[2] < self.before[1]

    @property
    def has_spread(self) -> bool:
        return any(least != largest for _, least, largest in (self.before, self.after))


def read_report(file: Path) -> Mapping[str, Any]:
    """Return the report in *file*; raise BenchFailed if it is not one."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchFailed(f"{file} cannot be read as a report: {error}") from error
    if not isinstance(found, dict) or "scenarios" not in found:
        raise BenchFailed(f"{file} is not a report: make one with `gcsched bench --output FILE`")
    return found


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Compared]:
    """Return the figures that both reports have; raise BenchFailed if there are none."""
    found = list(pair_figures(before["scenarios"], after["scenarios"]))
    if not found:
        raise BenchFailed("the reports have no scenario in common: run the same ones")
    return found


def pair_figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Compared]:
    for scenario in before:
        one = before[scenario]["summary"]
        other = after.get(scenario, {}).get("summary", {})
        for name in COMPARED:
            if name in one and name in other:
                yield Compared(
                    scenario=scenario,
                    name=name,
                    before=read_range(one[name]),
                    after=read_range(other[name]),
                )


def read_range(figure: Mapping[str, float]) -> tuple[float, float, float]:
    return figure["median"], figure["min"], figure["max"]


def find_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what else differs between the reports, so that a ratio may not be the program's."""
    names = ("gcsched", "python", "system", "cores", "target", "settings", "packages")
    one, other = before["surroundings"], after["surroundings"]
    found = [
        f"{name}: {one.get(name)} and {other.get(name)}"
        for name in names
        if one.get(name) != other.get(name)
    ]
    for name in before["scenarios"]:
        loads = [each["scenarios"].get(name, {}).get("scenario") for each in (before, after)]
        if loads[1] is not None and loads[0] != loads[1]:
            found.append(f"{name}: another load")
    return found
