"""CreateMeeting with a real channel, real stores and a real relay. Oracle: the contract."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from pymongo.database import Database

from gcsched.pb import task_pb2
from tests.support.handler_server import read_error_status
from tests.support.log_events import Events
from tests.support.meeting_service import (
    ADA,
    BOB,
    EVE,
    START,
    a_creation,
    a_meeting,
    a_reminder,
    an_attendee,
    create,
    effects_of,
    mails_to,
    read,
    read_lines,
    wait_for_mails,
    wait_until_told,
)
from tests.support.relay.server import Relay
from tests.support.rows import Row
from tests.support.service_process import Stub

Role = task_pb2.Attendee.Role
FORMS = '\r\nATTENDEE:mailto:eve@example.org\r\n; \\ " ^n : , \u2028 \u202e'


async def test_an_answer_has_the_meeting_as_it_is_stored(stub: Stub) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    texts = task_pb2.MeetingTexts(variables={"room_code": "4711"})
    texts.invitation.subject = "Come to the review"
    created = await create(
        stub,
        summary="  Review  ",
        location="Room 5",
        url="https://meet.example.org/j/42",
        description="Bring:\n- a pencil",
        reminders=[a_reminder(hours=1)],
        labels={"team": "engines"},
        texts=texts,
        attendees=[an_attendee(name="Ada", empid="E1", role=Role.OPTIONAL)],
    )
    found = await read(stub, created.meeting_id)

    assert len(created.meeting_id) == 32
    assert created.uid == f"{created.meeting_id}@example.org"
    assert (created.state, created.sequence) == (task_pb2.Meeting.SCHEDULED, 0)
    assert (created.summary, created.start, created.end) == ("Review", START, "2030-01-05T09:30")
    assert created.start_time.ToJsonString() == "2030-01-05T08:00:00Z"
    assert created.end_time.ToJsonString() == "2030-01-05T08:30:00Z"
    assert created.duration.ToTimedelta() == timedelta(minutes=30)
    assert (created.location, created.url) == ("Room 5", "https://meet.example.org/j/42")
    assert created.description == "Bring:\n- a pencil"
    assert created.texts == texts
    assert created.labels == {"team": "engines"}
    assert created.organizer.email == "no-reply@example.org"
    assert before <= created.invite_at.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)
    [attendee] = created.attendees
    assert (attendee.email, attendee.name, attendee.empid) == (ADA, "Ada", "E1")
    assert (attendee.role, attendee.told) == (Role.OPTIONAL, task_pb2.Attendee.NOTHING)
    assert attendee.delivery in {task_pb2.Job.SCHEDULED, task_pb2.Job.STATE_UNSPECIFIED}
    assert effects_of(created) == [
        (ADA, "INVITATION", "MAKES", 1),
        (ADA, "REMINDER", "MAKES", 1),
    ] or effects_of(created) == [(ADA, "INVITATION", "MAKES", 1)]
    [step] = created.steps
    assert (step.method, step.revision, step.via) == ("CreateMeeting", 1, "grpc")
    created.ClearField("effects")
    for each in (created, found):
        for listed in each.attendees:
            for name in ("delivery", "job_id", "told"):
                listed.ClearField(name)
    assert found == created


async def test_each_attendee_gets_an_invitation_of_its_own(stub: Stub, relay: Relay) -> None:
    created = await create(stub, ADA, BOB, location="Room 5")

    told = await wait_until_told(stub, created.meeting_id, ADA, BOB)

    assert [each.delivery for each in told.attendees] == [task_pb2.Job.SENT] * 2
    for email, other in ((ADA, BOB), (BOB, ADA)):
        [mail] = mails_to(relay, email)
        lines = read_lines(mail)
        assert (lines["METHOD"], lines["UID"], lines["SEQUENCE"]) == ("REQUEST", told.uid, "0")
        assert (lines["DTSTART"], lines["DTEND"]) == ("20300105T080000Z", "20300105T083000Z")
        assert lines["ATTENDEE"].endswith(f":mailto:{email}")
        assert other not in mail.as_string()
        assert mail["Subject"] == "Review"
    assert told.etag == created.etag


async def test_attendees_see_each_other_only_if_the_caller_says_so(
    stub: Stub, relay: Relay
) -> None:
    await create(stub, ADA, BOB, guests_see_each_other=True)

    [mail] = await wait_for_mails(relay, ADA, 1)

    calendar = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    text = calendar[0].get_content().replace("\r\n ", "").replace("\n ", "")
    assert f"mailto:{BOB}" in text
    assert text.index(f"mailto:{ADA}") < text.index(f"mailto:{BOB}")


async def test_invitations_wait_for_their_time(stub: Stub, relay: Relay) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)

    created = await create(stub, invite_at=later)

    [attendee] = created.attendees
    job = await stub.GetJob(task_pb2.GetJobRequest(job_id=attendee.job_id))
    assert job.state == task_pb2.Job.SCHEDULED
    assert (job.purpose, job.meeting_id) == (task_pb2.Job.INVITATION, created.meeting_id)
    assert later <= job.due_time.ToDatetime(tzinfo=UTC) <= later + timedelta(seconds=1)
    assert job.expire_time == created.start_time
    assert mails_to(relay, ADA) == []


async def test_the_same_request_id_with_the_same_content_is_the_same_meeting(
    stub: Stub, relay: Relay
) -> None:
    request = a_creation(a_meeting(start="2030-03-31T02:30"), request_id="R-1")
    first = await stub.CreateMeeting(request)
    await wait_until_told(stub, first.meeting_id, ADA)

    again = await stub.CreateMeeting(request)
    tried = await stub.CreateMeeting(
        a_creation(request.meeting, request_id="R-1", validate_only=True)
    )
    other = await read_error_status(
        stub.CreateMeeting(a_creation(a_meeting(summary="Other"), request_id="R-1"))
    )

    assert again.meeting_id == tried.meeting_id == first.meeting_id
    assert "2030-03-31T02:30 does not exist" in first.time_note
    assert again.time_note == first.time_note
    assert effects_of(again) == effects_of(tried) == [(ADA, "UPDATE", "NOTHING", 0)]
    assert (other.code, other.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert other.metadata == {"meeting_id": first.meeting_id}
    assert len(relay.ledger) == 1


async def test_without_a_request_id_each_call_is_another_meeting(stub: Stub) -> None:
    meetings = [await create(stub), await create(stub)]

    assert len({each.meeting_id for each in meetings}) == len({each.uid for each in meetings}) == 2


async def test_a_validation_stores_nothing_and_says_what_would_be_done(
    stub: Stub, raw: Database[Row], relay: Relay
) -> None:
    tried = await stub.CreateMeeting(a_creation(a_meeting(ADA, BOB), validate_only=True))

    assert (tried.meeting_id, tried.uid, tried.etag) == ("", "", "")
    assert tried.end == "2030-01-05T09:30"
    assert effects_of(tried) == [(ADA, "INVITATION", "MAKES", 1), (BOB, "INVITATION", "MAKES", 1)]
    for name in ("meetings", "meeting_revisions", "jobs"):
        assert raw[name].count_documents({}) == 0
    assert relay.ledger == []


WRONG: dict[str, Any] = {
    "summary": " ",
    "start": "2020-01-05T09:00",
    "end": "",
    "time_zone": "Europe/Berln",
    "location": "x\ny",
    "url": "nowhere",
    "description": "x" * 8_001,
    "attendees": [an_attendee("nobody"), an_attendee(role=7), an_attendee(ADA.upper())],
    "reminders": [a_reminder(seconds=90)],
    "labels": {"": "x"},
    "sender": "other@example.org",
    "invite_at": datetime(9999, 12, 31, tzinfo=UTC),
}


async def test_all_violations_come_at_once_by_the_names_of_the_contract(stub: Stub) -> None:
    meeting = task_pb2.Meeting(**WRONG)
    meeting.duration.FromSeconds(90)
    meeting.texts.update.template = "nosuch"
    meeting.texts.variables["a b"] = "x"

    refusal = await read_error_status(stub.CreateMeeting(a_creation(meeting, request_id="ü")))

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert set(refusal.violations) == {
        *("meeting.summary", "meeting.time_zone", "meeting.start", "meeting.duration"),
        *("meeting.location", "meeting.url", "meeting.description", "meeting.labels"),
        *("meeting.attendees[0].email", "meeting.attendees[1].role"),
        *("meeting.attendees[2].email", "meeting.reminders[0].before", "meeting.sender"),
        *("meeting.texts.update.template", "meeting.texts.variables", "request_id"),
        "meeting.invite_at",
    }


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"attendees": []}, "meeting.attendees"),
    ({"attendees": [an_attendee(f"{n}@example.org") for n in range(101)]}, "meeting.attendees"),
    ({"attendees": [an_attendee("no-reply@example.org")]}, "meeting.attendees[0].email"),
    ({"start": "2041-01-05T09:00"}, "meeting.start"),
    ({"duration": timedelta(days=31)}, "meeting.duration"),
    ({"end": "2030-01-05T09:00"}, "meeting.end"),
    ({"end": "2030-01-05T09:30", "duration": timedelta(minutes=30)}, "meeting"),
    ({"organizer": {"email": "ada@example.net"}}, "meeting.organizer.email"),
    ({"start": "2030-03-31T02:30", "strict_time": True}, "meeting.start"),
    ({"invite_at": datetime(2030, 1, 5, 8, tzinfo=UTC)}, "meeting.invite_at"),
    ({"reminders": [a_reminder(minutes=n) for n in range(1, 7)]}, "meeting.reminders"),
]


async def test_what_is_not_a_meeting_is_refused(stub: Stub) -> None:
    for fields, wrong in REFUSED:
        refusal = await read_error_status(stub.CreateMeeting(a_creation(a_meeting(**fields))))

        assert (fields, {*refusal.violations}) == (fields, {wrong})


async def test_no_text_becomes_a_line_of_a_calendar_or_a_header(stub: Stub, relay: Relay) -> None:
    hostile = FORMS.replace("\r\n", " ").replace("\u2028", " ")
    created = await create(
        stub,
        summary=f"Review{hostile}",
        location=hostile,
        description=FORMS.replace("\u2028", " ").replace("\r", ""),
        attendees=[an_attendee(name=f'Ada "{hostile}')],
        texts=task_pb2.MeetingTexts(
            invitation=task_pb2.MeetingTexts.Mail(subject="{{ 7 * 7 }} <b>&")
        ),
    )

    [mail] = await wait_for_mails(relay, ADA, 1)

    lines = read_lines(mail)
    assert lines["UID"] == created.uid
    assert lines["ATTENDEE"].endswith(f":mailto:{ADA}")
    assert mail["Subject"] == "{{ 7 * 7 }} <b>&"
    assert relay.ledger[0].recipient == ADA
    assert len(relay.ledger) == 1


async def test_the_longest_meeting_is_accepted(stub: Stub) -> None:
    wide = "\U0001f600"
    meeting = a_meeting(
        *[f"{'a' * 60}{number}@{'b' * 60}.example.org" for number in range(100)],
        summary=wide * 255,
        location=wide * 255,
        description=wide * 8_000,
        invite_at=datetime(2029, 1, 1, tzinfo=UTC),
    )
    for attendee in meeting.attendees:
        attendee.name, attendee.empid = wide * 256, wide * 128
    request = a_creation(meeting)

    created = await stub.CreateMeeting(request, timeout=20)

    assert request.ByteSize() > 64 * 1024
    assert len(created.attendees) == 100
    assert len(created.effects) == 100


async def test_what_is_logged_has_ids_and_counts_and_no_addresses(
    events: Events, stub: Stub
) -> None:
    created = await create(
        stub, ADA, BOB, EVE, summary="Secret", invite_at=datetime(2029, 1, 1, tzinfo=UTC)
    )

    [logged] = [each for each in events if each["event"] == "meeting created"]
    assert (logged["meeting_id"], logged["attendees"]) == (created.meeting_id, 3)
    assert not any(
        word in str(each)
        for each in events
        for word in (ADA, BOB, EVE, "Secret")
        if each["log_level"] == "info"
    )
