"""Parse requests with a meeting or with attendees, once their entries are counted.

A request of 320 KiB can hold 160,000 empty attendees, which take seventy times that in memory.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gcsched.errors import MalformedMessage
from gcsched.pb import task_pb2
from gcsched.rpc.wire_format import Span, split_fields, tag_of

MAX_MEETING_REQUEST = 320 * 1024
"""The octets of a request with 100 attendees, when all texts have their greatest length."""
MAX_ENTRIES = 1_000  # fields, list items and map entries; a valid request has less than 200
MEETING_TAG = tag_of(1)


def parse_create_meeting(raw: bytes) -> task_pb2.CreateMeetingRequest:
    """Parse the request. Raises DecodeError or MalformedMessage."""
    check_entries(raw, nested=MEETING_TAG)
    return task_pb2.CreateMeetingRequest.FromString(raw)


def parse_update_meeting(raw: bytes) -> task_pb2.UpdateMeetingRequest:
    """Parse the request. Raises DecodeError or MalformedMessage."""
    check_entries(raw, nested=MEETING_TAG)
    return task_pb2.UpdateMeetingRequest.FromString(raw)


def parse_add_attendees(raw: bytes) -> task_pb2.AddAttendeesRequest:
    """Parse the request. Raises DecodeError or MalformedMessage."""
    check_entries(raw)
    return task_pb2.AddAttendeesRequest.FromString(raw)


MEETING_PARSERS: Mapping[str, Callable[[bytes], Any]] = {
    "CreateMeeting": parse_create_meeting,
    "UpdateMeeting": parse_update_meeting,
    "AddAttendees": parse_add_attendees,
}
"""The parsers by the names of their methods."""


def check_entries(raw: bytes, *, nested: int | None = None) -> None:
    """Count the entries of a message, and of the messages in its field with the tag *nested*.

    Raises MalformedMessage if there are too many.
    """
    for count, _ in enumerate(list_entries(raw, nested), 1):
        if count > MAX_ENTRIES:
            problem = f"it has more than {MAX_ENTRIES} list items and map entries"
            raise MalformedMessage(f"{problem}; a meeting has at most 100 attendees")


def list_entries(raw: bytes, nested: int | None) -> Iterator[Span]:
    for span in split_fields(raw):
        yield span
        if span.tag == nested:
            yield from split_fields(raw, span.start, span.end)
