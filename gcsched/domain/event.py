"""The event of a request, the meeting that its mail invites to, and its rules. Pure.

A caller gives wall times and a zone; the instants follow from them (docs/adr/0048).
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked, find_valid
from gcsched.domain.due import MAX_AHEAD
from gcsched.domain.meeting import Person
from gcsched.domain.organizer import OrganizerRule
from gcsched.domain.validation import CONTROLS_BUT_LINES, text_violations
from gcsched.domain.web_link import parse_link
from gcsched.domain.zoned_time import (
    Resolved,
    WallTime,
    parse_wall_time,
    resolve,
    zone_violations,
)
from gcsched.errors import Violation

MAX_SUMMARY_LENGTH = 255
MAX_LOCATION_LENGTH = 255
MAX_DESCRIPTION_LENGTH = 8_000
LONGEST = timedelta(days=30)
MINUTE = timedelta(minutes=1)


class Event(Struct, frozen=True, kw_only=True):
    """The event of a request, as its caller gave it; "" and None stand for what is missing."""

    start: str
    time_zone: str
    end: str = ""
    duration: timedelta | None = None
    location: str = ""
    url: str = ""
    description: str = ""
    organizer: Person | None = None
    strict_time: bool = False


class Occasion(Struct, frozen=True, kw_only=True):
    """A valid event: its *start* and *end* in UTC, and the wall times in *zone* that they are.

    *time_note* says what a change of clocks made of the times that were asked for.
    """

    start: datetime
    end: datetime
    start_wall: datetime
    end_wall: datetime
    zone: str
    location: str
    url: str
    description: str
    organizer: Person
    time_note: str = ""


def read_event(
    event: Event, *, now: datetime, attendee: str, organizers: OrganizerRule, rules: AddressRules
) -> Checked[Occasion | None]:
    """Check *event*, to which *attendee* is invited; return None if its times are invalid."""
    yield from text_violations(
        "event.location", event.location, at_least=0, at_most=MAX_LOCATION_LENGTH
    )
    yield from description_violations(event.description)
    url = (yield from parse_link(event.url, "event.url")) if event.url else ""
    organizer = yield from organizers.read(event.organizer, attendee=attendee, rules=rules)
    zone = yield from zone_violations(event.time_zone, "event.time_zone")
    times = yield from read_times(event, zone, now)
    if times is None:
        return None
    return Occasion(
        start=times.start.instant,
        end=times.end,
        start_wall=to_wall(times.start.instant, zone),
        end_wall=to_wall(times.end, zone),
        zone=event.time_zone,
        location=event.location.strip(),
        url=url,
        description=event.description.strip(),
        organizer=organizer,
        time_note="; ".join(filter(None, times.notes)),
    )


def description_violations(description: str) -> Checked[None]:
    if len(description) > MAX_DESCRIPTION_LENGTH:
        problem = f"must have at most {MAX_DESCRIPTION_LENGTH} characters, has {len(description)}"
        yield Violation("event.description", problem)
    if CONTROLS_BUT_LINES.search(description):
        problem = "must not contain control characters but tabs and line breaks"
        yield Violation("event.description", problem)


class Times(Struct, frozen=True, kw_only=True):
    """Start and end, each as an instant in UTC, and what a change of clocks made of them."""

    start: Resolved
    end: datetime
    notes: tuple[str, ...]


def read_times(event: Event, zone: ZoneInfo, now: datetime) -> Checked[Times | None]:
    """Resolve the start, and the end or the duration; None if one of them cannot be resolved."""
    start = yield from read_time(event, event.start, "event.start", zone)
    if start is not None:
        yield from start_violations(start.instant, now)
    if (not event.end) == (event.duration is None):
        yield Violation("event", "must have exactly one of end and duration")
        return None
    if event.duration is not None:
        yield from duration_violations(event.duration)
        if start is None:
            return None
        length = min(max(event.duration, MINUTE), LONGEST)
        return Times(start=start, end=start.instant + length, notes=(start.note,))
    end = yield from read_time(event, event.end, "event.end", zone)
    if start is None or end is None:
        return None
    yield from end_violations(end.instant - start.instant)
    return Times(start=start, end=end.instant, notes=(start.note, end.note))


def read_time(event: Event, text: str, field: str, zone: ZoneInfo) -> Checked[Resolved | None]:
    """Resolve one wall time; refuse one that a change of clocks moves if the caller wants that."""
    local = yield from parse_wall_time(text, field)
    if local is None:
        return None
    found = resolve(WallTime(local, event.time_zone), zone)
    if found.note and event.strict_time:
        yield Violation(field, f"must be one time, as strict_time asks: {found.note}")
    return found


def find_start(event: Event) -> datetime | None:
    """Return the instant of the start of *event*, valid or not otherwise; None if it has none."""
    zone = find_valid(zone_violations(event.time_zone))
    local = find_valid(parse_wall_time(event.start, "event.start"))
    if zone is None or local is None:
        return None
    return resolve(WallTime(local, event.time_zone), zone).instant


def start_violations(start: datetime, now: datetime) -> Checked[None]:
    if start <= now:
        yield Violation("event.start", f"must not be past; it is {start:%Y-%m-%dT%H:%MZ}")
    elif start > now + MAX_AHEAD:
        yield Violation("event.start", "must not be more than ten years ahead")


def duration_violations(duration: timedelta) -> Checked[None]:
    if not MINUTE <= duration <= LONGEST or duration % MINUTE:
        yield Violation("event.duration", "must be whole minutes, from one minute to 30 days")


def end_violations(length: timedelta) -> Checked[None]:
    if length <= timedelta(0):
        yield Violation("event.end", "must be after the start")
    elif length > LONGEST:
        yield Violation("event.end", "must be at most 30 days after the start")


def to_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def format_wall(moment: datetime) -> str:
    """Return the naive *moment* as callers write it and MongoDB has it, e.g. 2027-01-05T09:00."""
    return moment.isoformat(timespec="minutes")
