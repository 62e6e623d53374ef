"""The options of `gcsched schedule` for the meeting that the mail invites to."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parseaddr
from typing import TYPE_CHECKING

from gcsched.cli.arguments import parse_text

if TYPE_CHECKING:
    from gcsched.client import Event, Person

OPTION_NAMES: Mapping[str, str] = {
    "event": "--end, --duration",
    "event.start": "--start",
    "event.end": "--end",
    "event.duration": "--duration",
    "event.time_zone": "--zone",
    "event.location": "--location",
    "event.url": "--url",
    "event.description": "--description",
    "event.organizer.email": "--organizer",
    "event.organizer.name": "--organizer",
}
"""Field of MeetRequest → its option."""

DURATION = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?", re.ASCII)
TEXTS = ("start", "end", "zone", "location", "url", "description", "organizer")


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument_group("the meeting, for calendars").add_argument
    text = parse_text
    add("--start", default="", type=text, metavar="TIME", help="its start, as 2030-01-05T09:00")
    add("--end", default="", type=text, metavar="TIME", help="its end, likewise")
    add("--duration", type=parse_duration, metavar="TIME", help="or its length, as 30m or 1h30m")
    add("--zone", default="", type=text, metavar="ZONE", help="of these times, as Europe/Berlin")
    add("--location", default="", type=text, metavar="TEXT", help="where it is")
    add("--url", default="", type=text, metavar="URL", help="a link to it")
    add("--description", default="", type=text, metavar="TEXT", help="what it is about")
    add(
        "--organizer",
        default="",
        type=text,
        metavar="PERSON",
        help="who invites, as ada@example.org or 'Ada <ada@example.org>' (the sender)",
    )
    add(
        "--strict-time",
        action="store_true",
        help="refuse times that a change of clocks leaves out or repeats",
    )


def parse_duration(given: str) -> timedelta:
    found = DURATION.fullmatch(given)
    if not given or found is None:
        raise ArgumentTypeError(f"invalid duration {given!r}: expected one like 30m or 1h30m")
    days, hours, minutes = (int(each or 0) for each in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes)


def read_event(chosen: Namespace) -> "Event | None":
    """Return the meeting; None if no option of it was given."""
    from gcsched.client import Event

    given = any(getattr(chosen, name) for name in TEXTS)
    if not given and chosen.duration is None and not chosen.strict_time:
        return None
    return Event(
        start=chosen.start,
        end=chosen.end,
        duration=chosen.duration,
        time_zone=chosen.zone,
        location=chosen.location,
        url=chosen.url,
        description=chosen.description,
        organizer=read_organizer(chosen.organizer),
        strict_time=chosen.strict_time,
    )


def read_organizer(given: str) -> "Person | None":
    """Return the person; what cannot be parsed goes to the service as an address, to be refused."""
    from gcsched.client import Person

    name, address = parseaddr(given)
    return Person(email=address or given, name=name) if given else None
