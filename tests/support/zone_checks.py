"""Compares the service's meaning of a wall time at clock changes with that of the oracle."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

from gcsched.domain.due import DailyPlan
from gcsched.domain.zoned_time import WallTime, resolve
from tests.support.zone_oracle import (
    Meaning,
    Period,
    around,
    as_instant,
    as_wall,
    find_changes,
    interpret,
    offset_at,
)


@dataclass(kw_only=True)
class Comparison:
    """How many wall times were compared, by kind, and which of them are wrong."""

    compared: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    wrong_daily_runs: list[str] = field(default_factory=list)


def compare_zones(zones: Mapping[str, Sequence[Period]], years: Collection[int]) -> Comparison:
    """Compare the wall times around each change of *zones* in *years*."""
    comparison = Comparison()
    for name, periods in zones.items():
        zone = ZoneInfo(name)
        for change in find_changes(periods):
            if change.year in years:
                comparison.compared["gaps" if change.after > change.before else "overlaps"] += 1
                for wall in change.wall_times():
                    compare(comparison, zone, around(periods, change.at), wall)
    return comparison


def compare(comparison: Comparison, zone: ZoneInfo, periods: Sequence[Period], wall: int) -> None:
    meaning = interpret(periods, wall)
    local = as_wall(wall)
    found = resolve(WallTime(local, zone.key), zone)
    expected = as_instant(meaning.taken)
    is_right = (
        found.instant == expected
        and found.offset == timedelta(seconds=wall - meaning.taken)
        and found.note == write_note(zone.key, periods, wall, meaning)
    )
    if not is_right:
        comparison.wrong.append(f"{zone.key} {local.isoformat()}")
    if DailyPlan(at=local.time(), zone=zone).run_time(local.date()) != expected:
        comparison.wrong_daily_runs.append(f"{zone.key} {local.isoformat()}")
    comparison.compared[("skipped", "plain", "repeated")[min(len(meaning.instants), 2)]] += 1


def write_note(name: str, periods: Sequence[Period], wall: int, meaning: Meaning) -> str:
    shown = as_wall(wall).isoformat(timespec="minutes")
    if not meaning.instants:
        offset = offset_at(periods, meaning.taken)
        taken = (
            f"{as_wall(meaning.taken + offset).isoformat(timespec='minutes')}{utc_offset(offset)}"
        )
        return (
            f"{shown} does not exist in {name}, because the clocks skip it; it is taken as {taken}"
        )
    if len(meaning.instants) == 1:
        return ""
    first, second = (f"{shown}{utc_offset(wall - each)}" for each in meaning.instants)
    return f"{shown} occurs twice in {name}; it is taken as {first}, not {second}"


def utc_offset(seconds: int) -> str:
    """Return an offset as ISO 8601 writes it."""
    minutes, rest = divmod(abs(seconds), 60)
    text = f"{'-' if seconds < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{rest:02}" if rest else text
