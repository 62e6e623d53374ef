"""Meetings for tests at a service: requests, and what attendees get."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from gcsched.pb import task_pb2
from tests.support.invitations import parse_mail, read_calendar, unfold
from tests.support.relay.server import Relay
from tests.support.service_process import Stub
from tests.support.wait import until

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"
START = "2030-01-05T09:00"


def an_attendee(email: str = ADA, **others: Any) -> task_pb2.Attendee:
    return task_pb2.Attendee(email=email, **others)


def a_reminder(**before: float) -> task_pb2.Reminder:
    """Build a reminder so much *before* the start, as a timedelta counts it."""
    return task_pb2.Reminder(before=timedelta(**before))


def a_meeting(*emails: str, **fields: Any) -> task_pb2.Meeting:
    """Build a review of half an hour in Berlin, to which Ada is invited or *emails* are."""
    ordinary: dict[str, Any] = {
        "summary": "Review",
        "start": START,
        "time_zone": "Europe/Berlin",
        "attendees": [an_attendee(each) for each in emails or (ADA,)],
    }
    if not {"end", "duration"} & fields.keys():
        ordinary["duration"] = timedelta(minutes=30)
    return task_pb2.Meeting(**{**ordinary, **fields})


def a_creation(
    meeting: task_pb2.Meeting | None = None, **fields: Any
) -> task_pb2.CreateMeetingRequest:
    return task_pb2.CreateMeetingRequest(meeting=meeting or a_meeting(), **fields)


async def create(stub: Stub, *emails: str, **fields: Any) -> task_pb2.Meeting:
    return await stub.CreateMeeting(a_creation(a_meeting(*emails, **fields)))


async def read(stub: Stub, meeting_id: str, **request: Any) -> task_pb2.Meeting:
    return await stub.GetMeeting(task_pb2.GetMeetingRequest(meeting_id=meeting_id, **request))


def in_utc(ahead: timedelta) -> dict[str, Any]:
    """Return the start of a meeting that is *ahead*, in whole minutes, as fields."""
    start = (datetime.now(UTC) + ahead).replace(second=0, microsecond=0)
    return {"start": f"{start:%Y-%m-%dT%H:%M}", "time_zone": "UTC"}


async def wait_until_told(
    stub: Stub, meeting_id: str, *emails: str, sequence: int = 0
) -> task_pb2.Meeting:
    """Wait until the attendees with *emails* are known to have the word with *sequence*."""

    async def find_told() -> task_pb2.Meeting | None:
        meeting = await read(stub, meeting_id)
        told = {
            each.email
            for each in meeting.attendees
            if each.told == task_pb2.Attendee.SURE and each.told_sequence == sequence
        }
        return meeting if told >= set(emails) else None

    meeting = await until(find_told)
    assert meeting is not None
    return meeting


def mails_to(relay: Relay, email: str) -> list[EmailMessage]:
    """Return the mails that the relay has kept for *email*, oldest first."""
    return [parse_mail(each.content) for each in relay.ledger if each.recipient == email]


async def wait_for_mails(relay: Relay, email: str, count: int) -> list[EmailMessage]:
    await until(lambda: len(mails_to(relay, email)) >= count)
    return mails_to(relay, email)


def read_text(mail: EmailMessage) -> str:
    """Return the plain text of *mail*."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def read_lines(mail: EmailMessage) -> dict[str, str]:
    """Return the lines of the calendar part of *mail*: the text before ":" or ";" → the rest."""
    return split_lines(read_calendar(mail.as_bytes()))


def split_lines(calendar: bytes) -> dict[str, str]:
    lines = {}
    for line in unfold(calendar):
        cut = min(at for at in (line.find(":"), line.find(";")) if at >= 0)
        lines[line[:cut]] = line[cut + 1 :]
    return lines


def effects_of(meeting: task_pb2.Meeting) -> Sequence[tuple[str, str, str, int]]:
    """Return address, purpose, what and count of each effect, in the order of the addresses."""
    return sorted(
        (
            each.email,
            task_pb2.Job.Purpose.Name(each.purpose),
            task_pb2.Effect.What.Name(each.what),
            each.count,
        )
        for each in meeting.effects
    )
