"""Requests with an event at a service: answers, jobs, previews and their errors."""

import time
from typing import Any

import grpc
import pytest

from gcsched.domain.mail import MailPreview
from gcsched.pb import task_pb2
from gcsched.rpc.messages import preview_message
from gcsched.rpc.methods.schedule import shorten_preview
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import mails_to, read_lines, wait_until_told
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet
from tests.support.status_details import error_reason, status_of, violations

START = "2030-03-31T02:30"


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"organizer_domains": "example.com", "meeting_settle": "0"}


def a_meeting(number: int = 1, *, at: int = 0, **event: Any) -> task_pb2.MeetRequest:
    fields = {"start": START, "time_zone": "Europe/Berlin", **event}
    message = task_pb2.Event(**fields)
    if not message.end:
        message.duration.FromSeconds(1800)
    due = at or int(time.time()) + 3600
    return a_meet(number, timestamp=due, event=message, template="doc")


async def test_an_answer_has_the_meeting_and_what_became_of_its_times(
    app: RunningApp, stub: Stub
) -> None:
    request = a_meeting()
    first = await stub.ScheduleMeet(request)
    again = await stub.ScheduleMeet(request)
    plain = await stub.ScheduleMeet(a_meet(2))
    job = await stub.GetJob(task_pb2.GetJobRequest(job_id=first.job_id))
    listed = await stub.ListJobs(task_pb2.ListJobsRequest(filter={"empid": request.empid}))

    assert first.meeting_id
    assert (again.job_id, again.meeting_id) == (first.job_id, first.meeting_id)
    assert again.time_note == first.time_note
    assert "2030-03-31T02:30 does not exist in Europe/Berlin" in first.time_note
    assert (plain.meeting_id, plain.time_note) == ("", "")
    for shown in (job, *listed.jobs):
        assert (shown.meeting_id, shown.purpose) == (first.meeting_id, task_pb2.Job.INVITATION)
        assert shown.expire_time.ToJsonString() == "2030-03-31T01:30:00Z"
    stored = await app.resources.mongo.meetings.find_one({"_id": first.meeting_id})
    assert stored is not None
    assert stored["attendees"][0]["job_id"] == first.job_id


async def test_a_meeting_of_a_request_with_an_event_is_changed_as_others_are(
    stub: Stub, relay: Relay
) -> None:
    request = a_meeting(at=1, start="2030-01-05T09:00")
    meeting_id = (await stub.ScheduleMeet(request)).meeting_id
    await wait_until_told(stub, meeting_id, request.emailID)

    moved = await stub.UpdateMeeting(
        task_pb2.UpdateMeetingRequest(
            meeting=task_pb2.Meeting(meeting_id=meeting_id, start="2030-01-06T09:00")
        )
    )
    told = await wait_until_told(stub, meeting_id, request.emailID, sequence=1)
    first, second = mails_to(relay, request.emailID)

    one, other = read_lines(first), read_lines(second)
    assert (one["UID"], other["UID"]) == (moved.uid, moved.uid)
    assert [each["SEQUENCE"] for each in (one, other)] == ["0", "1"]
    assert other["DTSTART"] == "20300106T080000Z"
    assert [each.method for each in told.steps] == ["UpdateMeeting"]


async def test_a_batch_answers_each_event_for_itself(stub: Stub) -> None:
    request = a_meeting(1, organizer={"email": "ada@example.com", "name": "Ada"})
    wrong = a_meeting(2, organizer={"email": "ada@example.net"})

    batch = await stub.BatchScheduleMeets(
        task_pb2.BatchScheduleMeetsRequest(requests=[request, wrong, a_meet(3), request])
    )

    one, invalid, plain, again = batch.answers
    assert one.response.meeting_id == again.response.meeting_id != ""
    assert "GCSCHED_ORGANIZER_DOMAINS" in invalid.error.message
    assert plain.response.meeting_id == ""


async def test_a_preview_stores_nothing(app: RunningApp, stub: Stub) -> None:
    request = a_meeting()
    request.validate_only = True

    reply = await stub.ScheduleMeet(request)

    assert (reply.success, reply.meeting_id, reply.job_id) == (True, "", "")
    assert "does not exist" in reply.time_note
    assert await app.resources.mongo.meetings.count_documents({}) == 0


async def test_violations_have_the_names_of_the_contract(stub: Stub) -> None:
    request = a_meeting(start="2030-02-30T09:00", time_zone="Europe/Berln", url="nowhere")
    request.event.duration.seconds = 2**62

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ScheduleMeet(request)

    assert {field for field, _ in violations(status_of(caught.value))} == {
        *("event.url", "event.time_zone", "event.start", "event.duration")
    }


async def test_an_invitation_is_not_rescheduled_to_its_start(stub: Stub) -> None:
    job_id = (await stub.ScheduleMeet(a_meeting())).job_id
    start = 1_901_151_000  # 01:30 UTC

    before = task_pb2.RescheduleJobRequest(job_id=job_id, timestamp=start - 1)
    moved = await stub.RescheduleJob(before)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=job_id, timestamp=start))

    assert moved.due_time.seconds == start - 1
    assert moved.expire_time.seconds == start
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error_reason(status_of(caught.value))[0] == "ILLEGAL_TRANSITION"
    assert "before the start of its meeting" in (caught.value.details() or "")


def test_a_preview_has_its_calendar_unless_it_is_shortened() -> None:
    draft = MailPreview(subject="s", text="t", html="h", size=1, calendar="BEGIN:VCALENDAR")

    preview = preview_message(draft)

    assert preview.calendar == "BEGIN:VCALENDAR"
    shorten_preview(preview)
    assert preview == task_pb2.Preview(subject="s", size_bytes=1)
