"""The changes of an existing meeting that callers request: checked and applied to it. Pure.

Each returns the changed meeting, or the very one it was given if that is as requested already, and
the note on its times.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from msgspec import Struct

from gcsched.domain.actor import Actor
from gcsched.domain.meetings.acts import Act, require_changeable
from gcsched.domain.meetings.changes import (
    add_attendees,
    cancel_meeting,
    remove_attendees,
    update_meeting,
)
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.meeting import Attendee, Meeting
from gcsched.domain.meetings.requests import Checking, validate_attendees, validate_update


class Applied(NamedTuple):
    """The meeting as a change makes it, and the note on its times."""

    meeting: Meeting
    time_note: str = ""


class RequestedUpdate(Struct, frozen=True, kw_only=True):
    """New values for the fields of *mask*; None: for those that *draft* sets."""

    draft: MeetingDraft
    mask: Collection[str] | None

    def apply(self, meeting: Meeting, actor: Actor, checking: Checking) -> Applied:
        """Raise MeetingCancelled, MeetingOver or InvalidRequest if that cannot be."""
        require_changeable(meeting, checking.now)
        values = validate_update(self.draft, self.mask, meeting, checking)
        changed = update_meeting(meeting, values, Act(actor=actor, now=checking.now))
        return Applied(changed, values.occasion.time_note)


class RequestedCancellation(Struct, frozen=True, kw_only=True):
    """The meeting shall not take place, for a *reason* that its mails show."""

    reason: str = ""

    def apply(self, meeting: Meeting, actor: Actor, checking: Checking) -> Applied:
        """Raise MeetingOver if that cannot be."""
        act = Act(actor=actor, now=checking.now, reason=self.reason)
        return Applied(cancel_meeting(meeting, act))


class RequestedAttendees(Struct, frozen=True, kw_only=True):
    """*attendees* shall be invited; *tell_others*: the others shall learn of it."""

    attendees: Sequence[AttendeeDraft]
    tell_others: bool = False

    def apply(self, meeting: Meeting, actor: Actor, checking: Checking) -> Applied:
        """Raise MeetingCancelled, MeetingOver or InvalidRequest if that cannot be."""
        require_changeable(meeting, checking.now)
        added = validate_attendees(self.attendees, meeting, checking)
        act = Act(actor=actor, now=checking.now)
        return Applied(add_attendees(meeting, added, act, tell_others=self.tell_others))


class RequestedRemoval(Struct, frozen=True, kw_only=True):
    """The attendees with the addresses *emails* shall not be invited any more."""

    emails: Sequence[str]
    reason: str = ""

    def apply(self, meeting: Meeting, actor: Actor, checking: Checking) -> Applied:
        """Raise MeetingCancelled, MeetingOver or UnknownAttendee if that cannot be."""
        act = Act(actor=actor, now=checking.now, reason=self.reason)
        return Applied(remove_attendees(meeting, self.emails, act))


RequestedChange = RequestedUpdate | RequestedCancellation | RequestedAttendees | RequestedRemoval


def list_invited(meeting: Meeting) -> Sequence[Attendee]:
    """Return the attendees who are not removed."""
    return [each for each in meeting.attendees if not each.is_removed]
