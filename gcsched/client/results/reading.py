"""Read protobuf messages into the results of the client, field by field with the same name."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC
from functools import cache
from typing import Any, TypeVar

from google.protobuf.message import Message

from gcsched.client.event import Person
from gcsched.client.results.jobs import Attempt, Preview, Step
from gcsched.client.results.meetings import (
    Attendee,
    Effect,
    MailText,
    MeetingStep,
    MeetingTexts,
    Reminder,
)
from gcsched.client.results.records import Suppression
from gcsched.client.results.status import (
    Access,
    Lateness,
    Pause,
    Relay,
    Sending,
    StatusReport,
    Store,
)

T = TypeVar("T")
Reader = Callable[[Any], Any]
PARTS: Mapping[str, type[Any]] = {
    "Mail": MailText,  # of MeetingTexts
} | {
    each.__name__: each
    for each in (
        Access,
        Attempt,
        Attendee,
        Effect,
        Lateness,
        MeetingStep,
        MeetingTexts,
        Pause,
        Person,
        Preview,
        Relay,
        Reminder,
        Sending,
        Step,
        Store,
        Suppression,
    )
}
"""Name of a message inside another → its result."""


def read_message(kind: type[T], message: Message) -> T:
    """Return *message* as a *kind*. A value that this client does not know raises nothing."""
    hashable: Any = kind  # mypy knows no hash of a type variable's type
    readers = find_readers(hashable, message.DESCRIPTOR)
    return kind(**{name: read(message) for name, read in readers})


def name_of(enum: Any, value: int) -> str:
    """Return the contract's name of *value*: "" if unset, the number if this client is older."""
    known = enum.values_by_number.get(value)
    if known is None:
        return str(value)
    return "" if known.name.endswith("UNSPECIFIED") else str(known.name)


@cache
def find_readers(kind: Any, descriptor: Any) -> tuple[tuple[str, Reader], ...]:
    """Return how each field of *kind* is read from a message of *descriptor*; found out once."""
    return tuple(
        (
            each.name,
            SPECIAL_READERS.get((kind, each.name))
            or build_reader(each.name, descriptor.fields_by_name[each.name]),
        )
        for each in fields(kind)
    )


def build_reader(name: str, described: Any) -> Reader:
    """Return the function that reads the field *name*, which is *described*, from a message."""
    if described.message_type is not None and described.message_type.GetOptions().map_entry:
        return lambda message: dict(getattr(message, name))
    read = build_value_reader(described)
    if described.is_repeated:
        return lambda message: tuple(map(read, getattr(message, name)))
    if described.has_presence:
        return lambda message: read(getattr(message, name)) if message.HasField(name) else None
    return lambda message: read(getattr(message, name))


def build_value_reader(described: Any) -> Reader:
    """Return the function that reads one value of a field."""
    if described.enum_type is not None:
        return lambda value: name_of(described.enum_type, value)
    if described.message_type is None:
        return lambda value: value
    if described.message_type.name == "Timestamp":
        return lambda value: value.ToDatetime(UTC)
    if described.message_type.name == "Duration":
        return lambda value: value.ToTimedelta()
    part = PARTS[described.message_type.name]
    return lambda value: read_message(part, value)


def read_counts(report: Any) -> dict[str, int]:
    return {
        name_of(each.DESCRIPTOR.fields_by_name["state"].enum_type, each.state): each.count
        for each in report.counts
    }


SPECIAL_READERS: Mapping[tuple[type[Any], str], Reader] = {
    (StatusReport, "counts"): read_counts,
    (Reminder, "before"): lambda reminder: reminder.before.ToTimedelta(),  # never absent
}
"""The fields that are not as in the contract."""
