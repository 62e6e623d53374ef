"""What a valid request makes of a meeting. Pure."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from gcsched.domain.event import Occasion
from gcsched.domain.meetings.meeting import Attendee, MeetingTexts, Reminder


class MeetingValues(Struct, frozen=True, kw_only=True):
    """All that a caller can change of a meeting, valid, but for its attendees.

    *occasion* has the times, the place, the link, the description and the organizer.
    *zone_version* is that of the rules by which the times were found. An *invite_time* of None
    means now.
    """

    summary: str
    occasion: Occasion
    zone_version: str
    sent_by: str
    reminders: tuple[Reminder, ...]
    guests_see_each_other: bool
    invite_time: datetime | None
    texts: MeetingTexts
    labels: Mapping[str, str]
    strict_time: bool


class NewMeeting(Struct, frozen=True, kw_only=True):
    """A valid request to create a meeting. *sender* is the key of the sender of its mails."""

    values: MeetingValues
    attendees: tuple[Attendee, ...]
    sender: str
    request_id: str = ""
    fingerprint: str = ""
