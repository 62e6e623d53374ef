"""Builders of meetings as the service stores them, and of what their mails come to."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from gcsched.domain.job import Job, State
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.mails import MailRules
from gcsched.domain.meetings.meeting import Attendee, Meeting
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import NOW, a_revision, an_attempt

RULES = MailRules(message_id_domain="example.net")
MINUTE = timedelta(minutes=1)


def an_invitee(number: int = 1, **others: Any) -> Attendee:
    """Build an attendee who was never mailed; the first one is Ada."""
    name = "ada" if number == 1 else f"guest-{number}"
    ordinary: dict[str, Any] = {
        "email": f"{name}@example.org",
        "name": name.title(),
        "empid": f"E{number}",
    }
    return Attendee(**{**ordinary, **others})


def a_planned_meeting(count: int = 1, **others: Any) -> Meeting:
    """Build a meeting that was created at NOW, half a year before its start."""
    ordinary: dict[str, Any] = {
        "revision": a_revision(),
        "attendees": tuple(an_invitee(number) for number in range(1, count + 1)),
        "invite_time": NOW,
        "create_time": NOW,
        "update_time": NOW,
        "check_time": NOW,
    }
    return Meeting(**{**ordinary, **others})


def a_next_revision(meeting: Meeting, **content: Any) -> MeetingRevision:
    latest = meeting.revision
    number = latest.number + 1
    return replace(latest, number=number, stamp=latest.stamp + timedelta(seconds=1), **content)


def revise_meeting(meeting: Meeting, **content: Any) -> Meeting:
    """Return *meeting* as a caller changes its content; SEQUENCE rises as if it was mailed."""
    revision = a_next_revision(meeting, sequence=meeting.revision.sequence + 1, **content)
    return replace(
        meeting,
        revision=revision,
        content_revision=revision.number,
        version=meeting.version + 1,
        changes=meeting.changes + 1,
        check_time=NOW,
    )


def send(job: Job) -> Job:
    """Return *job* as the relay accepts it."""
    claimed = replace(job, state=State.SENDING, version=job.version + 1)
    return claimed.sent(an_attempt(kind=Kind.ACCEPTED, code=250))
