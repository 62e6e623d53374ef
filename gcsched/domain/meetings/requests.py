"""Checks requests about meetings: every broken rule is reported. Pure.

The rules are those of ScheduleMeet where the fields are the same.
"""

from collections.abc import Collection, Sequence

from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.meetings.attendee_checks import (
    organizer_violations,
    read_addresses,
    read_attendees,
    room_violations,
)
from gcsched.domain.meetings.checking import Checking
from gcsched.domain.meetings.creation_checks import read_new_meeting
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.meeting import Attendee, Meeting
from gcsched.domain.meetings.update_checks import read_update
from gcsched.domain.meetings.values import MeetingValues, NewMeeting
from gcsched.domain.validation import reason_violations

__all__ = [
    "Checking",
    "validate_attendees",
    "validate_new_meeting",
    "validate_reason",
    "validate_removal",
    "validate_update",
]


def validate_new_meeting(draft: MeetingDraft, checking: Checking) -> NewMeeting:
    """Return the meeting that *draft* describes. Raises InvalidRequest with every violation."""
    new = require_valid(read_new_meeting(draft, checking))
    if new is None:
        raise ValueError("a meeting without times passed the check")
    return new


def validate_update(
    draft: MeetingDraft, mask: Collection[str] | None, meeting: Meeting, checking: Checking
) -> MeetingValues:
    """Return the values of *meeting* after an update. Raises InvalidRequest with every violation.

    *mask* names the fields to change, as the contract does; None: those that *draft* sets. A start
    or a zone without an end or a duration keeps the length of the meeting.
    """
    values = require_valid(read_update(draft, mask, meeting, checking))
    if values is None:
        raise ValueError("a meeting without times passed the check")
    return values


def validate_attendees(
    drafts: Sequence[AttendeeDraft], meeting: Meeting, checking: Checking
) -> tuple[Attendee, ...]:
    """Return the attendees to add to *meeting*. Raises InvalidRequest with every violation."""
    return require_valid(read_added_attendees(drafts, meeting, checking))


def read_added_attendees(
    drafts: Sequence[AttendeeDraft], meeting: Meeting, checking: Checking
) -> Checked[tuple[Attendee, ...]]:
    field = "attendees"
    attendees = yield from read_attendees(drafts, field, checking.context, checking.client)
    yield from organizer_violations(attendees, field, meeting.revision.organizer)
    yield from room_violations(attendees, meeting)
    return attendees


def validate_removal(emails: Sequence[str], reason: str) -> tuple[str, ...]:
    """Return the addresses to remove, normalised. Raises InvalidRequest with every violation."""
    return require_valid(read_removal(emails, reason))


def read_removal(emails: Sequence[str], reason: str) -> Checked[tuple[str, ...]]:
    addresses = yield from read_addresses(emails)
    yield from reason_violations(reason)
    return tuple(addresses)


def validate_reason(reason: str) -> str:
    """Return the reason of a cancellation. Raises InvalidRequest if it is too long."""
    require_valid(reason_violations(reason))
    return reason
