"""The fake refuses the same requests as the service, with the same status; the service is real."""

import asyncio
import re
import time
from typing import Any

import grpc
import pytest

from gcsched.adapters.mail.template_variables import RESERVED_NAMES as OF_MAILS
from gcsched.client import CallFailed, Client
from gcsched.client.errors import CLASS_BY_CODE
from gcsched.pb import task_pb2
from gcsched.rpc.status import STATUS
from gcsched.testing import FakeScheduler
from gcsched.testing.admission import RESERVED_NAMES
from gcsched.testing.contract_methods import METHODS
from gcsched.testing.failure_samples import SAMPLES
from gcsched.testing.failures import CODES
from gcsched.testing.meeting_memory import METHODS as MEETING_METHODS
from gcsched.testing.meetings import ANSWERS
from gcsched.testing.rules import RULES
from tests.support.in_process_app import RunningApp
from tests.support.service_process import scheduler_stub

UNCHECKED: Any = task_pb2  # a type checker refuses what the rules are to refuse
TOMORROW = int(time.time()) + 86_400
VALID: dict[str, Any] = {
    "empid": "E1815",
    "emailID": "ada@example.org",
    "message": "Interview",
    "timestamp": 1,
}
MEETS: list[dict[str, Any]] = [
    {},
    {"empid": ""},
    {"emailID": "ada"},
    {"emailID": "ada@corp.local", "message": "", "timestamp": -1},
    {"timestamp": 1_700_000_000_000},
    {"timestamp": 0},
    {"empName": "A\nB", "empid": "E\u200b1"},
    {"template": "unknown"},
    {"variables": {"username": "x", "range": "y", "no-name": "z"}},
    {"labels": {"": "x"}, "reply_to": "b", "request_id": "ü"},
    {"message": "Tomorrow", "timestamp": TOMORROW, "not_after": TOMORROW - 1},
    {"priority": 7},
    {"message": "x" * 70_000},
    {"validate_only": True, "empid": ""},
]
OTHERS: list[tuple[str, Any]] = [
    ("BatchScheduleMeets", task_pb2.BatchScheduleMeetsRequest()),
    ("GetJob", task_pb2.GetJobRequest()),
    ("ListJobs", task_pb2.ListJobsRequest(page_size=-1, filter={"empid": "x" * 200})),
    ("CountJobs", task_pb2.CountJobsRequest(filter={"email": "x"})),
    ("CancelJob", task_pb2.CancelJobRequest(reason="x" * 300)),
    ("RescheduleJob", task_pb2.RescheduleJobRequest(timestamp=-1)),
    ("RetryJob", task_pb2.RetryJobRequest()),
    ("ResolveJob", task_pb2.ResolveJobRequest()),
    ("CancelJobs", task_pb2.ChangeJobsRequest()),
    ("RetryJobs", task_pb2.ChangeJobsRequest()),
    ("PauseSending", task_pb2.PauseSendingRequest()),
    ("ResumeSending", task_pb2.ResumeSendingRequest(by="a\nb")),
    ("ListSuppressions", task_pb2.ListSuppressionsRequest(page_size=-1)),
    ("GetSuppression", task_pb2.GetSuppressionRequest()),
    ("AddSuppression", task_pb2.AddSuppressionRequest(expire_time={"seconds": 10**15})),
    ("RemoveSuppression", task_pb2.RemoveSuppressionRequest()),
    ("GetRecipient", task_pb2.GetRecipientRequest()),
    ("ForgetRecipient", task_pb2.ForgetRecipientRequest()),
    ("ListAudit", task_pb2.ListAuditRequest(page_size=-1)),
    ("GetMeeting", UNCHECKED.GetMeetingRequest(view=7)),
    ("ListMeetings", UNCHECKED.ListMeetingsRequest(page_size=-1, order=9)),
    ("UpdateMeeting", task_pb2.UpdateMeetingRequest()),
    ("CancelMeeting", task_pb2.CancelMeetingRequest(reason="x" * 300)),
    ("AddAttendees", task_pb2.AddAttendeesRequest()),
    ("RemoveAttendees", task_pb2.RemoveAttendeesRequest(emails=["x"] * 2)),
    ("GetMeetingCalendar", task_pb2.GetMeetingCalendarRequest(email="x")),
    ("CreateMeeting", task_pb2.CreateMeetingRequest()),
]
MEETING: dict[str, Any] = {
    "summary": "Review",
    "start": "2035-01-05T09:00",
    "end": "2035-01-05T10:00",
    "time_zone": "Europe/Berlin",
    "attendees": [{"email": "ada@example.org"}],
    "invite_at": {"seconds": TOMORROW},
}
UNKNOWN = {"meeting_id": "0" * 32}
INVALID_MEETINGS: list[dict[str, Any]] = [
    {"summary": "", "start": "now", "end": "", "time_zone": "Berlin", "attendees": []},
    {"attendees": [{"email": "x", "role": 7}, {"email": "ada@corp.local"}]},
    {"attendees": [{"email": "ada@example.org"}] * 2, "invite_at": {"seconds": TOMORROW * 2}},
    {"reminders": [{"before": {"seconds": 30}}] * 6, "labels": {"": "x"}},
    {"texts": {"update": {"template": "unknown"}, "variables": {"username": "x"}}},
    {"organizer": {"email": "eve@example.com"}, "sender": "x", "url": "nowhere"},
    {"description": "x" * 400_000},
]
OTHERS += [
    *(
        ("CreateMeeting", task_pb2.CreateMeetingRequest(meeting=MEETING | each, request_id="ü"))
        for each in INVALID_MEETINGS
    ),
    ("GetMeeting", task_pb2.GetMeetingRequest(**UNKNOWN)),
    ("UpdateMeeting", task_pb2.UpdateMeetingRequest(meeting=UNKNOWN | {"url": "x"})),
    ("CancelMeeting", UNCHECKED.CancelMeetingRequest(**UNKNOWN)),
    ("AddAttendees", UNCHECKED.AddAttendeesRequest(**UNKNOWN)),
    ("RemoveAttendees", UNCHECKED.RemoveAttendeesRequest(**UNKNOWN, emails=["a@example.org"])),
    ("GetMeetingCalendar", task_pb2.GetMeetingCalendarRequest(**UNKNOWN)),
]
CALLS = [("ScheduleMeet", task_pb2.MeetRequest(**(VALID | each))) for each in MEETS] + OTHERS


async def record_answers(target: str) -> list[Any]:
    """Return what the service at *target* answers to each call: outcome and state, or the error."""
    answers: list[Any] = []
    async with scheduler_stub(target) as stub:
        for method, request in CALLS:
            try:
                reply = await getattr(stub, method)(request)
            except grpc.aio.AioRpcError as error:
                metadata = dict(error.trailing_metadata() or ())
                status = metadata["grpc-status-details-bin"]
                answers.append((error.code(), error.details(), status))
            else:
                answers.append((reply.success, reply.outcome, reply.state))
    return answers


CHANGES: list[tuple[str, Any]] = [
    ("GetMeeting", task_pb2.GetMeetingRequest()),
    ("UpdateMeeting", task_pb2.UpdateMeetingRequest(meeting={"start": "2035-01-05T08:00"})),
    ("UpdateMeeting", task_pb2.UpdateMeetingRequest(meeting={"location": "Room 5", "etag": "old"})),
    ("UpdateMeeting", task_pb2.UpdateMeetingRequest(update_mask={"paths": ["attendees", "x"]})),
    ("UpdateMeeting", task_pb2.UpdateMeetingRequest(meeting={"url": "x", "start": "now"})),
    (
        "UpdateMeeting",
        task_pb2.UpdateMeetingRequest(meeting={"time_zone": "UTC"}, validate_only=True),
    ),
    (
        "AddAttendees",
        task_pb2.AddAttendeesRequest(attendees=[{"email": "bob@example.org", "role": 1}]),
    ),
    ("AddAttendees", task_pb2.AddAttendeesRequest(attendees=[{"email": "x"}])),
    ("RemoveAttendees", task_pb2.RemoveAttendeesRequest(emails=["cy@example.org"])),
    ("RemoveAttendees", task_pb2.RemoveAttendeesRequest(emails=["ADA@example.org"], reason="left")),
    ("ListMeetings", UNCHECKED.ListMeetingsRequest(view=1)),
    ("ListMeetings", task_pb2.ListMeetingsRequest(filter={"attendee": "ada@example.org"})),
    ("GetMeetingCalendar", task_pb2.GetMeetingCalendarRequest()),
    ("GetMeetingCalendar", task_pb2.GetMeetingCalendarRequest(email="bob@example.org")),
    ("CancelMeeting", task_pb2.CancelMeetingRequest(validate_only=True)),
    ("CancelMeeting", task_pb2.CancelMeetingRequest(reason="postponed")),
    ("CancelMeeting", task_pb2.CancelMeetingRequest(reason="postponed")),
    ("UpdateMeeting", task_pb2.UpdateMeetingRequest(meeting={"summary": "x"})),
]
"""Calls about one meeting, whose id is added."""


async def record_history(target: str) -> list[str]:
    """Return the answers to calls about a meeting, without what differs from one to another."""
    answers: list[str] = []
    async with scheduler_stub(target) as stub:
        request = task_pb2.CreateMeetingRequest(meeting=MEETING)
        made = await stub.CreateMeeting(request)
        answers.append(hide_ids(made, made))
        for method, template in CHANGES:
            change = copy(template)
            if hasattr(change, "meeting_id"):
                change.meeting_id = made.meeting_id
            elif hasattr(change, "meeting"):
                change.meeting.meeting_id = made.meeting_id
            try:
                answers.append(hide_ids(await getattr(stub, method)(change), made))
            except grpc.aio.AioRpcError as error:
                answers.append(f"{method}: {error.details()}".replace(made.meeting_id, "ID"))
    return answers


def copy(template: Any) -> Any:
    return type(template).FromString(template.SerializeToString())


def hide_ids(reply: Any, made: task_pb2.Meeting) -> str:
    """Return *reply* as text, where ids and times of the test are the same for each meeting."""
    copied = copy(reply)
    for meeting in getattr(copied, "meetings", [copied]):
        for name in ("etag", "uid", "create_time", "update_time", "zone_version", "client"):
            if hasattr(meeting, name):
                meeting.ClearField(name)
        for each in getattr(meeting, "attendees", ()):
            each.ClearField("job_id")
        for each in getattr(meeting, "steps", ()):
            each.ClearField("time")
    text = str(copied).replace(made.meeting_id, "ID")
    return re.sub(r"DTSTAMP:\w+", "DTSTAMP", re.sub(r"UID:[^\\]+", "UID", text))


async def test_it_keeps_meetings_as_the_service_does(app: RunningApp) -> None:
    with FakeScheduler() as fake:
        of_fake = await record_history(fake.target)

    of_service = await record_history(app.target)

    assert of_fake == of_service
    assert "what: CHANGES" in of_service[2], "an invitation that waits"


async def test_it_answers_as_the_service_does(app: RunningApp) -> None:
    with FakeScheduler() as fake:
        of_fake = await record_answers(fake.target)

    of_service = await record_answers(app.target)

    assert of_fake == of_service
    accepted = [answer for answer in of_service if answer[0] is True]
    assert len(accepted) == 2, "only the valid request, and the one for the daily queue"


def test_each_method_is_answered_or_checked_by_the_rules() -> None:
    without_rules = {"ScheduleMeet", "BatchScheduleMeets", "ListTemplates"}
    without_rules |= {
        "GetStatus",
        "RunDailyQueue",
        "PreviewTemplate",
        "SendTestMail",
    }  # nothing to check, or a mail

    assert METHODS.keys() == RULES.keys() | without_rules
    assert {method for method, _ in OTHERS} == {*RULES, "BatchScheduleMeets"}
    assert set(ANSWERS) == MEETING_METHODS <= RULES.keys()


def test_the_reserved_variables_are_those_of_the_mails() -> None:
    assert set(RESERVED_NAMES) == set(OF_MAILS)


def test_there_is_a_sample_of_each_error_of_the_service() -> None:
    made = {reason: type(sample(task_pb2.MeetRequest())) for reason, sample in SAMPLES.items()}

    assert made == {reason: error for error, (_, reason) in STATUS.items()}


@pytest.mark.parametrize("reason", SAMPLES)
async def test_each_reason_reaches_the_client_with_its_code(
    fake: FakeScheduler, client: Client, reason: Any
) -> None:
    fake.fail_next(reason)

    with pytest.raises(CallFailed) as caught:
        await asyncio.to_thread(client.call, "ScheduleMeet", task_pb2.MeetRequest(**VALID))

    [code] = [number for number, named in STATUS.values() if named == reason]
    assert caught.value.reason == reason
    assert CODES[caught.value.code] == code


def test_each_class_of_the_client_can_be_raised(fake: FakeScheduler, client: Client) -> None:
    for code, cls in CLASS_BY_CODE.items():
        fake.fail_next(cls("in a test"))
        with pytest.raises(CallFailed, match=r"in a test|did not answer") as caught:
            client.call("ScheduleMeet", task_pb2.MeetRequest(**VALID))

        assert type(caught.value) is cls
        assert caught.value.code == code
