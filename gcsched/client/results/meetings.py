"""Meetings: what is planned, who is invited, what each attendee knows. By the contract's names.

A caller makes Attendee, Reminder and MeetingTexts too; what the service sets in them is not sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gcsched.client.event import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendee:
    """A person who is invited; the address identifies the attendee within the meeting.

    *role* is one of Role. The service sets the fields after it; *delivery* is the State of the
    latest invitation, update or cancellation.
    """

    email: str
    name: str = ""
    empid: str = ""
    role: str = "REQUIRED"
    told: str = "NOTHING"
    told_sequence: int = 0
    delivery: str = ""
    job_id: str = ""
    delivery_reason: str = ""
    removed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A mail some time *before* the start, by its own *template* or that of the texts."""

    before: timedelta
    template: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailText:
    """Template and subject of one kind of mail; empty means the service's own."""

    template: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingTexts:
    """Templates and subjects of the mails about a meeting, and values for the templates."""

    invitation: MailText | None = None
    update: MailText | None = None
    cancellation: MailText | None = None
    reminder: MailText | None = None
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a call does about mails to one attendee: *purpose* is a Purpose, *what* one of What.

    *in_flight* is how many mails with older content could not be held back.
    """

    email: str
    purpose: str = ""
    what: str = "NOTHING"
    in_flight: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingStep:
    """One step that a caller took on a meeting, and the revision that it made."""

    time: datetime | None = None
    client: str = ""
    via: str = ""
    method: str = ""
    revision: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """A meeting; *state* is one of MeetingState.

    *start* and *end* are what clocks in *time_zone* show, *start_time* and *end_time* the instants.
    *effects* and *time_note* are only in the answer to a change; *location*, *url*, *description*,
    *texts* and *steps* are empty in the view BASIC.
    """

    meeting_id: str
    uid: str = ""
    etag: str = ""
    state: str = ""
    sequence: int = 0
    summary: str = ""
    start: str = ""
    end: str = ""
    duration: timedelta | None = None
    time_zone: str = ""
    location: str = ""
    url: str = ""
    description: str = ""
    organizer: Person | None = None
    attendees: tuple[Attendee, ...] = ()
    guests_see_each_other: bool = False
    reminders: tuple[Reminder, ...] = ()
    invite_at: datetime | None = None
    strict_time: bool = False
    texts: MeetingTexts | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    start_time: datetime | None = None
    end_time: datetime | None = None
    time_note: str = ""
    zone_version: str = ""
    create_time: datetime | None = None
    update_time: datetime | None = None
    reason: str = ""
    effects: tuple[Effect, ...] = ()
    request_id: str = ""
    client: str = ""
    sender: str = ""
    steps: tuple[MeetingStep, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFile:
    """A calendar file: a *name* for it, and its octets."""

    name: str = ""
    content: bytes = b""
