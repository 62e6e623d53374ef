"""What a wall time means, worked out from the octets of TZif files (RFC 9636).

Nothing here uses `zoneinfo` or the rules of PEP 495, which the service relies on.
"""

import re
import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise

EPOCH = datetime.fromisoformat("1970-01-01")  # without a zone: wall times are counted from it, too
MINUTE = 60
DAY = 86_400
LAST_YEAR = 2045  # up to which the rule at the end of a file is evaluated
RULE = re.compile(
    r"(?:<.+?>|[A-Za-z]+)([0-9:+-]+)(?:<.+?>|[A-Za-z]+)([0-9:+-]*)"
    r",M([0-9.]+)(?:/([0-9:+-]+))?,M([0-9.]+)(?:/([0-9:+-]+))?"
)
HEADER = struct.Struct(">4sc15x6I")


@dataclass(frozen=True, slots=True)
class Period:
    """From *start* on, in Unix seconds, the clocks are *offset* seconds ahead of UTC."""

    start: float
    offset: int


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the clocks at *at*; *before* and *after* are the offsets."""

    at: int
    before: int
    after: int

    @property
    def year(self) -> int:
        return (EPOCH + timedelta(seconds=self.at)).year

    def wall_times(self) -> Iterator[int]:
        """Yield the edges and the middle of what is skipped or repeated, and a minute beside."""
        low, high = sorted((self.at + self.before, self.at + self.after))
        for each in (low - 1, low, (low + high) // 2, high - 1, high):
            yield each // MINUTE * MINUTE


@dataclass(frozen=True, slots=True)
class Meaning:
    """The instants of a wall time, in Unix seconds, and the one that is to be taken."""

    instants: Sequence[int]
    taken: int


def wheel_zone_names() -> list[str]:
    """Return the names that the list of the package `tzdata` has."""
    return files("tzdata").joinpath("zones").read_text().split()


def read_tzif(name: str) -> bytes:
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


@cache  # a third of the names are other names of a zone
def read_periods(tzif: bytes) -> Sequence[Period]:
    """Return the periods of a zone, in order, up to LAST_YEAR."""
    _, _, is_ut, is_std, leaps, times, types, chars = HEADER.unpack_from(tzif)
    # The first block, with 32 bits for each time, is repeated with 64 bits.
    start = HEADER.size + times * 5 + types * 6 + chars + leaps * 8 + is_std + is_ut
    magic, version, is_ut, is_std, leaps, times, types, chars = HEADER.unpack_from(tzif, start)
    assert (magic, version >= b"2", leaps) == (b"TZif", True, 0)
    start += HEADER.size
    moments = struct.unpack_from(f">{times}q", tzif, start)
    kinds = tzif[start + times * 8 : start + times * 9]
    offsets = [
        struct.unpack_from(">i", tzif, start + times * 9 + number * 6)[0] for number in range(types)
    ]
    listed = zip(moments, [offsets[kind] for kind in kinds], strict=True)
    periods = [Period(float("-inf"), offsets[0]), *(Period(*each) for each in listed)]
    rule = tzif.rstrip(b"\n").rpartition(b"\n")[2].decode()
    if "," in rule:
        by_rule = [each for each in evaluate(rule) if each.start > periods[-1].start]
        periods += sorted(by_rule, key=lambda each: each.start)
    return merge(periods)


@cache
def evaluate(rule: str) -> Sequence[Period]:
    """Return the periods that a POSIX rule such as CET-1CEST,M3.5.0,M10.5.0/3 makes."""
    parts = RULE.fullmatch(rule)
    assert parts is not None, rule
    standard_west, summer_west, begin, begin_time, end, end_time = parts.groups()
    standard = -parse_seconds(standard_west)
    summer = -parse_seconds(summer_west) if summer_west else standard + 3600
    return [
        period
        for year in range(1970, LAST_YEAR + 1)
        for period in (
            Period(find_day(year, begin) + parse_seconds(begin_time or "2") - standard, summer),
            Period(find_day(year, end) + parse_seconds(end_time or "2") - summer, standard),
        )
    ]


def parse_seconds(text: str) -> int:
    hours, minutes, seconds = [*map(int, text.lstrip("+-").split(":")), 0, 0][:3]
    return (-1 if text.startswith("-") else 1) * (hours * 3600 + minutes * 60 + seconds)


def find_day(year: int, rule: str) -> int:
    """Return the start of a day such as 10.5.0: in October, the last (5) Sunday (0)."""
    month, week, weekday = map(int, rule.split("."))
    first = date(year, month, 1)
    day = first + timedelta(days=(weekday - first.isoweekday()) % 7 + 7 * (week - 1))
    if day.month != month:  # there is no fifth one
        day -= timedelta(days=7)
    return (day - EPOCH.date()).days * DAY


def merge(periods: Sequence[Period]) -> list[Period]:
    """Leave out the periods that only change the name of the time."""
    return [
        each
        for number, each in enumerate(periods)
        if number == 0 or periods[number - 1].offset != each.offset
    ]


def find_changes(periods: Sequence[Period]) -> list[Change]:
    return [
        Change(int(later.start), earlier.offset, later.offset)
        for earlier, later in pairwise(periods)
    ]


def around(periods: Sequence[Period], moment: int) -> Sequence[Period]:
    """Return the periods of the days around *moment*: all that a wall time there can be in."""
    starts = [each.start for each in periods]
    first = bisect_right(starts, moment - 3 * DAY) - 1
    return periods[max(first, 0) : bisect_right(starts, moment + 3 * DAY)]


def interpret(periods: Sequence[Period], wall: int) -> Meaning:
    """Return what *wall*, counted like Unix seconds, means: the first instant that shows it.

    If none does, the offset before the change that skips it applies.
    """
    ends = [each.start for each in periods[1:]] + [float("inf")]
    instants = sorted(
        wall - each.offset
        for each, end in zip(periods, ends, strict=True)
        if each.start <= wall - each.offset < end
    )
    if instants:
        return Meaning(instants, instants[0])
    (skipping,) = [
        each
        for each in find_changes(periods)
        if each.at + each.before <= wall < each.at + each.after
    ]
    return Meaning([], wall - skipping.before)


def as_wall(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def as_instant(seconds: int) -> datetime:
    return as_wall(seconds).replace(tzinfo=UTC)


def offset_at(periods: Sequence[Period], instant: int) -> int:
    return next(each.offset for each in reversed(periods) if each.start <= instant)


def read_all_periods() -> Mapping[str, Sequence[Period]]:
    return {name: read_periods(read_tzif(name)) for name in wheel_zone_names()}
