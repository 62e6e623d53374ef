"""The limits of a client, as its calls about meetings meet them. Oracle: the contract."""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from msgspec.structs import replace

from gcsched.domain.access import ClientLimits
from gcsched.pb import task_pb2
from tests.support.handler_server import ErrorStatus, read_error_status
from tests.support.meeting_service import (
    ADA,
    BOB,
    EVE,
    a_creation,
    a_meeting,
    an_attendee,
    in_utc,
)
from tests.support.named_callers import CLIENTS, name_callers, name_client
from tests.support.service_process import Stub

LATER = datetime(2029, 1, 1, tzinfo=UTC)
HR = name_client("hr")


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"senders": "payroll@example.net", "meeting_settle": "0"}


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> None:
    name_callers(monkeypatch)


@pytest.fixture
def limit(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that gives the client hr limits, before its first call."""

    def limit(**limits: Any) -> None:
        limited = replace(CLIENTS["hr"], limits=ClientLimits(**limits))
        monkeypatch.setitem(CLIENTS, "hr", limited)

    return limit


async def create(stub: Stub, *emails: str, **fields: Any) -> task_pb2.Meeting:
    request = a_creation(a_meeting(*emails, invite_at=LATER), **fields)
    return await stub.CreateMeeting(request, metadata=HR)


def an_addition(meeting_id: str, *emails: str, **fields: Any) -> task_pb2.AddAttendeesRequest:
    attendees = [an_attendee(each) for each in emails]
    return task_pb2.AddAttendeesRequest(meeting_id=meeting_id, attendees=attendees, **fields)


def is_limited(refusal: ErrorStatus, limit: str) -> bool:
    return (refusal.code, refusal.reason, refusal.metadata) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "CLIENT_LIMIT",
        {"client": "hr", "limit": limit},
    )


async def test_invitations_count_as_jobs_of_the_day_for_all_or_none(stub: Stub, limit: Any) -> None:
    limit(jobs_per_day=3)
    created = await create(stub, ADA, BOB, request_id="R")
    meeting_id = created.meeting_id

    again = await create(stub, ADA, BOB, request_id="R")
    both = an_addition(meeting_id, EVE, "zoe@example.org")
    refused = await read_error_status(stub.AddAttendees(both, metadata=HR))
    tried = await read_error_status(
        stub.AddAttendees(
            an_addition(meeting_id, EVE, "zoe@example.org", validate_only=True), metadata=HR
        )
    )
    unchanged = await stub.GetMeeting(
        task_pb2.GetMeetingRequest(meeting_id=meeting_id), metadata=HR
    )
    one = an_addition(meeting_id, EVE)
    added = await stub.AddAttendees(one, metadata=HR)
    repeated = await stub.AddAttendees(one, metadata=HR)
    full = await read_error_status(create(stub, ADA))
    dry = await read_error_status(create(stub, ADA, validate_only=True))

    assert again.meeting_id == meeting_id
    assert unchanged.etag == created.etag
    assert added.etag == repeated.etag
    assert all(is_limited(each, "jobs_per_day") for each in (refused, tried, full, dry))


async def test_what_follows_from_a_meeting_is_not_counted(stub: Stub, limit: Any) -> None:
    limit(jobs_per_day=1)
    meeting_id = (await create(stub, ADA)).meeting_id
    moved = task_pb2.Meeting(meeting_id=meeting_id, summary="Planning")

    updated = await stub.UpdateMeeting(task_pb2.UpdateMeetingRequest(meeting=moved), metadata=HR)
    removed = await stub.RemoveAttendees(
        task_pb2.RemoveAttendeesRequest(meeting_id=meeting_id, emails=[ADA]), metadata=HR
    )
    invited_again = await read_error_status(
        stub.AddAttendees(an_addition(meeting_id, ADA), metadata=HR)
    )
    cancelled = await stub.CancelMeeting(
        task_pb2.CancelMeetingRequest(meeting_id=meeting_id), metadata=HR
    )

    assert updated.summary == "Planning"
    assert [*removed.attendees] == []
    assert is_limited(invited_again, "jobs_per_day")
    assert cancelled.state == task_pb2.Meeting.CANCELLED


async def test_invitations_that_wait_count_as_waiting_jobs(stub: Stub, limit: Any) -> None:
    limit(jobs_waiting=2)

    refused = await read_error_status(create(stub, ADA, BOB, EVE))
    await create(stub, ADA, BOB)
    full = await read_error_status(create(stub, EVE))

    assert is_limited(refused, "jobs_waiting")
    assert is_limited(full, "jobs_waiting")


async def test_domains_templates_and_senders_are_limited(stub: Stub, limit: Any) -> None:
    limit(recipient_domains=("example.org",), templates=("doc",), senders=("payroll@example.net",))
    meeting = a_meeting("ada@example.com", sender="no-reply@example.org")
    meeting.texts.update.template = "invitation"

    wrong = await read_error_status(stub.CreateMeeting(a_creation(meeting), metadata=HR))
    meeting = a_meeting(ADA, invite_at=LATER)
    meeting.texts.invitation.template = "doc"
    created = await stub.CreateMeeting(a_creation(meeting), metadata=HR)
    other = an_addition(created.meeting_id, "ada@example.com")
    added = await read_error_status(stub.AddAttendees(other, metadata=HR))

    assert set(wrong.violations) == {
        *("meeting.attendees[0].email", "meeting.sender"),
        *("meeting.texts.invitation.template", "meeting.texts.update.template"),
    }
    assert created.sender == "payroll@example.net"
    assert created.organizer.email == "payroll@example.net"
    assert set(added.violations) == {"attendees[0].email"}


async def test_a_request_is_bounded_by_what_a_meeting_needs(stub: Stub) -> None:
    far, near = "x" * (321 * 1024), "x" * (100 * 1024)
    long = task_pb2.Meeting(meeting_id="x", description=far, **in_utc(LATER - datetime.now(UTC)))
    calls: list[Any] = [
        stub.CreateMeeting(a_creation(long)),
        stub.UpdateMeeting(task_pb2.UpdateMeetingRequest(meeting=long)),
        stub.AddAttendees(task_pb2.AddAttendeesRequest(meeting_id=far)),
        stub.CancelMeeting(task_pb2.CancelMeetingRequest(meeting_id="x", reason=near)),
        stub.RemoveAttendees(task_pb2.RemoveAttendeesRequest(meeting_id="x", reason=near)),
    ]
    for call in calls:
        assert (await read_error_status(call)).reason == "REQUEST_TOO_LARGE"

    long.description = near
    within = await read_error_status(stub.CreateMeeting(a_creation(long)))
    assert "meeting.description" in within.violations
