"""Requests with many entries are refused before protobuf parses them. Oracle: protobuf."""

import pytest
from google.protobuf.message import DecodeError, Message

from gcsched.errors import MalformedMessage
from gcsched.pb import task_pb2
from gcsched.rpc.meeting_parsers import MAX_ENTRIES, MAX_MEETING_REQUEST, MEETING_PARSERS
from tests.support.meeting_service import a_meeting, an_attendee

PEOPLE = [an_attendee(f"{number}@example.org", name="Zoë") for number in range(100)]
REQUESTS: dict[str, Message] = {
    "CreateMeeting": task_pb2.CreateMeetingRequest(
        meeting=a_meeting(attendees=PEOPLE, labels={str(n): "x" for n in range(20)}),
        request_id="R",
        validate_only=True,
    ),
    "UpdateMeeting": task_pb2.UpdateMeetingRequest(
        meeting=a_meeting(attendees=PEOPLE), update_mask={"paths": ["summary", "start"]}
    ),
    "AddAttendees": task_pb2.AddAttendeesRequest(meeting_id="x", attendees=PEOPLE),
}


def a_flood(method: str, count: int) -> bytes:
    """Return a request with *count* attendees that take two octets each."""
    if method == "AddAttendees":
        return b"\x1a\x00" * count
    meeting = b"\x7a\x00" * count
    size = len(meeting)
    return b"\x0a" + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + meeting


@pytest.mark.parametrize("method", REQUESTS)
def test_a_request_is_what_protobuf_reads(method: str) -> None:
    assert MEETING_PARSERS[method](REQUESTS[method].SerializeToString()) == REQUESTS[method]
    assert MEETING_PARSERS[method](b"") == type(REQUESTS[method])()


@pytest.mark.parametrize("method", REQUESTS)
def test_a_flood_of_attendees_is_malformed(method: str) -> None:
    count = MAX_MEETING_REQUEST // 2 - 4
    few = MEETING_PARSERS[method](a_flood(method, MAX_ENTRIES - 1))

    with pytest.raises(MalformedMessage, match="at most 100 attendees"):
        MEETING_PARSERS[method](a_flood(method, count))

    holder = few if method == "AddAttendees" else few.meeting
    assert len(holder.attendees) == MAX_ENTRIES - 1


def test_a_meeting_in_pieces_counts_as_one() -> None:
    piece = task_pb2.CreateMeetingRequest(meeting=a_meeting(attendees=PEOPLE)).SerializeToString()

    with pytest.raises(MalformedMessage):
        MEETING_PARSERS["CreateMeeting"](piece * 10)


@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("raw", [b"\x0a\x05ab", b"\x0a", b"\x0a" + b"\xff" * 11, b"\x0b"])
def test_octets_that_are_not_a_message_are_malformed(method: str, raw: bytes) -> None:
    with pytest.raises(MalformedMessage):
        MEETING_PARSERS[method](raw)


def test_a_text_that_is_not_utf_8_is_left_to_protobuf() -> None:
    with pytest.raises(DecodeError):
        MEETING_PARSERS["AddAttendees"](b"\x0a\x02\xff\xfe")
