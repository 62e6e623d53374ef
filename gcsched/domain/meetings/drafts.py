"""Requests about meetings as callers give them, before any check. Pure.

The event of a draft has its times and texts, by the names and rules of `Event`.
"""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from gcsched.domain.event import Event
from gcsched.domain.meeting_mail import Role
from gcsched.domain.meetings.meeting import MeetingTexts, Reminder


class AttendeeDraft(Struct, frozen=True, kw_only=True):
    """An attendee as a caller names one; a *role* of None is a number that has no name."""

    email: str
    name: str = ""
    empid: str = ""
    role: Role | None = Role.REQUIRED


class MeetingDraft(Struct, frozen=True, kw_only=True):
    """A meeting as a caller describes it; what is empty or None was not set."""

    summary: str = ""
    event: Event = Event(start="", time_zone="")
    attendees: tuple[AttendeeDraft, ...] = ()
    guests_see_each_other: bool = False
    reminders: tuple[Reminder, ...] = ()
    invite_time: datetime | None = None
    texts: MeetingTexts = MeetingTexts()
    labels: Mapping[str, str] = field(default_factory=dict)
    sender: str = ""
    request_id: str = ""
