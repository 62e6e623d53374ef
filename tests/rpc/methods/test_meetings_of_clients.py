"""Meetings of named clients: others do not know of them, and each step names its client."""

from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.handler_server import read_error_status
from tests.support.meeting_service import ADA, BOB, a_creation, a_meeting, an_attendee
from tests.support.named_callers import name_callers, name_client
from tests.support.service_process import Stub

LATER = datetime(2029, 1, 1, tzinfo=UTC)
NO_SUCH_MEETING = "0" * 32


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> None:
    name_callers(monkeypatch)


def requests_for(meeting_id: str) -> dict[str, Any]:
    """Return a request of each method for one meeting."""
    return {
        "GetMeeting": task_pb2.GetMeetingRequest(meeting_id=meeting_id),
        "GetMeetingCalendar": task_pb2.GetMeetingCalendarRequest(meeting_id=meeting_id),
        "UpdateMeeting": task_pb2.UpdateMeetingRequest(
            meeting=task_pb2.Meeting(meeting_id=meeting_id, summary="Planning")
        ),
        "AddAttendees": task_pb2.AddAttendeesRequest(
            meeting_id=meeting_id, attendees=[an_attendee(BOB)]
        ),
        "RemoveAttendees": task_pb2.RemoveAttendeesRequest(
            meeting_id=meeting_id, emails=[BOB], reason="Not needed"
        ),
        "CancelMeeting": task_pb2.CancelMeetingRequest(meeting_id=meeting_id, reason="No need"),
    }


async def create(stub: Stub, client: str, **fields: Any) -> task_pb2.Meeting:
    meeting = a_meeting(ADA, invite_at=LATER, location="Room 5")
    return await stub.CreateMeeting(a_creation(meeting, **fields), metadata=name_client(client))


async def list_ids(stub: Stub, client: str, **fields: Any) -> list[str]:
    request = task_pb2.ListMeetingsRequest(**fields)
    reply = await stub.ListMeetings(request, metadata=name_client(client))
    return [each.meeting_id for each in reply.meetings]


async def read_failure(stub: Stub, method: str, request: Any, client: str) -> tuple[Any, ...]:
    """Return all that a caller sees of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub, method)(request, metadata=name_client(client))
    error = caught.value
    trailing = [each for each in error.trailing_metadata() or () if each[0].startswith("grpc-s")]
    return error.code(), error.details(), trailing


async def test_a_meeting_of_another_client_is_answered_like_an_id_that_does_not_exist(
    stub: Stub,
) -> None:
    created = await create(stub, "payroll")
    unknown = requests_for(NO_SUCH_MEETING)
    for method, request in requests_for(created.meeting_id).items():
        code, details, trailing = await read_failure(stub, method, request, "hr")
        expected = await read_failure(stub, method, unknown[method], "hr")

        assert code is grpc.StatusCode.NOT_FOUND
        assert (details or "").replace(created.meeting_id, NO_SUCH_MEETING) == expected[1]
        status = trailing[0][1].replace(created.meeting_id.encode(), NO_SUCH_MEETING.encode())
        assert status == expected[2][0][1]
    found = await stub.GetMeeting(
        task_pb2.GetMeetingRequest(meeting_id=created.meeting_id), metadata=name_client("payroll")
    )
    assert found.etag == created.etag


async def test_each_client_has_its_own_meetings_and_request_ids(stub: Stub) -> None:
    of_payroll = await create(stub, "payroll", request_id="R")
    of_hr = await create(stub, "hr", request_id="R")
    again = await create(stub, "hr", request_id="R")
    of_nobody = await create(stub, "", request_id="R")

    ids = [each.meeting_id for each in (of_payroll, of_hr, of_nobody)]
    assert len(set(ids)) == 3
    assert again.meeting_id == of_hr.meeting_id
    assert (of_hr.client, of_hr.request_id) == ("hr", "R")
    assert await list_ids(stub, "hr") == [of_hr.meeting_id]
    assert await list_ids(stub, "hr", filter={"client": "payroll"}) == []
    assert await list_ids(stub, "hr", filter={"attendee": ADA}) == [of_hr.meeting_id]
    assert await list_ids(stub, "reader", filter={"client": "payroll"}) == [of_payroll.meeting_id]
    assert await list_ids(stub, "reader") == ids[::-1]


async def test_texts_of_others_take_the_scope_content(stub: Stub) -> None:
    created = await create(stub, "payroll")
    request = task_pb2.GetMeetingRequest(meeting_id=created.meeting_id)
    full = task_pb2.ListMeetingsRequest(view=task_pb2.Meeting.FULL)
    calendar = task_pb2.GetMeetingCalendarRequest(meeting_id=created.meeting_id, email=ADA)

    basic = await stub.GetMeeting(request, metadata=name_client("reader"))
    whole = await stub.GetMeeting(request, metadata=name_client("support"))
    refused = [
        await read_error_status(stub.ListMeetings(full, metadata=name_client("reader"))),
        await read_error_status(stub.GetMeetingCalendar(calendar, metadata=name_client("reader"))),
    ]
    file = await stub.GetMeetingCalendar(calendar, metadata=name_client("support"))

    assert (basic.location, [*basic.steps], basic.summary) == ("", [], "Review")
    assert (whole.location, len(whole.steps)) == ("Room 5", 1)
    for each in refused:
        assert (each.code, each.reason) == (grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")
        assert each.metadata == {"client": "reader", "scope": "content"}
    assert b"SUMMARY:Review" in file.content


async def test_each_change_is_a_step_of_its_client(stub: Stub) -> None:
    created = await create(stub, "payroll")
    requests = requests_for(created.meeting_id)
    for method in ("UpdateMeeting", "AddAttendees", "RemoveAttendees", "CancelMeeting"):
        await getattr(stub, method)(requests[method], metadata=name_client("payroll"))

    found = await stub.GetMeeting(requests["GetMeeting"], metadata=name_client("payroll"))

    steps = [(each.method, each.client, each.via, each.reason) for each in found.steps]
    assert steps == [
        ("CreateMeeting", "payroll", "grpc", ""),
        ("UpdateMeeting", "payroll", "grpc", ""),
        ("AddAttendees", "payroll", "grpc", ""),
        ("RemoveAttendees", "payroll", "grpc", "Not needed"),
        ("CancelMeeting", "payroll", "grpc", "No need"),
    ]
    assert [each.revision for each in found.steps] == sorted(each.revision for each in found.steps)
    assert found.steps[-1].time == found.update_time
