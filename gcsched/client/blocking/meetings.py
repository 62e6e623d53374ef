"""The methods of the blocking client that create, read and change meetings."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Unpack

from gcsched.client.blocking.connection import BlockingConnection
from gcsched.client.calls import meetings as calls
from gcsched.client.calls.meetings import (
    ChangeOptions,
    MeetingChanges,
    MeetingFilter,
    MeetingOptions,
)
from gcsched.client.results.meetings import Attendee, CalendarFile, Meeting


class MeetingMethods(BlockingConnection):
    """Create meetings, read them, and change one of them.

    With `validate_only` a change is checked, and the answer has its effects; nothing is changed.
    """

    def create_meeting(
        self,
        *,
        summary: str,
        start: str | datetime,
        time_zone: str,
        attendees: Iterable[Attendee],
        timeout: float | None = None,
        **options: Unpack[MeetingOptions],
    ) -> Meeting:
        """Create a meeting and invite its *attendees*; return it. Raises CallFailed.

        *start*, and the option *end* or *duration*, are as in Event. The other options are
        *location*, *url*, *description*, *organizer*, *guests_see_each_other*, *reminders*,
        *invite_at*, *strict_time*, *texts*, *labels*, *sender*, *request_id* and *validate_only*.
        After DeadlineExceeded only a call with the same *request_id* is the same meeting.

        >>> meeting = gcsched.create_meeting(
        ...     summary="Review",
        ...     start="2030-01-05T09:00",
        ...     duration=timedelta(minutes=30),
        ...     time_zone="Europe/Berlin",
        ...     attendees=[Attendee(email="ada@example.org", name="Ada")],
        ...     invite_at=datetime(2029, 12, 1, tzinfo=UTC),
        ...     reminders=[Reminder(before=timedelta(days=1))],
        ... )
        >>> meeting.end, meeting.end_time == datetime(2030, 1, 5, 8, 30, tzinfo=UTC)
        ('2030-01-05T09:30', True)
        >>> [(effect.what, effect.purpose) for effect in meeting.effects]
        [('MAKES', 'INVITATION')]
        """
        call = calls.create_meeting(summary, start, time_zone, attendees, **options)
        return self._run(call, timeout)

    def get_meeting(self, meeting_id: str, *, timeout: float | None = None) -> Meeting:
        """Return a meeting, and what each attendee knows of it. Raises NotFound, CallFailed.

        >>> meeting = next(gcsched.list_meetings(attendee="ada@example.org"))
        >>> [ada] = gcsched.get_meeting(meeting.meeting_id).attendees
        >>> ada.email, ada.delivery == State.SCHEDULED
        ('ada@example.org', True)
        """
        return self._run(calls.get_meeting(meeting_id), timeout)

    def list_meetings(
        self,
        *,
        order: str = "",
        view: str = "",
        page_size: int = 0,
        timeout: float | None = None,
        **which: Unpack[MeetingFilter],
    ) -> Iterator[Meeting]:
        """Iterate over the meetings that match all that is given, see MeetingFilter.

        They are read page by page, as jobs are by list_jobs. *order* is one of MeetingOrder, as far
        as the filter allows it. Raises CallFailed.

        >>> [each.summary for each in gcsched.list_meetings(attendee="ada@example.org")]
        ['Review']
        """
        listing = calls.list_meetings(order=order, view=view, page_size=page_size, **which)
        return self._iterate(listing, timeout)

    def update_meeting(
        self, meeting_id: str, *, timeout: float | None = None, **changes: Unpack[MeetingChanges]
    ) -> Meeting:
        """Change what is given, see MeetingChanges; None takes it away. Return the meeting.

        Attendees who have, or may have, an invitation get an update; those whose invitation waits
        get a better one. With an *etag*, only the meeting as it was read is changed. Raises
        FailedPrecondition if it is over or cancelled, Aborted if it has changed, CallFailed.

        >>> meeting = next(gcsched.list_meetings(attendee="ada@example.org"))
        >>> moved = gcsched.update_meeting(meeting.meeting_id, start="2030-01-05T10:00")
        >>> moved.end, [(effect.what, effect.purpose) for effect in moved.effects]
        ('2030-01-05T10:30', [('CHANGES', 'INVITATION')])
        """
        return self._run(calls.update_meeting(meeting_id, **changes), timeout)

    def add_attendees(
        self,
        meeting_id: str,
        attendees: Iterable[Attendee],
        *,
        tell_others: bool = False,
        timeout: float | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Meeting:
        """Add *attendees* and invite them; return the meeting. Raises what update_meeting raises.

        With *tell_others* the other attendees get an update.

        >>> meeting = next(gcsched.list_meetings(attendee="ada@example.org"))
        >>> guest = Attendee(email="grace@example.org", role=Role.OPTIONAL)
        >>> more = gcsched.add_attendees(meeting.meeting_id, [guest])
        >>> [each.email for each in more.attendees]
        ['ada@example.org', 'grace@example.org']
        """
        call = calls.add_attendees(meeting_id, attendees, tell_others=tell_others, **options)
        return self._run(call, timeout)

    def remove_attendees(
        self,
        meeting_id: str,
        emails: Iterable[str],
        *,
        reason: str = "",
        timeout: float | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Meeting:
        """Remove the attendees with the addresses *emails*; return the meeting.

        One who has, or may have, an invitation gets a cancellation with the *reason*. Raises
        NotFound if an address is not among the attendees, and what update_meeting raises.

        >>> meeting = next(gcsched.list_meetings(attendee="ada@example.org"))
        >>> fewer = gcsched.remove_attendees(meeting.meeting_id, ["Grace@example.org"])
        >>> [each.email for each in fewer.attendees if not each.removed]
        ['ada@example.org']
        """
        call = calls.remove_attendees(meeting_id, emails, reason=reason, **options)
        return self._run(call, timeout)

    def meeting_calendar(
        self, meeting_id: str, email: str = "", *, timeout: float | None = None
    ) -> CalendarFile:
        """Return the calendar file of the latest mail to *email*; without it, one for a page.

        Raises NotFound, CallFailed.

        >>> meeting = next(gcsched.list_meetings(attendee="ada@example.org"))
        >>> file = gcsched.meeting_calendar(meeting.meeting_id)
        >>> file.name, b"SUMMARY:Review" in file.content
        ('invite.ics', True)
        """
        return self._run(calls.meeting_calendar(meeting_id, email), timeout)

    def cancel_meeting(
        self,
        meeting_id: str,
        *,
        reason: str = "",
        timeout: float | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Meeting:
        """Cancel a meeting; return it. Raises what update_meeting raises.

        Attendees who have, or may have, an invitation get a cancellation with the *reason*.

        >>> meeting = next(gcsched.list_meetings(attendee="ada@example.org"))
        >>> cancelled = gcsched.cancel_meeting(meeting.meeting_id, reason="postponed")
        >>> cancelled.state == MeetingState.CANCELLED, cancelled.reason
        (True, 'postponed')
        """
        return self._run(calls.cancel_meeting(meeting_id, reason=reason, **options), timeout)
