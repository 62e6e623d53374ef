"""The methods for meetings: convert the request, call the use case, convert the reply."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.meetings.calendars import FILE_NAME
from gcsched.domain.meetings.meeting_list import MeetingCursor, MeetingListQuery
from gcsched.domain.meetings.requested_changes import (
    RequestedAttendees,
    RequestedCancellation,
    RequestedChange,
    RequestedRemoval,
    RequestedUpdate,
)
from gcsched.domain.meetings.requests import read_removal
from gcsched.domain.page_token import parse_page_size
from gcsched.domain.validation import reason_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, call_scope, call_timeout_scope
from gcsched.rpc.caller import current_actor, current_caller
from gcsched.rpc.meeting_messages import build_fitting_meetings, meeting_message
from gcsched.rpc.meeting_parsers import MAX_MEETING_REQUEST
from gcsched.rpc.meeting_requests import (
    attendees_from,
    draft_from,
    full_meeting_view_from,
    mask_from,
    meeting_id_violations,
    meeting_listing_from,
)
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.meetings.change import ChangeMeeting, MeetingChange
from gcsched.usecases.meetings.create import CreateMeeting
from gcsched.usecases.meetings.read import ReadMeetings
from gcsched.usecases.meetings.result import MeetingResult

UNSTORED_FIELDS = ("meeting_id", "uid", "etag")
"""The fields that a meeting does not have which was only validated."""


class OneMeetingRequest(Protocol):
    """A request that changes one meeting."""

    meeting_id: str
    etag: str
    validate_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """One page of a list: *limit* meetings *after* a cursor."""

    listing: MeetingListQuery
    after: MeetingCursor | None
    limit: int
    is_full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingMethods:
    create_meeting: CreateMeeting
    change_meeting: ChangeMeeting
    read: ReadMeetings
    share: LoopShare = field(default_factory=LoopShare)

    async def CreateMeeting(
        self, request: task_pb2.CreateMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        async with call_scope(request, context, largest=MAX_MEETING_REQUEST) as within:
            result = await self.create_meeting.create(
                draft_from(request.meeting, request_id=request.request_id),
                actor=current_actor("CreateMeeting"),
                within=within,
                is_dry_run=request.validate_only,
            )
            return result_message(result)

    async def GetMeeting(
        self, request: task_pb2.GetMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        async with call_timeout_scope(request, context, "reading a meeting"):
            require_valid(get_violations(request))
            client = current_caller()
            meeting = await self.read.get(request.meeting_id, client)
            is_full = is_full_requested(request) and client.may_read_content(meeting.client)
            return meeting_message(meeting, is_full=is_full)

    async def ListMeetings(
        self, request: task_pb2.ListMeetingsRequest, context: Context
    ) -> task_pb2.ListMeetingsResponse:
        async with call_timeout_scope(request, context, "listing meetings"):
            requested = page_request_from(request)
            page = await self.read.read_page(
                requested.listing,
                requested.after,
                most=requested.limit,
                is_full=requested.is_full,
                client=current_caller(),
            )
            messages = await build_fitting_meetings(
                page.meetings, self.share, is_full=requested.is_full
            )
            next_cursor = page.next_cursor
            # Some did not fit: the next page starts after the last one that did.
            if len(messages) < len(page.meetings):
                next_cursor = requested.listing.cursor_after(page.meetings[len(messages) - 1])
            token = requested.listing.encode_cursor(next_cursor)
            return task_pb2.ListMeetingsResponse(meetings=messages, next_page_token=token)

    async def UpdateMeeting(
        self, request: task_pb2.UpdateMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        async with call_scope(request, context, largest=MAX_MEETING_REQUEST) as within:
            meeting = request.meeting
            require_valid(meeting_id_violations(meeting.meeting_id, "meeting.meeting_id"))
            update = RequestedUpdate(draft=draft_from(meeting), mask=mask_from(request))
            requested = MeetingChange(
                meeting_id=meeting.meeting_id,
                change=update,
                actor=current_actor("UpdateMeeting"),
                etag=meeting.etag,
                is_dry_run=request.validate_only,
            )
            return result_message(await self.change_meeting.change(requested, within=within))

    async def CancelMeeting(
        self, request: task_pb2.CancelMeetingRequest, context: Context
    ) -> task_pb2.Meeting:
        async with call_scope(request, context) as within:
            change = require_valid(cancellation_from(request))
            return await self._change("CancelMeeting", request, change, within)

    async def AddAttendees(
        self, request: task_pb2.AddAttendeesRequest, context: Context
    ) -> task_pb2.Meeting:
        async with call_scope(request, context, largest=MAX_MEETING_REQUEST) as within:
            require_valid(meeting_id_violations(request.meeting_id))
            change = RequestedAttendees(
                attendees=attendees_from(request.attendees), tell_others=request.tell_others
            )
            return await self._change("AddAttendees", request, change, within)

    async def RemoveAttendees(
        self, request: task_pb2.RemoveAttendeesRequest, context: Context
    ) -> task_pb2.Meeting:
        async with call_scope(request, context) as within:
            change = require_valid(removal_from(request))
            return await self._change("RemoveAttendees", request, change, within)

    async def GetMeetingCalendar(
        self, request: task_pb2.GetMeetingCalendarRequest, context: Context
    ) -> task_pb2.CalendarFile:
        async with call_timeout_scope(request, context, "reading a meeting"):
            email = require_valid(calendar_email_from(request))
            content = await self.read.write_calendar(request.meeting_id, email, current_caller())
            return task_pb2.CalendarFile(name=FILE_NAME, content=content)

    async def _change(
        self, method: str, request: OneMeetingRequest, change: RequestedChange, within: timedelta
    ) -> task_pb2.Meeting:
        requested = MeetingChange(
            meeting_id=request.meeting_id,
            change=change,
            actor=current_actor(method),
            etag=request.etag,
            is_dry_run=request.validate_only,
        )
        return result_message(await self.change_meeting.change(requested, within=within))


def result_message(result: MeetingResult) -> task_pb2.Meeting:
    """Convert what a call of the current caller came to."""
    message = meeting_message(
        result.meeting,
        is_full=current_caller().may_read_content(result.meeting.client),
        effects=result.effects,
        time_note=result.time_note,
    )
    if not result.is_stored:
        for name in UNSTORED_FIELDS:
            message.ClearField(name)
    return message


def get_violations(request: task_pb2.GetMeetingRequest) -> Checked[None]:
    yield from meeting_id_violations(request.meeting_id)
    yield from full_meeting_view_from(request.view)


def is_full_requested(request: task_pb2.GetMeetingRequest) -> bool:
    return not request.HasField("view") or request.view == task_pb2.Meeting.FULL


def page_request_from(request: task_pb2.ListMeetingsRequest) -> PageRequest:
    """Parse the request; the token last, because it is valid for one list only."""
    listing, limit, is_full = require_valid(page_from(request))
    after = require_valid(listing.parse_cursor(request.page_token))
    return PageRequest(listing=listing, after=after, limit=limit, is_full=is_full)


def page_from(request: task_pb2.ListMeetingsRequest) -> Checked[tuple[MeetingListQuery, int, bool]]:
    listing = yield from meeting_listing_from(request)
    limit = yield from parse_page_size(request.page_size)
    is_full = yield from full_meeting_view_from(request.view)
    return listing, limit, is_full


def cancellation_from(request: task_pb2.CancelMeetingRequest) -> Checked[RequestedCancellation]:
    yield from meeting_id_violations(request.meeting_id)
    yield from reason_violations(request.reason)
    return RequestedCancellation(reason=request.reason)


def removal_from(request: task_pb2.RemoveAttendeesRequest) -> Checked[RequestedRemoval]:
    yield from meeting_id_violations(request.meeting_id)
    emails = yield from read_removal(request.emails, request.reason)
    return RequestedRemoval(emails=emails, reason=request.reason)


def calendar_email_from(request: task_pb2.GetMeetingCalendarRequest) -> Checked[str]:
    yield from meeting_id_violations(request.meeting_id)
    if not request.email:
        return ""
    return (yield from parse_stored_address(request.email, field="email"))
