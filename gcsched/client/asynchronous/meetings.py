"""The methods of the asyncio client that create, read and change meetings."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Unpack

from gcsched.client.asynchronous.connection import AsyncConnection
from gcsched.client.calls import meetings as calls
from gcsched.client.calls.meetings import (
    ChangeOptions,
    MeetingChanges,
    MeetingFilter,
    MeetingOptions,
)
from gcsched.client.results.meetings import Attendee, CalendarFile, Meeting


class AsyncMeetingMethods(AsyncConnection):
    """Create meetings, read them, and change one of them."""

    async def create_meeting(
        self,
        *,
        summary: str,
        start: str | datetime,
        time_zone: str,
        attendees: Iterable[Attendee],
        timeout: float | None = None,
        **options: Unpack[MeetingOptions],
    ) -> Meeting:
        """Do what Client.create_meeting does."""
        call = calls.create_meeting(summary, start, time_zone, attendees, **options)
        return await self._run(call, timeout)

    async def get_meeting(self, meeting_id: str, *, timeout: float | None = None) -> Meeting:
        """Do what Client.get_meeting does."""
        return await self._run(calls.get_meeting(meeting_id), timeout)

    def list_meetings(
        self,
        *,
        order: str = "",
        view: str = "",
        page_size: int = 0,
        timeout: float | None = None,
        **which: Unpack[MeetingFilter],
    ) -> AsyncIterator[Meeting]:
        """Do what Client.list_meetings does."""
        listing = calls.list_meetings(order=order, view=view, page_size=page_size, **which)
        return self._iterate(listing, timeout)

    async def update_meeting(
        self, meeting_id: str, *, timeout: float | None = None, **changes: Unpack[MeetingChanges]
    ) -> Meeting:
        """Do what Client.update_meeting does."""
        return await self._run(calls.update_meeting(meeting_id, **changes), timeout)

    async def add_attendees(
        self,
        meeting_id: str,
        attendees: Iterable[Attendee],
        *,
        tell_others: bool = False,
        timeout: float | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Meeting:
        """Do what Client.add_attendees does."""
        call = calls.add_attendees(meeting_id, attendees, tell_others=tell_others, **options)
        return await self._run(call, timeout)

    async def remove_attendees(
        self,
        meeting_id: str,
        emails: Iterable[str],
        *,
        reason: str = "",
        timeout: float | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Meeting:
        """Do what Client.remove_attendees does."""
        call = calls.remove_attendees(meeting_id, emails, reason=reason, **options)
        return await self._run(call, timeout)

    async def meeting_calendar(
        self, meeting_id: str, email: str = "", *, timeout: float | None = None
    ) -> CalendarFile:
        """Do what Client.meeting_calendar does."""
        return await self._run(calls.meeting_calendar(meeting_id, email), timeout)

    async def cancel_meeting(
        self,
        meeting_id: str,
        *,
        reason: str = "",
        timeout: float | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Meeting:
        """Do what Client.cancel_meeting does."""
        return await self._run(calls.cancel_meeting(meeting_id, reason=reason, **options), timeout)
