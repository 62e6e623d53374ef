"""Wall times in IANA zones, and the instants that they mean. Pure.

The zones are what `zoneinfo` knows: in our program those of the package `tzdata`, whatever the host
has (docs/adr/0048).
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from gcsched.domain.checks import Checked
from gcsched.errors import Violation

WALL_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2})(:[0-9.]+)?(Z|[+-][0-9:]+)?")
YEARS = range(1970, 9999)  # so that UTC, a day away at most, is a date as well
EXAMPLE = "2027-01-05T09:00"
MAX_NAME_LENGTH = 64  # twice the longest name there is
NEAREST = 3
MIN_PAIRS = 2
MIN_SHARED = 0.7  # of the pairs of letters of a misspelt name
ZONES_KEPT = 128  # `zoneinfo` keeps eight; one costs 0.2 ms to load


@dataclass(frozen=True, slots=True)
class WallTime:
    """What a clock on a wall of *zone* shows: a date and a whole minute, without an offset."""

    local: datetime
    zone: str

    def __post_init__(self) -> None:
        if self.local.tzinfo is not None or self.local.second or self.local.microsecond:
            raise ValueError(f"{self.local.isoformat()} is not a wall time in whole minutes")


@dataclass(frozen=True, slots=True)
class Resolved:
    """The *instant* of a wall time, in UTC, which is the wall time less *offset*.

    *note* is a sentence for the caller if a clock change made it a choice, else "".
    """

    instant: datetime
    offset: timedelta
    note: str = ""


def resolve(wall: WallTime, zone: ZoneInfo) -> Resolved:
    """Return the instant of *wall* in *zone*, which is the zone that it names.

    A wall time that a clock change skips gets the offset before the change, and so moves forward by
    what was skipped. One that occurs twice means its first occurrence. Both are RFC 5545, 3.3.5.
    """
    first = wall.local.replace(tzinfo=zone, fold=0)
    second = first.replace(fold=1)
    offset, other = first.utcoffset() or timedelta(0), second.utcoffset() or timedelta(0)
    instant = first.astimezone(UTC)
    if offset == other:
        return Resolved(instant, offset)
    # PEP 495: fold 0 has the offset before the change, fold 1 the one after it.
    shown = f"{wall.local:%Y-%m-%dT%H:%M}"
    if offset < other:
        taken = instant.astimezone(zone).isoformat(timespec="minutes")
        why = f"{shown} does not exist in {wall.zone}, because the clocks skip it"
        return Resolved(instant, offset, f"{why}; it is taken as {taken}")
    times = [each.isoformat(timespec="minutes") for each in (first, second)]
    note = f"{shown} occurs twice in {wall.zone}; it is taken as {times[0]}, not {times[1]}"
    return Resolved(instant, offset, note)


def parse_wall_time(text: str, field: str) -> Checked[datetime | None]:
    """Parse a date and a time without an offset, as in EXAMPLE; None if it is invalid."""
    found = WALL_TIME.fullmatch(text)
    if found is None:
        yield Violation(field, f"must be a date and a time like {EXAMPLE}")
        return None
    minute, seconds, offset = found.groups()
    if offset:
        problem = f"must not have an offset, because a zone is given: write it like {EXAMPLE}"
        yield Violation(field, problem)
        return None
    if seconds not in {None, ":00"}:
        yield Violation(field, "must be in whole minutes: seconds, if given, must be 00")
        return None
    try:
        local = datetime.fromisoformat(minute)
    except ValueError:
        yield Violation(field, f"must be a date and a time that exist, like {EXAMPLE}")
        return None
    if local.year not in YEARS:
        yield Violation(field, f"must be in the years {YEARS[0]} to {YEARS[-1]}")
        return None
    return local


def zone_violations(name: str, field: str = "time_zone") -> Checked[ZoneInfo]:
    """Check the name of a zone, letter by letter; return the zone, UTC if there is none."""
    if name in zone_names():
        return load_zone(name)
    problem = "must be the name of an IANA time zone, e.g. Europe/Berlin"
    nearest = find_nearest_names(name)
    yield Violation(
        field, f"{problem} (did you mean {' or '.join(nearest)}?)" if nearest else problem
    )
    return load_zone("UTC")


@cache
def zone_names() -> AbstractSet[str]:
    return frozenset(available_timezones())


@lru_cache(maxsize=ZONES_KEPT)
def load_zone(name: str) -> ZoneInfo:
    """Return the zone of a name in `zone_names`."""
    return ZoneInfo(name)


def find_nearest_names(name: str) -> Sequence[str]:
    """Return the names with most of the pairs of letters in *name*, the most similar ones first.

    Not difflib, which takes up to 4 ms for a name: this takes at most 0.3 ms.
    """
    if len(name) > MAX_NAME_LENGTH or len(pairs := pair_letters(name)) < MIN_PAIRS:
        return ()
    known = names_by_pair()
    shared = Counter(each for pair in pairs for each in known.get(pair, ()))
    enough = [each for each, count in shared.items() if count >= MIN_SHARED * len(pairs)]
    enough.sort(key=lambda each: (-shared[each] / (len(pairs) + len(each)), each))
    return enough[:NEAREST]


@cache
def names_by_pair() -> Mapping[str, Sequence[str]]:
    index = dict[str, list[str]]()
    for name in sorted(zone_names()):
        for pair in pair_letters(name):
            index.setdefault(pair, []).append(name)
    return index


def pair_letters(name: str) -> AbstractSet[str]:
    """Return each two neighbours among the letters and digits of *name*, without case."""
    return {a + b for a, b in pairwise(filter(str.isalnum, name.casefold()))}
