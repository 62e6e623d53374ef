"""The fields of a message as text for people, by their names in the contract."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from gcsched.cli.blocks import Table

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import Message
    from google.protobuf.timestamp_pb2 import Timestamp


def tabulate_fields(message: "Message", *, without: Sequence[str] = ()) -> Table:
    """Return a row for each field that is set, in the order of the contract."""
    names = [field.name for field, _ in message.ListFields() if field.name not in without]
    return Table(rows=[(name, format_field(message, name)) for name in names])


def tabulate_messages(
    messages: Iterable["Message"], names: Sequence[str], *, uncut_columns: int = 1
) -> Table:
    """Return a row for each message, with a column for each of *names*."""
    return Table(
        columns=[name.upper() for name in names],
        rows=[[format_field(message, name) for name in names] for message in messages],
        uncut_columns=uncut_columns,
    )


def format_field(message: "Message", name: str) -> str:
    field = message.DESCRIPTOR.fields_by_name[name]
    value = getattr(message, name)
    if field.is_repeated:
        return ", ".join(format_pairs(value) if is_map(field) else map(str, value))
    if field.message_type is not None:
        return format_message(value) if message.HasField(name) else ""
    if field.enum_type is not None:
        return format_enum(field.enum_type, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def format_enum(enum: Any, value: int) -> str:
    """Return the name of *value*, its number if this command is older, "" if it is not set."""
    known = enum.values_by_number.get(value)
    if known is None:
        return str(value)
    return "" if known.name.endswith("UNSPECIFIED") else str(known.name)


def is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def format_pairs(values: Any) -> list[str]:
    return [f"{name}={values[name]}" for name in sorted(values)]


def format_message(value: Any) -> str:
    name = value.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        return format_local_time(value)
    return (
        format_duration(value)
        if name == "google.protobuf.Duration"
        else " ".join(str(value).split())
    )


def format_local_time(moment: "Timestamp") -> str:
    """Format *moment* in the local time zone, with its offset, as `--at` takes it."""
    with suppress(ValueError, OverflowError):  # years that datetime does not have
        return moment.ToDatetime(UTC).astimezone().isoformat(timespec="seconds")
    return f"{moment.seconds}"


def format_duration(duration: "Duration") -> str:
    return f"{duration.seconds + duration.nanos / 1e9:.2f} s"
