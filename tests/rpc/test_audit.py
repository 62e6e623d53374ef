"""Who did what, for every method of the contract: real stores and a real channel."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.domain.access import Client, Scope
from gcsched.domain.job import State
from gcsched.pb import task_pb2
from gcsched.rpc.caller import CALLER
from tests.support.audits import read_entries
from tests.support.builders import a_job
from tests.support.handler_server import read_error_status
from tests.support.in_process_app import make_settings, running_app
from tests.support.relay.server import Relay
from tests.support.rows import Row, Rows
from tests.support.service_process import Stub, scheduler_stub

METHODS = [method.name for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods]
READS = {
    *("GetJob", "ListJobs", "CountJobs", "GetStatus", "ListSuppressions", "GetSuppression"),
    *("GetRecipient", "ListTemplates", "PreviewTemplate", "ListAudit"),
    *("GetMeeting", "ListMeetings", "GetMeetingCalendar"),
}
ADMISSIONS = {"ScheduleMeet", "BatchScheduleMeets", "SendTestMail"}
"""A job keeps its client, so that needs neither a step nor an entry."""
MEETING_STEPS = {
    *("CreateMeeting", "UpdateMeeting", "CancelMeeting", "AddAttendees", "RemoveAttendees"),
}
"""Their steps are in the meeting: tests/rpc/methods/test_meetings_of_clients.py."""

FAR = datetime(2100, 1, 1, tzinfo=UTC)
ADDRESS, EMPID, REASON = "ada@example.org", "E1", "Ada has moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCase:
    """A call that changes the job "job-1" from one state to another."""

    request: Any
    before: State
    after: State
    reason: str = ""


ONE_JOB = task_pb2.JobFilter(empid=EMPID)
STEPS: dict[str, StepCase] = {
    "CancelJob": StepCase(
        request=task_pb2.CancelJobRequest(job_id="job-1", reason=REASON),
        before=State.SCHEDULED,
        after=State.CANCELLED,
        reason=REASON,
    ),
    "RescheduleJob": StepCase(
        request=task_pb2.RescheduleJobRequest(job_id="job-1"),
        before=State.SCHEDULED,
        after=State.QUEUED,
    ),
    "RetryJob": StepCase(
        request=task_pb2.RetryJobRequest(job_id="job-1"),
        before=State.FAILED,
        after=State.RETRYING,
    ),
    "ResolveJob": StepCase(
        request=task_pb2.ResolveJobRequest(job_id="job-1", state=task_pb2.Job.SENT, reason=REASON),
        before=State.UNCERTAIN,
        after=State.SENT,
        reason=REASON,
    ),
    "CancelJobs": StepCase(
        request=task_pb2.ChangeJobsRequest(filter=ONE_JOB, reason=REASON),
        before=State.SCHEDULED,
        after=State.CANCELLED,
        reason=REASON,
    ),
    "RetryJobs": StepCase(
        request=task_pb2.ChangeJobsRequest(filter=ONE_JOB),
        before=State.FAILED,
        after=State.RETRYING,
    ),
}
ACTS: dict[str, tuple[Any, int]] = {
    "CancelJobs": (STEPS["CancelJobs"].request, 1),
    "RetryJobs": (STEPS["RetryJobs"].request, 1),
    "RunDailyQueue": (task_pb2.RunDailyQueueRequest(), 1),
    "PauseSending": (task_pb2.PauseSendingRequest(by="someone else", reason="relay moves"), 1),
    "ResumeSending": (task_pb2.ResumeSendingRequest(by="someone else"), 1),
    "AddSuppression": (task_pb2.AddSuppressionRequest(email=ADDRESS, reason=REASON), 1),
    "RemoveSuppression": (task_pb2.RemoveSuppressionRequest(email=ADDRESS.upper()), 1),
    "ForgetRecipient": (task_pb2.ForgetRecipientRequest(empid=EMPID), 1),
}
"""The request of each act, and how many jobs or documents it changes."""


def test_each_method_is_a_read_an_admission_a_step_or_an_act() -> None:
    classes = [READS, ADMISSIONS, MEETING_STEPS, STEPS.keys() | ACTS.keys()]

    assert set().union(*classes) == set(METHODS)
    assert sum(map(len, classes)) == len(METHODS)


@pytest.fixture
async def stub(mongo_uri: str, redis_url: str, relay: Relay) -> AsyncIterator[Stub]:
    """A channel to a service that takes every caller for the client `payroll`."""
    CALLER.set(Client(name="payroll", scopes=frozenset({Scope.ADMIN})))
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        yield stub


def call(stub: Stub, method: str, request: Any) -> Awaitable[Any]:
    send: Callable[[Any], Awaitable[Any]] = getattr(stub, method)
    return send(request)


def insert_job(jobs: Rows, state: State) -> None:
    """Store a job that is not due, so that nothing but the call changes it."""
    job = a_job(state=state, due_time=FAR, expire_time=FAR + timedelta(days=1))
    jobs.insert_one(encode(job))


async def test_each_change_of_one_job_is_one_step_with_the_verified_name(
    stub: Stub, jobs: Rows
) -> None:
    await stub.PauseSending(ACTS["PauseSending"][0])  # a retried job would be sent at once
    for method, case in STEPS.items():
        jobs.delete_many({})
        insert_job(jobs, case.before)

        for _ in range(2):  # a repeated call changes nothing
            await call(stub, method, case.request)

        shown = await stub.GetJob(task_pb2.GetJobRequest(job_id="job-1"))
        [step] = shown.steps
        assert (step.client, step.via, step.method) == ("payroll", "grpc", method)
        assert step.previous_state == task_pb2.Job.State.Value(case.before)
        assert step.state == task_pb2.Job.State.Value(case.after)
        assert step.reason == case.reason
        assert step.time == shown.state_time


async def prepare_act(stub: Stub, method: str, jobs: Rows) -> None:
    """Store what *method* is to change."""
    jobs.delete_many({})
    match method:
        case "CancelJobs" | "RetryJobs":
            insert_job(jobs, STEPS[method].before)
        case "RunDailyQueue":
            insert_job(jobs, State.QUEUED)
        case "ResumeSending":
            await stub.PauseSending(ACTS["PauseSending"][0])
        case "RemoveSuppression":
            await stub.AddSuppression(ACTS["AddSuppression"][0])
        case "ForgetRecipient":
            insert_job(jobs, State.SENT)
        case _:
            assert method in {"PauseSending", "AddSuppression"}


async def test_each_act_on_many_or_on_the_whole_is_one_entry_with_the_verified_name(
    stub: Stub, jobs: Rows, raw: Database[Row]
) -> None:
    await stub.PauseSending(ACTS["PauseSending"][0])  # a mail that is sent would change its job
    for method, (request, count) in ACTS.items():
        await prepare_act(stub, method, jobs)
        raw["audit"].delete_many({})

        await call(stub, method, request)

        [stored] = read_entries(raw)
        [entry] = (await stub.ListAudit(task_pb2.ListAuditRequest())).entries
        assert (entry.client, entry.via, entry.method) == ("payroll", "grpc", method)
        assert (entry.outcome, entry.count, entry.error) == (task_pb2.AuditEntry.DONE, count, ""), (
            method
        )
        assert entry.id == stored["_id"]
        assert entry.time.ToDatetime(UTC) == stored["at"] <= entry.end_time.ToDatetime(UTC)
        for person in (ADDRESS, EMPID, "Ada"):
            assert person not in str(stored), method


async def test_entries_are_found_by_client_subject_and_time(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await stub.RemoveSuppression(task_pb2.RemoveSuppressionRequest(email=ADDRESS))
    await stub.AddSuppression(task_pb2.AddSuppressionRequest(email=ADDRESS, reason="x"))
    await stub.ForgetRecipient(task_pb2.ForgetRecipientRequest(empid=EMPID))

    async def find(**fields: Any) -> list[tuple[str, str]]:
        found = await stub.ListAudit(task_pb2.ListAuditRequest(**fields))
        return [(each.method, each.error) for each in found.entries]

    forget, add = ("ForgetRecipient", ""), ("AddSuppression", "")
    remove = ("RemoveSuppression", "SUPPRESSION_NOT_FOUND")
    assert await find() == await find(client="payroll") == [forget, add, remove]
    assert await find(client="ops") == []
    assert await find(subject="ADA@Example.org") == [add, remove]
    assert await find(subject=EMPID) == [forget]
    assert await find(before_time=Timestamp(seconds=1)) == []
    assert await find(from_time=Timestamp(seconds=1), page_size=2) == [forget, add]
    first = await stub.ListAudit(task_pb2.ListAuditRequest(page_size=2))
    assert await find(page_size=2, page_token=first.next_page_token) == [remove]


async def test_a_dry_run_and_an_invalid_request_leave_no_entry(
    stub: Stub, jobs: Rows, raw: Database[Row]
) -> None:
    insert_job(jobs, State.SCHEDULED)

    dry = await stub.CancelJobs(task_pb2.ChangeJobsRequest(all=True, validate_only=True))
    refusal = await read_error_status(stub.CancelJobs(task_pb2.ChangeJobsRequest()))

    assert (dry.count, refusal.code) == (1, grpc.StatusCode.INVALID_ARGUMENT)
    assert read_entries(raw) == []
    assert [row.get("steps") for row in jobs.find()] == [None]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"page_size": -1}, "page_size"),
        ({"page_token": "x"}, "page_token"),
        ({"client": "x" * 129}, "client"),
        ({"subject": "a\nb"}, "subject"),
        ({"from_time": Timestamp(seconds=2**60)}, "from_time"),
    ],
)
async def test_values_out_of_bounds_are_refused(
    stub: Stub, fields: dict[str, Any], wrong: str
) -> None:
    refusal = await read_error_status(stub.ListAudit(task_pb2.ListAuditRequest(**fields)))

    assert set(refusal.violations) == {wrong}


async def test_a_claimed_job_that_a_suppression_ends_has_a_step_of_its_caller(
    stub: Stub, jobs: Rows, relay: Relay
) -> None:
    assert relay.bodies == []
    job = a_job(state=State.SENDING, claim="claim-1", version=1, due_time=FAR, expire_time=FAR)
    jobs.insert_one(encode(job) | {"lease": FAR})

    await stub.AddSuppression(task_pb2.AddSuppressionRequest(email=ADDRESS, reason="on request"))

    shown = await stub.GetJob(task_pb2.GetJobRequest(job_id="job-1"))
    [step] = shown.steps
    assert shown.state == step.state == task_pb2.Job.SUPPRESSED
    assert (step.client, step.method) == ("payroll", "AddSuppression")
    assert (step.previous_state, step.reason) == (task_pb2.Job.SENDING, "on request")
