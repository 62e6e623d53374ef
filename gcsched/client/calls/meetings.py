"""The calls that create, read and change meetings. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypedDict, Unpack

from google.protobuf.field_mask_pb2 import FieldMask

from gcsched.client.argument_values import (
    check_bool,
    check_count,
    check_text,
    enum_number,
    timestamp,
)
from gcsched.client.calls.call import Call, Listing
from gcsched.client.calls.meeting_messages import (
    attendee_messages,
    check_texts,
    meeting_message,
)
from gcsched.client.event import Person
from gcsched.client.results.meetings import (
    Attendee,
    CalendarFile,
    Meeting,
    MeetingTexts,
    Reminder,
)
from gcsched.client.results.reading import read_message
from gcsched.client.suggestions import refuse_unknown
from gcsched.pb import task_pb2

read_meeting = partial(read_message, Meeting)


class MeetingFields(TypedDict, total=False):
    """What a meeting may have beside its summary, its start and its zone."""

    end: str | datetime | None
    duration: timedelta | None
    location: str | None
    url: str | None
    description: str | None
    guests_see_each_other: bool
    reminders: Iterable[Reminder] | None
    invite_at: datetime | int | None
    strict_time: bool
    texts: MeetingTexts | None
    labels: Mapping[str, str] | None


class MeetingOptions(MeetingFields, total=False):
    """The options of create_meeting; proto/task.proto has the rules of each field."""

    organizer: Person | None
    sender: str
    request_id: str
    validate_only: bool


class ChangeOptions(TypedDict, total=False):
    """How a meeting is changed: only as it was read with *etag*; or not at all, to see effects."""

    etag: str
    validate_only: bool


class MeetingChanges(MeetingFields, ChangeOptions, total=False):
    """The fields to change. None takes a field away; what is not given stays as it is."""

    summary: str
    start: str | datetime
    time_zone: str


class MeetingFilter(TypedDict, total=False):
    """Which meetings; a meeting matches if it matches all that is given. Without any: all meetings.

    Possible are start times, with or without an organizer; an organizer; the address of an
    attendee; each with or without a client.
    """

    start_time_from: datetime | int
    start_time_before: datetime | int
    organizer: str
    attendee: str
    client: str


CREATE_KEYWORDS = {
    *("summary", "start", "time_zone", "attendees", "timeout"),
    *MeetingOptions.__optional_keys__,
}
CHANGE_KEYWORDS = {"timeout", *ChangeOptions.__optional_keys__}
UPDATE_KEYWORDS = {"timeout", *MeetingChanges.__optional_keys__}
NEVER_ABSENT = ("summary", "start", "time_zone")


def create_meeting(
    summary: str,
    start: str | datetime,
    time_zone: str,
    attendees: Iterable[Attendee],
    **options: Unpack[MeetingOptions],
) -> Call[Meeting]:
    refuse_unknown(options, CREATE_KEYWORDS, caller="create_meeting")
    named = {"summary": summary, "start": start, "time_zone": time_zone, "attendees": attendees}
    request = task_pb2.CreateMeetingRequest(
        meeting=meeting_message({**options, **named}),
        request_id=check_text("request_id", options.get("request_id")),
        validate_only=check_bool("validate_only", options.get("validate_only")),
    )
    return Call("CreateMeeting", request, read_meeting)


def get_meeting(meeting_id: str) -> Call[Meeting]:
    request = task_pb2.GetMeetingRequest(
        meeting_id=check_text("meeting_id", meeting_id), view=task_pb2.Meeting.FULL
    )
    return Call("GetMeeting", request, read_meeting)


def list_meetings(
    *, order: str, view: str, page_size: int, **which: Unpack[MeetingFilter]
) -> Listing[Meeting]:
    keywords = {"order", "view", "page_size", "timeout", *MeetingFilter.__optional_keys__}
    refuse_unknown(which, keywords, caller="list_meetings")
    orders: Any = task_pb2.ListMeetingsRequest.Order.DESCRIPTOR
    views: Any = task_pb2.Meeting.View.DESCRIPTOR
    request = task_pb2.ListMeetingsRequest(
        filter=build_filter(which),
        order=enum_number("order", order, orders),
        page_size=check_count("page_size", page_size),
        view=enum_number("view", view, views),
    )
    return Listing("ListMeetings", request, "meetings", read_meeting)


def build_filter(which: MeetingFilter) -> task_pb2.MeetingFilter:
    return task_pb2.MeetingFilter(
        start_time_from=timestamp("start_time_from", which.get("start_time_from")),
        start_time_before=timestamp("start_time_before", which.get("start_time_before")),
        organizer=check_text("organizer", which.get("organizer")),
        attendee=check_text("attendee", which.get("attendee")),
        client=check_text("client", which.get("client")),
    )


def update_meeting(meeting_id: str, **changes: Unpack[MeetingChanges]) -> Call[Meeting]:
    refuse_unknown(changes, UPDATE_KEYWORDS, caller="update_meeting")
    given: dict[str, object] = {**changes}
    etag, is_trial = given.pop("etag", None), given.pop("validate_only", None)
    for name in NEVER_ABSENT:
        if name in given and given[name] is None:
            raise TypeError(f"{name} is None, and a meeting always has one; leave it out")
    meeting = meeting_message(given)
    meeting.meeting_id = check_text("meeting_id", meeting_id)
    meeting.etag = check_text("etag", etag)
    request = task_pb2.UpdateMeetingRequest(
        meeting=meeting,
        update_mask=FieldMask(paths=sorted(given)),
        validate_only=check_bool("validate_only", is_trial),
    )
    return Call("UpdateMeeting", request, read_meeting)


def cancel_meeting(
    meeting_id: str, *, reason: str, **options: Unpack[ChangeOptions]
) -> Call[Meeting]:
    refuse_unknown(options, {"reason", *CHANGE_KEYWORDS}, caller="cancel_meeting")
    request = task_pb2.CancelMeetingRequest(
        meeting_id=check_text("meeting_id", meeting_id),
        etag=check_text("etag", options.get("etag")),
        reason=check_text("reason", reason),
        validate_only=check_bool("validate_only", options.get("validate_only")),
    )
    return Call("CancelMeeting", request, read_meeting)


def add_attendees(
    meeting_id: str,
    attendees: Iterable[Attendee],
    *,
    tell_others: bool,
    **options: Unpack[ChangeOptions],
) -> Call[Meeting]:
    refuse_unknown(options, {"tell_others", *CHANGE_KEYWORDS}, caller="add_attendees")
    request = task_pb2.AddAttendeesRequest(
        meeting_id=check_text("meeting_id", meeting_id),
        etag=check_text("etag", options.get("etag")),
        attendees=attendee_messages("attendees", attendees),
        tell_others=check_bool("tell_others", tell_others),
        validate_only=check_bool("validate_only", options.get("validate_only")),
    )
    return Call("AddAttendees", request, read_meeting)


def remove_attendees(
    meeting_id: str, emails: Iterable[str], *, reason: str, **options: Unpack[ChangeOptions]
) -> Call[Meeting]:
    refuse_unknown(options, {"reason", *CHANGE_KEYWORDS}, caller="remove_attendees")
    request = task_pb2.RemoveAttendeesRequest(
        meeting_id=check_text("meeting_id", meeting_id),
        etag=check_text("etag", options.get("etag")),
        emails=check_texts("emails", emails),
        reason=check_text("reason", reason),
        validate_only=check_bool("validate_only", options.get("validate_only")),
    )
    return Call("RemoveAttendees", request, read_meeting)


def meeting_calendar(meeting_id: str, email: str) -> Call[CalendarFile]:
    request = task_pb2.GetMeetingCalendarRequest(
        meeting_id=check_text("meeting_id", meeting_id), email=check_text("email", email)
    )
    return Call("GetMeetingCalendar", request, partial(read_message, CalendarFile))
