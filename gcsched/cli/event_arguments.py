"""The options that describe a meeting: when it is, where, what it is about, and who invites."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import parseaddr
from functools import partial
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
STRICT_MEANING = "refuse times that a change of clocks leaves out or repeats"
TEXTS = ("start", "end", "zone", "location", "url", "description", "organizer")


def add_arguments(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the meeting, for calendars")
    add_event_arguments(group.add_argument)
    add_organizer_argument(group.add_argument)
    add_strict_argument(group.add_argument)


def add_event_arguments(
    add: Callable[..., object], *, default: str | None = "", is_required: bool = False
) -> None:
    """Add the options for times, zone, place, link and description by *add*.

    *is_required*: start and zone have to be given.
    """
    add_text = partial(add, default=default, type=parse_text)
    add_needed = partial(add_text, required=is_required)
    add_needed("--start", metavar="TIME", help="its start, as 2030-01-05T09:00")
    add_text("--end", metavar="TIME", help="its end, likewise")
    add("--duration", type=parse_duration, metavar="TIME", help="or its length, as 30m or 1h30m")
    add_needed("--zone", metavar="ZONE", help="of these times, as Europe/Berlin")
    add_text("--location", metavar="TEXT", help="where it is")
    add_text("--url", metavar="URL", help="a link to it")
    add_text("--description", metavar="TEXT", help="what it is about")


def add_organizer_argument(add: Callable[..., object]) -> None:
    add(
        "--organizer",
        default="",
        type=parse_text,
        metavar="PERSON",
        help="who invites, as ada@example.org or 'Ada <ada@example.org>' (the sender)",
    )


def add_strict_argument(add: Callable[..., object]) -> None:
    add("--strict-time", action="store_true", help=STRICT_MEANING)


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
    from gcsched.client import Person

    name, email = parse_person(given)
    return Person(email=email, name=name) if given else None


def parse_person(given: str) -> tuple[str, str]:
    """Return name and address; what cannot be parsed is the address, for the service to refuse."""
    name, address = parseaddr(given)
    return name, address or given
