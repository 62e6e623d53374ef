"""Convert requests about meetings from protobuf to the domain."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked
from gcsched.domain.event import Event
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import Purpose, Role
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.meeting import MailText, MeetingTexts, Reminder
from gcsched.domain.meetings.meeting_list import (
    MeetingFilter,
    MeetingListQuery,
    MeetingOrder,
    parse_meeting_query,
)
from gcsched.domain.validation import (
    MAX_CLIENT_LENGTH,
    MAX_ID_LENGTH,
    MAX_LABELS,
    MAX_VARIABLES,
    text_violations,
)
from gcsched.errors import Violation
from gcsched.pb import task_pb2
from gcsched.rpc.requests import copy_bounded, duration_from, parse_timestamp

ROLES = {task_pb2.Attendee.Role.Value(each.value): each for each in Role}
MAX_PATHS = 50
VIEWS = task_pb2.Meeting.View.values()
LATEST = datetime.max.replace(microsecond=0, tzinfo=UTC)
TEXTS_BY_PURPOSE = {
    Purpose.INVITATION: "invitation",
    Purpose.UPDATE: "update",
    Purpose.CANCELLATION: "cancellation",
    Purpose.REMINDER: "reminder",
}


def draft_from(message: task_pb2.Meeting, *, request_id: str = "") -> MeetingDraft:
    """Convert a meeting as its caller describes it; what the service sets is ignored."""
    return MeetingDraft(
        summary=message.summary,
        event=Event(
            start=message.start,
            end=message.end,
            duration=duration_from(message.duration) if message.HasField("duration") else None,
            time_zone=message.time_zone,
            location=message.location,
            url=message.url,
            description=message.description,
            organizer=(
                Person(email=message.organizer.email, name=message.organizer.name)
                if message.HasField("organizer")
                else None
            ),
            strict_time=message.strict_time,
        ),
        attendees=attendees_from(message.attendees),
        guests_see_each_other=message.guests_see_each_other,
        reminders=tuple(map(reminder_from, message.reminders)),
        invite_time=invite_time_from(message.invite_at) if message.HasField("invite_at") else None,
        texts=texts_from(message.texts),
        labels=copy_bounded(message.labels, limit=MAX_LABELS),
        sender=message.sender,
        request_id=request_id,
    )


def attendees_from(messages: Iterable[task_pb2.Attendee]) -> tuple[AttendeeDraft, ...]:
    return tuple(map(attendee_from, messages))


def attendee_from(message: task_pb2.Attendee) -> AttendeeDraft:
    return AttendeeDraft(
        email=message.email,
        name=message.name,
        empid=message.empid,
        role=ROLES.get(message.role),
    )


def reminder_from(message: task_pb2.Reminder) -> Reminder:
    return Reminder(before=duration_from(message.before), template=message.template)


def texts_from(message: task_pb2.MeetingTexts) -> MeetingTexts:
    mails = {
        purpose: MailText(template=text.template, subject=text.subject)
        for purpose, name in TEXTS_BY_PURPOSE.items()
        if (text := getattr(message, name)).template or text.subject
    }
    return MeetingTexts(mails=mails, variables=copy_bounded(message.variables, limit=MAX_VARIABLES))


def invite_time_from(message: Timestamp) -> datetime:
    """Convert a time; one that Python cannot hold becomes one that no rule accepts."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return LATEST


def mask_from(message: task_pb2.UpdateMeetingRequest) -> Collection[str] | None:
    """Return the fields to change; None if the mask is unset.

    Of a mask with more fields than there can be only so many are returned: some are unknown.
    """
    paths = dict.fromkeys(message.update_mask.paths)
    return [*islice(paths, MAX_PATHS)] if paths else None


def meeting_id_violations(meeting_id: str, field: str = "meeting_id") -> Checked[None]:
    yield from text_violations(field, meeting_id, at_least=1, at_most=MAX_ID_LENGTH)


def full_meeting_view_from(view: int) -> Checked[bool]:
    """Parse whether the caller requests meetings with all their texts."""
    if view not in VIEWS:
        yield Violation("view", f"must be BASIC or FULL, not {view}")
    return view == task_pb2.Meeting.FULL


def meeting_listing_from(message: task_pb2.ListMeetingsRequest) -> Checked[MeetingListQuery]:
    """Parse the filter and the order of a list of meetings."""
    meeting_filter = yield from meeting_filter_from(message.filter)
    order = yield from meeting_order_from(message.order)
    return (yield from parse_meeting_query(meeting_filter, order))


def meeting_filter_from(message: task_pb2.MeetingFilter) -> Checked[MeetingFilter]:
    times: dict[str, datetime | None] = {}
    for name in ("start_time_from", "start_time_before"):
        if message.HasField(name):
            times[name] = yield from parse_timestamp(getattr(message, name), f"filter.{name}")
    addresses = {"organizer": message.organizer, "attendee": message.attendee}
    for name, address in addresses.items():
        if address:
            addresses[name] = yield from parse_stored_address(address, field=f"filter.{name}")
    yield from text_violations(
        "filter.client", message.client, at_least=0, at_most=MAX_CLIENT_LENGTH
    )
    return MeetingFilter(
        start_time_from=times.get("start_time_from"),
        start_time_before=times.get("start_time_before"),
        organizer=addresses["organizer"],
        attendee=addresses["attendee"],
        client=message.client,
    )


def meeting_order_from(number: int) -> Checked[MeetingOrder | None]:
    """Parse an order; None for 0."""
    try:
        name = task_pb2.ListMeetingsRequest.Order.Name(number) if number else ""
        return MeetingOrder(name) if name else None
    except ValueError:
        yield Violation("order", f"must be one of {', '.join(MeetingOrder)}, not {number}")
        return None
