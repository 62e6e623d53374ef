"""The answers to calls about meetings, by the rules of the service, from the memory of a fake.

Imported at the first such call: the rules lie beside the handlers of the service.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any

from google.protobuf.message import Message

from gcsched.client.results.meetings import Meeting as MeetingResult
from gcsched.client.results.reading import read_message
from gcsched.domain.access import ANYONE
from gcsched.domain.address_folding import fold_address
from gcsched.domain.checks import require_valid
from gcsched.domain.meetings.acts import Act, unrecord
from gcsched.domain.meetings.calendars import (
    FILE_NAME,
    find_attendee,
    find_shown_number,
    write_calendar,
    write_page_calendar,
)
from gcsched.domain.meetings.changes import create_meeting
from gcsched.domain.meetings.effects import Effect
from gcsched.domain.meetings.keys import etag_of_meeting, fingerprint_draft
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.meeting_list import MeetingFilter, MeetingOrder
from gcsched.domain.meetings.requested_changes import (
    RequestedAttendees,
    RequestedChange,
    RequestedUpdate,
)
from gcsched.domain.meetings.requests import Checking, validate_new_meeting
from gcsched.domain.request import RequestContext
from gcsched.errors import EtagMismatch, RequestIdReused, UnknownAttendee, UnknownMeeting
from gcsched.pb import task_pb2
from gcsched.process.zone_data import find_zone_version
from gcsched.rpc.caller import current_actor
from gcsched.rpc.meeting_messages import meeting_message
from gcsched.rpc.meeting_requests import attendees_from, draft_from, mask_from
from gcsched.rpc.methods.meetings import (
    UNSTORED_FIELDS,
    cancellation_from,
    is_full_requested,
    page_request_from,
    removal_from,
)
from gcsched.testing.kept_meeting import KeptMeeting
from gcsched.usecases.stored_time import truncate_to_millisecond


@dataclass(kw_only=True, eq=False)
class FakeMeetings:
    """Keeps meetings in memory; any thread may call. A mail that is due counts as sent."""

    context: RequestContext
    rules: MailRules
    now: Callable[[], datetime]
    _kept: dict[str, KeptMeeting] = field(default_factory=dict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def answer(self, method: str, request: Any) -> Message:
        """Return the answer to a call. Raises GcschedError."""
        with self._lock:
            now = self._send_due()
            reply = ANSWERS[method](self, request, now)
            self._send_due()
            return reply

    def list_all(self) -> list[MeetingResult]:
        """Return all meetings in the order of their creation, in the words of the client."""
        with self._lock:
            self._send_due()
            messages = [meeting_message(each.noted, is_full=True) for each in self._kept.values()]
        return [read_message(MeetingResult, each) for each in messages]

    def _send_due(self) -> datetime:
        """Send what is due; return the time."""
        now = truncate_to_millisecond(self.now())
        for each in self._kept.values():
            each.send_due(now)
        return now

    def _find(self, meeting_id: str) -> KeptMeeting:
        if meeting_id not in self._kept:
            raise UnknownMeeting(meeting_id)
        return self._kept[meeting_id]

    def _check(self, now: datetime) -> Checking:
        return Checking(
            context=self.context, client=ANYONE, now=now, zone_version=find_zone_version()
        )

    def create(self, request: task_pb2.CreateMeetingRequest, now: datetime) -> Message:
        draft = draft_from(request.meeting, request_id=request.request_id)
        for each in self._kept.values():
            if draft.request_id and each.meeting.request_id == draft.request_id:
                if each.meeting.fingerprint != fingerprint_draft(draft):
                    raise RequestIdReused(draft.request_id, each.meeting.id, kind="meeting")
                return build_reply(each.noted, each.reconcile(now))
        new = validate_new_meeting(draft, self._check(now))
        meeting = create_meeting(new, Act(actor=current_actor("CreateMeeting"), now=now))
        kept, note = KeptMeeting(meeting=meeting, rules=self.rules), new.values.occasion.time_note
        if request.validate_only:
            reply = build_reply(meeting, kept.plan(meeting, now).effects, note)
            for name in UNSTORED_FIELDS:
                reply.ClearField(name)
            return reply
        kept.store(meeting)
        self._kept[meeting.id] = kept
        effects = kept.reconcile(now)
        return build_reply(kept.meeting, effects, note)

    def get(self, request: task_pb2.GetMeetingRequest, _: datetime) -> Message:
        meeting = self._find(request.meeting_id).noted
        return meeting_message(meeting, is_full=is_full_requested(request))

    def list_page(self, request: task_pb2.ListMeetingsRequest, _: datetime) -> Message:
        requested = page_request_from(request)
        found = sort_meetings(
            [each.noted for each in self._kept.values()],
            requested.listing.filter,
            requested.listing.order,
        )
        if requested.after is not None:
            ids = [each.id for each in found]
            found = found[ids.index(requested.after.id) + 1 :] if requested.after.id in ids else []
        page = found[: requested.limit]
        has_more = len(found) > len(page)
        cursor = requested.listing.cursor_after(page[-1]) if has_more else None
        return task_pb2.ListMeetingsResponse(
            meetings=[meeting_message(each, is_full=requested.is_full) for each in page],
            next_page_token=requested.listing.encode_cursor(cursor),
        )

    def update(self, request: task_pb2.UpdateMeetingRequest, now: datetime) -> Message:
        meeting = request.meeting
        change = RequestedUpdate(draft=draft_from(meeting), mask=mask_from(request))
        return self._change("UpdateMeeting", meeting, change, now, is_trial=request.validate_only)

    def cancel(self, request: task_pb2.CancelMeetingRequest, now: datetime) -> Message:
        change = require_valid(cancellation_from(request))
        return self._change("CancelMeeting", request, change, now, is_trial=request.validate_only)

    def add(self, request: task_pb2.AddAttendeesRequest, now: datetime) -> Message:
        change = RequestedAttendees(
            attendees=attendees_from(request.attendees), tell_others=request.tell_others
        )
        return self._change("AddAttendees", request, change, now, is_trial=request.validate_only)

    def remove(self, request: task_pb2.RemoveAttendeesRequest, now: datetime) -> Message:
        change = require_valid(removal_from(request))
        return self._change("RemoveAttendees", request, change, now, is_trial=request.validate_only)

    def _change(
        self, method: str, named: Any, change: RequestedChange, now: datetime, *, is_trial: bool
    ) -> Message:
        """Apply *change* to the meeting that *named* names, with its etag; return the answer."""
        kept = self._find(named.meeting_id)
        seen = kept.noted
        applied = change.apply(seen, current_actor(method), self._check(now))
        is_changed = applied.meeting is not seen
        if is_changed and named.etag and named.etag != etag_of_meeting(seen):
            raise EtagMismatch(seen.id, kind="meeting")
        if is_trial:
            trial = unrecord(seen, applied.meeting)
            return build_reply(trial, kept.plan(trial, now).effects, applied.time_note)
        if is_changed:
            kept.store(applied.meeting)
        effects = kept.reconcile(now)
        return build_reply(kept.meeting, effects, applied.time_note)

    def write_calendar(self, request: task_pb2.GetMeetingCalendarRequest, _: datetime) -> Message:
        kept = self._find(request.meeting_id)
        if not request.email:
            content = write_page_calendar(kept.noted)
            return task_pb2.CalendarFile(name=FILE_NAME, content=content)
        attendee = find_attendee(kept.noted, request.email)
        if attendee is None:
            raise UnknownAttendee(request.meeting_id, ["email"])
        shown = kept.revisions[find_shown_number(kept.noted, attendee)]
        content = write_calendar(kept.noted, attendee, shown)
        return task_pb2.CalendarFile(name=FILE_NAME, content=content)


Answer = Callable[[FakeMeetings, Any, datetime], Message]
ANSWERS: Mapping[str, Answer] = {
    "CreateMeeting": FakeMeetings.create,
    "GetMeeting": FakeMeetings.get,
    "ListMeetings": FakeMeetings.list_page,
    "UpdateMeeting": FakeMeetings.update,
    "CancelMeeting": FakeMeetings.cancel,
    "AddAttendees": FakeMeetings.add,
    "RemoveAttendees": FakeMeetings.remove,
    "GetMeetingCalendar": FakeMeetings.write_calendar,
}


def build_reply(
    meeting: Meeting, effects: Sequence[Effect] = (), time_note: str = ""
) -> task_pb2.Meeting:
    return meeting_message(meeting, is_full=True, effects=effects, time_note=time_note)


def sort_meetings(
    meetings: Sequence[Meeting], requested: MeetingFilter, order: MeetingOrder
) -> list[Meeting]:
    """Return those of *meetings* that match; they are in the order of their creation."""
    found = [each for each in meetings if is_match(each, requested)]
    if order.is_descending:
        found.reverse()
    if order.is_by_start:
        found.sort(key=lambda each: each.revision.start, reverse=order.is_descending)
    return found


def is_match(meeting: Meeting, requested: MeetingFilter) -> bool:
    """Return whether *meeting* matches the filter, whose addresses are normalised."""
    start, organizer = meeting.revision.start, meeting.revision.organizer.email
    addresses = [fold_address(each.email) for each in meeting.attendees]
    return (
        (requested.start_time_from is None or start >= requested.start_time_from)
        and (requested.start_time_before is None or start < requested.start_time_before)
        and requested.organizer in {"", organizer}
        and (not requested.attendee or fold_address(requested.attendee) in addresses)
        and not requested.client
    )
