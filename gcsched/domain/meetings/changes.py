"""The changes that callers make to meetings. Pure.

Each function returns the changed meeting, with the step of its caller, its `version` and `changes`
raised by one, and `check_time` at once. It returns the very meeting that it was given if that is as
the caller wants it already. The caller of a change first folds in what jobs prove (`fold_jobs`).
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from gcsched.domain.actor import Actor
from gcsched.domain.meetings.meeting import Attendee, Meeting
from gcsched.domain.meetings.values import MeetingValues, NewMeeting


class Act(Struct, frozen=True, kw_only=True):
    """Who changes a meeting, and when; *reason* is what the caller said."""

    actor: Actor
    now: datetime
    reason: str = ""


def create_meeting(new: NewMeeting, act: Act) -> Meeting:
    """Return the meeting that *new* describes, with ids of its own."""
    raise NotImplementedError


def update_meeting(meeting: Meeting, values: MeetingValues, act: Act) -> Meeting:
    """Return *meeting* with *values*. Raises MeetingCancelled and MeetingOver.

    After the start it is over, unless the new start is ahead.
    """
    raise NotImplementedError


def cancel_meeting(meeting: Meeting, act: Act) -> Meeting:
    """Return *meeting* cancelled. Raises MeetingOver; a cancelled one stays as it is."""
    raise NotImplementedError


def add_attendees(
    meeting: Meeting, attendees: Sequence[Attendee], act: Act, *, tell_others: bool = False
) -> Meeting:
    """Return *meeting* with *attendees* as well. Raises MeetingCancelled and MeetingOver.

    It is over for them once it has started: no invitation comes after that. Those who are invited
    already stay as they are. Raises InvalidRequest if they would be too many.
    """
    raise NotImplementedError


def remove_attendees(meeting: Meeting, emails: Sequence[str], act: Act) -> Meeting:
    """Return *meeting* with the attendees of *emails*, in any spelling, removed.

    Raises UnknownAttendee, MeetingCancelled and MeetingOver.
    """
    raise NotImplementedError
