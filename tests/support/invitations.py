"""Invitations for tests: the job of one, and what parsers find in its mail."""

from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from msgspec import structs

from gcsched.adapters.mail.composer import Composer, encode_bodies
from gcsched.domain.job import Job
from gcsched.domain.mail import Mail
from gcsched.domain.meeting import MeetingRevision, Person
from gcsched.domain.meeting_mail import MeetingMail
from tests.support.builders import a_job

INTERVIEW = MeetingRevision(
    meeting_id="0196f0c2a4f87d0e8a543b7f1c2d9e10",
    uid="0196f0c2a4f87d0e8a543b7f1c2d9e10@example.org",
    number=1,
    sequence=0,
    stamp=datetime(2027, 1, 4, 8, tzinfo=UTC),
    start=datetime(2027, 1, 5, 8, tzinfo=UTC),
    end=datetime(2027, 1, 5, 8, 45, tzinfo=UTC),
    start_wall=datetime.fromisoformat("2027-01-05T09:00"),
    end_wall=datetime.fromisoformat("2027-01-05T09:45"),
    zone="Europe/Berlin",
    zone_version="2026f",
    summary="Interview with Ada Lovelace",
    location="Room 4.2, second floor",
    url="https://meet.example.org/j/42",
    description="We talk about your notes on the engine.\n\nPlease bring:\n- the notes\n- a pencil",
    organizer=Person("people@example.org", "People Team"),
)


def an_invitation_job(*, job: dict[str, Any] | None = None, **meeting: Any) -> Job:
    """Build the job that invites Ada; *meeting* are other values of the meeting."""
    revision = structs.replace(INTERVIEW, **meeting)
    ordinary: dict[str, Any] = {
        "id": "019b90a6e2c37d5b8a9b0c1d2e3f4a5b",
        "empid": "E1815",
        "email": "ada@example.org",
        "name": "Ada Lovelace",
        "message": revision.summary,
        "message_id": "019b90a6e2c37d5b8a9b0c1d2e3f4a5b@example.org",
        "template": "invitation",
        "meeting": MeetingMail(revision=revision),
    }
    return a_job(**{**ordinary, **(job or {})})


def compose_by_rendering(composer: Composer, job: Job) -> Mail:
    """Compose *job* by rendering, whatever its values are."""
    return composer.build_mail(job, encode_bodies(job, composer.render(job)))


def parse_mail(content: bytes) -> EmailMessage:
    return BytesParser(policy=policy.default).parsebytes(content)


def read_calendar(content: bytes) -> bytes:
    """Return the calendar part of a mail, as the standard library reads it."""
    parts = [each for each in parse_mail(content).walk() if is_calendar(each)]
    (only,) = parts
    octets = only.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


def is_calendar(part: Any) -> bool:
    return bool(part.get_content_type() == "text/calendar")


def unfold(calendar: bytes) -> list[str]:
    """Return the content lines of *calendar* (RFC 5545 section 3.1)."""
    return calendar.replace(b"\r\n ", b"").decode().split("\r\n")[:-1]
