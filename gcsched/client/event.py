"""The meeting that a mail invites to, as a caller gives it. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration

from gcsched.client.argument_values import check_bool, check_text
from gcsched.pb import task_pb2

WALL_TIMES = "text like '2030-01-05T09:00' or a datetime without a tzinfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person with a mailbox."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A meeting for `schedule(event=...)`: proto/task.proto has the rules of each field.

    *start* and *end* are what clocks in *time_zone* show: text such as `2030-01-05T09:00`, or a
    datetime without a tzinfo. Give *end* or *duration*. Without an *organizer* the sender of the
    mail invites.

    >>> review = Event(
    ...     start="2030-01-05T09:00", duration=timedelta(minutes=30), time_zone="Europe/Berlin"
    ... )
    """

    start: str | datetime
    time_zone: str
    end: str | datetime | None = None
    duration: timedelta | None = None
    location: str = ""
    url: str = ""
    description: str = ""
    organizer: Person | None = None
    strict_time: bool = False


def event_message(event: object) -> task_pb2.Event | None:
    """Return *event* as the contract's message, None for None. Raises TypeError, ValueError."""
    if event is None:
        return None
    if not isinstance(event, Event):
        raise TypeError(f"event is {event!r}; give a gcsched.client.Event")
    return task_pb2.Event(
        start=wall_time("event.start", event.start),
        end="" if event.end is None else wall_time("event.end", event.end),
        duration=duration_message("event.duration", event.duration),
        time_zone=check_text("event.time_zone", event.time_zone),
        location=check_text("event.location", event.location),
        url=check_text("event.url", event.url),
        description=check_text("event.description", event.description),
        organizer=person_message("event.organizer", event.organizer),
        strict_time=check_bool("event.strict_time", event.strict_time),
    )


def wall_time(name: str, given: object) -> str:
    if not isinstance(given, datetime):
        return check_text(name, given)
    if given.tzinfo is not None:
        raise ValueError(f"{name} has a tzinfo; give {WALL_TIMES}, and its zone as time_zone")
    if given.fold:
        raise ValueError(f"{name} has fold=1; a wall time that comes twice means its first instant")
    return given.isoformat()


def duration_message(name: str, given: object) -> Duration | None:
    if given is None:
        return None
    if not isinstance(given, timedelta):
        raise TypeError(f"{name} is {given!r}; give a timedelta")
    message = Duration()
    message.FromTimedelta(given)
    return message


def person_message(name: str, given: object) -> task_pb2.Person | None:
    if given is None:
        return None
    if not isinstance(given, Person):
        raise TypeError(f"{name} is {given!r}; give a gcsched.client.Person")
    return task_pb2.Person(
        email=check_text(f"{name}.email", given.email), name=check_text(f"{name}.name", given.name)
    )
