"""UpdateMeeting and CancelMeeting with a real channel, stores and relay. Oracle: the contract."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from pymongo.database import Database

from gcsched.pb import task_pb2
from tests.support.handler_server import ErrorStatus, read_error_status
from tests.support.meeting_service import (
    ADA,
    BOB,
    a_reminder,
    an_attendee,
    create,
    effects_of,
    mails_to,
    read,
    read_lines,
    read_text,
    wait_for_mails,
    wait_until_told,
)
from tests.support.relay.server import At, Hang, Relay
from tests.support.rows import Row
from tests.support.service_process import Stub
from tests.support.wait import until

LATER = datetime(2029, 1, 1, tzinfo=UTC)
State = task_pb2.Meeting.State
Effects = list[tuple[str, str, str, int]]


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"meeting_settle": "0"}


def an_update(
    meeting_id: str, *mask: str, etag: str = "", validate_only: bool = False, **fields: Any
) -> task_pb2.UpdateMeetingRequest:
    request = task_pb2.UpdateMeetingRequest(
        meeting=task_pb2.Meeting(meeting_id=meeting_id, etag=etag, **fields),
        validate_only=validate_only,
    )
    request.update_mask.paths.extend(mask)
    return request


async def update(stub: Stub, meeting_id: str, *mask: str, **fields: Any) -> task_pb2.Meeting:
    return await stub.UpdateMeeting(an_update(meeting_id, *mask, **fields))


async def cancel(stub: Stub, meeting_id: str, **fields: Any) -> task_pb2.Meeting:
    return await stub.CancelMeeting(task_pb2.CancelMeetingRequest(meeting_id=meeting_id, **fields))


async def refuse_update(stub: Stub, meeting_id: str, *mask: str, **fields: Any) -> ErrorStatus:
    return await read_error_status(stub.UpdateMeeting(an_update(meeting_id, *mask, **fields)))


async def list_jobs(stub: Stub, meeting_id: str) -> list[task_pb2.Job]:
    reply = await stub.ListJobs(
        task_pb2.ListJobsRequest(
            filter=task_pb2.JobFilter(meeting_id=meeting_id), view=task_pb2.Job.FULL
        )
    )
    return list(reply.jobs)


async def test_an_invitation_that_waits_gets_better_and_no_second_mail(
    stub: Stub, relay: Relay
) -> None:
    created = await create(stub, invite_at=LATER)
    [before] = await list_jobs(stub, created.meeting_id)

    moved = await update(stub, created.meeting_id, start="2030-01-05T11:00", location="Room 6")
    [waiting] = await list_jobs(stub, created.meeting_id)
    await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=waiting.job_id, timestamp=1))
    [mail] = await wait_for_mails(relay, ADA, 1)

    assert effects_of(moved) == [(ADA, "INVITATION", "CHANGES", 1)]
    assert (moved.start, moved.end) == ("2030-01-05T11:00", "2030-01-05T11:30")
    assert moved.sequence == 0
    assert waiting.job_id == before.job_id
    assert waiting.expire_time == moved.start_time
    lines = read_lines(mail)
    assert (lines["METHOD"], lines["SEQUENCE"]) == ("REQUEST", "0")
    assert (lines["DTSTART"], lines["LOCATION"]) == ("20300105T100000Z", "Room 6")
    told = await wait_until_told(stub, created.meeting_id, ADA)
    assert told.etag == moved.etag != created.etag
    assert len(relay.ledger) == 1


async def test_those_who_have_an_invitation_get_an_update_that_corrects_it(
    stub: Stub, relay: Relay
) -> None:
    created = await create(stub, ADA, BOB, location="Room 5")
    await wait_until_told(stub, created.meeting_id, ADA, BOB)

    moved = await update(stub, created.meeting_id, "start", "location", start="2030-01-06T09:00")
    await wait_until_told(stub, created.meeting_id, ADA, BOB, sequence=1)

    assert effects_of(moved) == [(ADA, "UPDATE", "MAKES", 1), (BOB, "UPDATE", "MAKES", 1)]
    assert (moved.sequence, moved.location, moved.end) == (1, "", "2030-01-06T09:30")
    for email in (ADA, BOB):
        first, second = mails_to(relay, email)
        one, other = read_lines(first), read_lines(second)
        assert other["UID"] == one["UID"] == moved.uid
        assert (one["SEQUENCE"], other["SEQUENCE"]) == ("0", "1")
        assert other["DTSTAMP"] > one["DTSTAMP"]
        assert (other["METHOD"], other["DTSTART"]) == ("REQUEST", "20300106T080000Z")
        assert "LOCATION" not in other
        assert second["Subject"] == "Updated: Review"
        assert second["References"] == first["Message-ID"]
    assert len(relay.ledger) == 4


async def test_the_same_content_again_is_ok_and_mails_nothing(stub: Stub, relay: Relay) -> None:
    created = await create(stub, location="Room 5")
    await wait_until_told(stub, created.meeting_id, ADA)

    same = await update(stub, created.meeting_id, location="Room 5", summary="Review", etag="old")
    tried = await update(stub, created.meeting_id, location="Room 5", validate_only=True)

    assert (same.etag, same.sequence, same.update_time) == (created.etag, 0, created.update_time)
    assert effects_of(same) == effects_of(tried) == [(ADA, "UPDATE", "NOTHING", 0)]
    assert len(same.steps) == 1
    assert len(await list_jobs(stub, created.meeting_id)) == len(relay.ledger) == 1


async def test_a_mask_says_which_fields_change(stub: Stub) -> None:
    created = await create(
        stub,
        invite_at=LATER,
        location="Room 5",
        labels={"team": "engines"},
        reminders=[a_reminder(hours=1)],
    )
    meeting_id = created.meeting_id

    unset = await update(stub, meeting_id, summary="Planning", url="https://example.org/1")
    cleared = await update(stub, meeting_id, "labels", "reminders", summary="ignored")
    longer = await update(stub, meeting_id, "duration", duration=timedelta(hours=1))
    zoned = await update(stub, meeting_id, "time_zone", time_zone="America/New_York")
    whole = await update(
        stub,
        meeting_id,
        "*",
        summary="Last",
        start="2030-02-01T10:00",
        end="2030-02-01T10:15",
        time_zone="UTC",
        invite_at=LATER,
    )

    assert (unset.summary, unset.url, unset.location) == (
        "Planning",
        "https://example.org/1",
        "Room 5",
    )
    assert (cleared.summary, dict(cleared.labels), [*cleared.reminders]) == ("Planning", {}, [])
    assert (longer.start, longer.end) == ("2030-01-05T09:00", "2030-01-05T10:00")
    assert (zoned.start, zoned.start_time.ToJsonString()) == (
        "2030-01-05T09:00",
        "2030-01-05T14:00:00Z",
    )
    assert (whole.summary, whole.location, whole.url) == ("Last", "", "")
    assert whole.duration.ToTimedelta() == timedelta(minutes=15)
    assert [each.email for each in whole.attendees] == [ADA]
    steps = (await read(stub, meeting_id)).steps
    assert [each.method for each in steps] == ["CreateMeeting", *["UpdateMeeting"] * 5]
    assert [each.revision for each in steps] == [1, 2, 3, 4, 5, 6]


async def test_all_violations_of_an_update_come_at_once(stub: Stub) -> None:
    created = await create(stub, invite_at=LATER)
    meeting_id = created.meeting_id

    unknown = await refuse_update(stub, meeting_id, "attendees", "meeting_id", summary="x")
    wrong = await refuse_update(
        stub,
        meeting_id,
        summary="x" * 256,
        start="2020-01-01T09:00",
        time_zone="Nowhere",
        url="x",
        labels={"": ""},
        reminders=[a_reminder(seconds=1)],
    )
    nameless = await refuse_update(stub, "", summary="x")
    others = await refuse_update(
        stub, meeting_id, attendees=[an_attendee(BOB)], organizer={"email": "eve@example.org"}
    )
    missing = await refuse_update(stub, "0" * 32, summary="x")

    assert set(unknown.violations) == {"update_mask"}
    assert set(wrong.violations) == {
        *("meeting.summary", "meeting.start", "meeting.time_zone", "meeting.url"),
        *("meeting.labels", "meeting.reminders[0].before"),
    }
    assert set(nameless.violations) == {"meeting.meeting_id"}
    assert set(others.violations) == {"meeting.attendees", "meeting.organizer"}
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "MEETING_NOT_FOUND")
    assert (await read(stub, meeting_id)).etag == created.etag


async def test_only_the_meeting_that_was_read_is_changed(stub: Stub) -> None:
    created = await create(stub, invite_at=LATER)
    meeting_id, etag = created.meeting_id, created.etag
    changed = await update(stub, meeting_id, summary="Planning", etag=etag)

    refusal = await refuse_update(stub, meeting_id, summary="Other", etag=etag)
    tried = await refuse_update(stub, meeting_id, summary="Other", etag=etag, validate_only=True)
    late = await read_error_status(
        stub.CancelMeeting(task_pb2.CancelMeetingRequest(meeting_id=meeting_id, etag=etag))
    )
    cancelled = await cancel(stub, meeting_id, etag=changed.etag)

    for each in (refusal, tried, late):
        assert (each.code, each.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
        assert each.metadata == {"meeting_id": meeting_id}
    assert cancelled.state == State.CANCELLED


async def test_a_validation_of_a_change_changes_nothing(
    stub: Stub, raw: Database[Row], relay: Relay
) -> None:
    created = await create(stub, reminders=[a_reminder(hours=1)])
    await wait_until_told(stub, created.meeting_id, ADA)
    await until(lambda: raw["jobs"].count_documents({}) == 2)
    stored = [*raw["meetings"].find(), *raw["jobs"].find(), *raw["meeting_revisions"].find()]

    moved = await update(stub, created.meeting_id, start="2030-01-06T09:00", validate_only=True)
    off = await cancel(stub, created.meeting_id, validate_only=True)

    assert (moved.start, moved.sequence) == ("2030-01-06T09:00", 1)
    assert (moved.etag, moved.update_time) == (created.etag, created.update_time)
    assert [each.method for each in off.steps] == ["CreateMeeting"]
    assert effects_of(moved) == [
        *((ADA, "REMINDER", "CANCELS", 1), (ADA, "REMINDER", "MAKES", 1)),
        (ADA, "UPDATE", "MAKES", 1),
    ]
    assert off.state == State.CANCELLED
    assert effects_of(off) == [(ADA, "CANCELLATION", "MAKES", 1), (ADA, "REMINDER", "CANCELS", 1)]
    assert [
        *raw["meetings"].find(),
        *raw["jobs"].find(),
        *raw["meeting_revisions"].find(),
    ] == stored
    assert len(relay.ledger) == 1


async def test_a_cancelled_meeting_is_told_to_those_who_knew_of_it(
    stub: Stub, relay: Relay
) -> None:
    created = await create(stub, ADA)
    meeting_id = created.meeting_id
    await wait_until_told(stub, meeting_id, ADA)
    await stub.AddAttendees(
        task_pb2.AddAttendeesRequest(meeting_id=meeting_id, attendees=[an_attendee(BOB)])
    )
    await wait_until_told(stub, meeting_id, ADA, BOB)

    off = await cancel(stub, meeting_id, reason="The room has flooded")
    await wait_until_told(stub, meeting_id, ADA, BOB, sequence=1)
    again = await cancel(stub, meeting_id)

    assert (off.state, off.reason, off.sequence) == (State.CANCELLED, "The room has flooded", 1)
    assert effects_of(off) == [
        (ADA, "CANCELLATION", "MAKES", 1),
        (BOB, "CANCELLATION", "MAKES", 1),
    ]
    assert (again.etag, again.state) == (off.etag, State.CANCELLED)
    for email in (ADA, BOB):
        *_, mail = mails_to(relay, email)
        lines = read_lines(mail)
        assert (lines["METHOD"], lines["SEQUENCE"], lines["STATUS"]) == ("CANCEL", "1", "CANCELLED")
        assert lines["UID"] == created.uid
        assert "The room has flooded" in read_text(mail)
        assert mail["Subject"] == "Cancelled: Review"
    refused = await refuse_update(stub, meeting_id, summary="x")
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "MEETING_CANCELLED",
    )


async def test_those_who_surely_have_nothing_get_no_mail_when_it_is_off(
    stub: Stub, relay: Relay
) -> None:
    created = await create(stub, ADA, BOB, invite_at=LATER)

    off = await cancel(stub, created.meeting_id, reason="No need")

    assert off.sequence == 0
    assert effects_of(off) == [(ADA, "INVITATION", "CANCELS", 1), (BOB, "INVITATION", "CANCELS", 1)]
    jobs = await list_jobs(stub, created.meeting_id)
    assert [each.state for each in jobs] == [task_pb2.Job.CANCELLED] * 2
    assert {each.reason for each in jobs} == {"the meeting was cancelled"}
    assert relay.ledger == []


async def test_what_is_over_cannot_be_changed(stub: Stub, raw: Database[Row]) -> None:
    created = await create(stub, invite_at=LATER)
    meeting_id = created.meeting_id
    times = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2020, 1, 2, tzinfo=UTC)}
    for name in ("meetings", "meeting_revisions"):
        raw[name].update_many({}, {"$set": times})

    refusals = [
        await refuse_update(stub, meeting_id, summary="x"),
        await read_error_status(
            stub.CancelMeeting(task_pb2.CancelMeetingRequest(meeting_id=meeting_id))
        ),
        await read_error_status(
            stub.AddAttendees(
                task_pb2.AddAttendeesRequest(meeting_id=meeting_id, attendees=[an_attendee(BOB)])
            )
        ),
        await read_error_status(
            stub.RemoveAttendees(
                task_pb2.RemoveAttendeesRequest(meeting_id=meeting_id, emails=[ADA])
            )
        ),
    ]

    for each in refusals:
        assert (each.code, each.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "MEETING_OVER")
        assert each.metadata["meeting_id"] == meeting_id


async def test_after_the_answer_to_a_move_no_old_reminder_is_left(stub: Stub) -> None:
    created = await create(stub, reminders=[a_reminder(hours=1), a_reminder(days=1)])
    meeting_id = created.meeting_id
    await wait_until_told(stub, meeting_id, ADA)

    async def find_reminders() -> list[task_pb2.Job]:
        jobs = await list_jobs(stub, meeting_id)
        found = [each for each in jobs if each.purpose == task_pb2.Job.REMINDER]
        return found if len(found) >= 2 else []

    old = await until(find_reminders)
    moved = await update(stub, meeting_id, start="2030-01-08T09:00")
    jobs = {each.job_id: each for each in await list_jobs(stub, meeting_id)}

    assert [
        each.due_time.ToJsonString() for each in sorted(old, key=lambda job: job.due_time.seconds)
    ] == [
        "2030-01-04T08:00:00Z",
        "2030-01-05T07:00:00Z",
    ]
    assert {jobs[each.job_id].state for each in old} == {task_pb2.Job.CANCELLED}
    assert (ADA, "REMINDER", "CANCELS", 2) in effects_of(moved)
    await wait_until_told(stub, meeting_id, ADA, sequence=1)

    async def find_new_reminders() -> list[str]:
        new = [
            each.due_time.ToJsonString()
            for each in await list_jobs(stub, meeting_id)
            if each.purpose == task_pb2.Job.REMINDER and each.state == task_pb2.Job.SCHEDULED
        ]
        return sorted(new) if len(new) == 2 else []

    assert await until(find_new_reminders) == ["2030-01-07T08:00:00Z", "2030-01-08T07:00:00Z"]


async def test_a_reminder_is_a_plain_mail(stub: Stub, relay: Relay) -> None:
    created = await create(stub, reminders=[a_reminder(hours=1)])
    meeting_id = created.meeting_id

    async def find_reminder() -> str:
        jobs = await list_jobs(stub, meeting_id)
        return "".join(each.job_id for each in jobs if each.purpose == task_pb2.Job.REMINDER)

    reminder = await until(find_reminder)
    await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=reminder, timestamp=1))
    invitation, mail = await wait_for_mails(relay, ADA, 2)

    assert mail["Subject"] == "Reminder: Review"
    assert mail["References"] == invitation["Message-ID"]
    assert [part.get_content_type() for part in mail.walk() if not part.is_multipart()] == [
        "text/plain",
        "text/html",
    ]


async def test_a_mail_on_its_way_is_counted_and_corrected_once_it_has_ended(
    stub: Stub, relay: Relay
) -> None:
    replies = asyncio.Event()
    relay.script(At.BODY, Hang(replies), nth=1)
    created = await create(stub)
    meeting_id = created.meeting_id
    await until(lambda: relay.bodies)

    moved = await update(stub, meeting_id, start="2030-01-06T09:00")
    off = await cancel(stub, meeting_id)
    replies.set()
    mails = await wait_for_mails(relay, ADA, 2)

    assert [sum(each.in_flight for each in of.effects) for of in (moved, off)] == [1, 1]
    lines = [read_lines(each) for each in mails]
    assert [each["METHOD"] for each in lines] == ["REQUEST", "CANCEL"]
    assert [each["DTSTART"] for each in lines] == ["20300105T080000Z", "20300106T080000Z"]
    assert int(lines[1]["SEQUENCE"]) > int(lines[0]["SEQUENCE"]) == 0
    assert len(relay.ledger) == 2


async def test_cancelling_the_waiting_invitation_cancels_the_meeting(stub: Stub) -> None:
    created = await create(stub, ADA, BOB, invite_at=LATER)
    of_ada, of_bob = (each.job_id for each in created.attendees)

    await stub.CancelJob(task_pb2.CancelJobRequest(job_id=of_ada))
    one_left = await read(stub, created.meeting_id)
    await stub.CancelJob(task_pb2.CancelJobRequest(job_id=of_bob))
    none_left = await read(stub, created.meeting_id)

    assert one_left.state == State.SCHEDULED
    assert [each.email for each in one_left.attendees if not each.removed] == [BOB]
    assert none_left.state == State.CANCELLED


async def test_cancelling_all_jobs_of_a_meeting_that_wait_cancels_it(stub: Stub) -> None:
    created = await create(stub, ADA, BOB, invite_at=LATER)
    other = await create(stub, ADA, invite_at=LATER)
    of_meeting = task_pb2.JobFilter(meeting_id=created.meeting_id)

    counted = await stub.CancelJobs(
        task_pb2.ChangeJobsRequest(filter=of_meeting, validate_only=True)
    )
    cancelled = await stub.CancelJobs(task_pb2.ChangeJobsRequest(filter=of_meeting))

    async def is_off() -> bool:
        return (await read(stub, created.meeting_id)).state == State.CANCELLED

    assert (counted.count, cancelled.count) == (2, 2)
    await until(is_off)
    assert (await read(stub, other.meeting_id)).state == State.SCHEDULED


async def test_two_changes_at_once_are_both_made(stub: Stub) -> None:
    created = await create(stub, invite_at=LATER)
    meeting_id = created.meeting_id

    await asyncio.gather(
        update(stub, meeting_id, summary="Planning"),
        update(stub, meeting_id, location="Room 6"),
        stub.AddAttendees(
            task_pb2.AddAttendeesRequest(meeting_id=meeting_id, attendees=[an_attendee(BOB)])
        ),
    )

    changed = await read(stub, meeting_id)
    assert (changed.summary, changed.location) == ("Planning", "Room 6")
    assert [each.email for each in changed.attendees] == [ADA, BOB]
    assert len(changed.steps) == 4
