"""Reads meetings: one by its id, many page by page, and the calendar file of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gcsched.domain.access import Client, Scope
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.calendars import (
    find_attendee,
    find_shown_number,
    write_calendar,
    write_page_calendar,
)
from gcsched.domain.meetings.meeting import Attendee, Meeting
from gcsched.domain.meetings.meeting_list import MeetingCursor, MeetingListQuery
from gcsched.errors import ScopeMissing, UnknownAttendee
from gcsched.usecases.meetings.visible_meeting import find_visible_meeting
from gcsched.usecases.ports.meetings import MeetingList, MeetingPage, Meetings

NO_MEETINGS = MeetingPage(meetings=(), next_cursor=None)
FULL_LIST = "ListMeetings with the view FULL for meetings of other clients"
CALENDAR = "GetMeetingCalendar for meetings of other clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMeetings:
    """Reads meetings for callers, each of whom gets only those that it may see."""

    store: Meetings
    meeting_list: MeetingList

    async def get(self, meeting_id: str, client: Client) -> Meeting:
        """Return the meeting. Raises UnknownMeeting, UnreadableMeeting, StoreUnavailable."""
        return await find_visible_meeting(self.store.find, meeting_id, client)

    async def read_page(
        self,
        listing: MeetingListQuery,
        after: MeetingCursor | None,
        *,
        most: int,
        is_full: bool,
        client: Client,
    ) -> MeetingPage:
        """Return a page of the meetings that *client* may see.

        Raises ScopeMissing if *is_full* and it may not read the content of all of them.
        """
        visible = listing.filter.visible_to(client)
        if visible is None:
            return NO_MEETINGS
        if is_full and not client.may_read_content(visible.client):
            raise ScopeMissing(client.name, FULL_LIST, (Scope.CONTENT,))
        return await self.meeting_list.read_page(replace(listing, filter=visible), after, most=most)

    async def find_history(self, meeting: Meeting) -> Sequence[MeetingRevision]:
        """Return the revisions that the steps of *meeting* made, and the one before them.

        They are in their order; the meeting is one that its caller may see.
        """
        numbers = {step.revision for step in meeting.steps}
        if numbers:
            numbers.add(max(min(numbers) - 1, 1))
        latest = meeting.revision
        missing = numbers - {latest.number}
        found = await self.store.find_revisions(meeting.id, missing) if missing else {}
        return [*sorted(found.values(), key=lambda each: each.number), latest]

    async def write_calendar(self, meeting_id: str, email: str, client: Client) -> bytes:
        """Return the calendar file for the attendee *email*, or without people if that is "".

        Raises UnknownMeeting, UnreadableMeeting, UnknownAttendee, ScopeMissing, StoreUnavailable.
        """
        meeting = await self.get(meeting_id, client)
        if not client.may_read_content(meeting.client):
            raise ScopeMissing(client.name, CALENDAR, (Scope.CONTENT,))
        if not email:
            return write_page_calendar(meeting)
        attendee = find_attendee(meeting, email)
        if attendee is None:
            raise UnknownAttendee(meeting_id, ["email"])
        return write_calendar(meeting, attendee, await self._find_shown(meeting, attendee))

    async def _find_shown(self, meeting: Meeting, attendee: Attendee) -> MeetingRevision:
        number = find_shown_number(meeting, attendee)
        if number == meeting.revision.number:
            return meeting.revision
        found = await self.store.find_revisions(meeting.id, [number])
        return found.get(number, meeting.revision)
