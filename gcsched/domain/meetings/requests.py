"""Checks requests about meetings: every broken rule is reported. Pure.

The rules are those of ScheduleMeet where the fields are the same.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from gcsched.domain.access import Client
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.meeting import Attendee, Meeting
from gcsched.domain.meetings.values import MeetingValues, NewMeeting
from gcsched.domain.request import RequestContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """What a request about a meeting is checked against: the rules, the caller and the time."""

    context: RequestContext
    client: Client
    now: datetime
    zone_version: str = ""


def validate_new_meeting(draft: MeetingDraft, checking: Checking) -> NewMeeting:
    """Return the meeting that *draft* describes. Raises InvalidRequest with every violation."""
    raise NotImplementedError


def validate_update(
    draft: MeetingDraft, mask: Collection[str] | None, meeting: Meeting, checking: Checking
) -> MeetingValues:
    """Return the values of *meeting* after an update. Raises InvalidRequest with every violation.

    *mask* names the fields to change, as the contract does; None: those that *draft* sets. A start
    or a zone without an end or a duration keeps the length of the meeting.
    """
    raise NotImplementedError


def validate_attendees(
    drafts: Sequence[AttendeeDraft], meeting: Meeting, checking: Checking
) -> tuple[Attendee, ...]:
    """Return the attendees to add to *meeting*. Raises InvalidRequest with every violation."""
    raise NotImplementedError


def validate_removal(emails: Sequence[str], reason: str) -> tuple[str, ...]:
    """Return the addresses to remove, normalised. Raises InvalidRequest with every violation."""
    raise NotImplementedError


def validate_reason(reason: str) -> str:
    """Return the reason of a cancellation. Raises InvalidRequest if it is too long."""
    raise NotImplementedError
