"""Changes of claimed jobs, with a real channel, real stores and a slow relay."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.handler_server import read_error_status
from tests.support.in_process_app import RunningApp, read_jobs
from tests.support.relay.server import At, Hang, Relay
from tests.support.service_process import Stub, a_meet
from tests.support.wait import until

Change = Callable[[Stub, task_pb2.Job], Awaitable[None]]
DAY = 86_400
PAST_TIMESTAMP = 1_672_531_200


async def hold_at_stage(stub: Stub, relay: Relay, at: At) -> tuple[task_pb2.Job, asyncio.Event]:
    """Schedule a mail; return its job while the relay hangs *at* this stage, and the release."""
    released = asyncio.Event()
    relay.script(at, Hang(released), nth=1)
    reply = await stub.ScheduleMeet(a_meet())
    await until(lambda: [moment for moment, _ in relay.applied_actions if moment.at == at])
    job = await stub.GetJob(task_pb2.GetJobRequest(job_id=reply.job_id))
    return job, released


async def cancel(stub: Stub, job: task_pb2.Job) -> None:
    await stub.CancelJob(task_pb2.CancelJobRequest(job_id=job.job_id, etag=job.etag))


async def cancel_all(stub: Stub, job: task_pb2.Job) -> None:
    request = task_pb2.ChangeJobsRequest(filter=task_pb2.JobFilter(empid=job.empid))
    assert (await stub.CancelJobs(request)).count == 1


async def suppress_address(stub: Stub, job: task_pb2.Job) -> None:
    await stub.AddSuppression(task_pb2.AddSuppressionRequest(email=job.email, reason="no more"))


async def reschedule_to_tomorrow(stub: Stub, job: task_pb2.Job) -> None:
    tomorrow = job.due_time.seconds + DAY
    await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=job.job_id, timestamp=tomorrow))


async def move_to_daily_queue(stub: Stub, job: task_pb2.Job) -> None:
    await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=job.job_id))


@pytest.mark.parametrize("at", [At.RCPT, At.DATA])
@pytest.mark.parametrize(
    "expected",
    [
        (cancel, "CANCELLED"),
        (cancel_all, "CANCELLED"),
        (suppress_address, "SUPPRESSED"),
        (reschedule_to_tomorrow, "SCHEDULED"),
        (move_to_daily_queue, "QUEUED"),
    ],
)
async def test_the_body_of_a_claimed_job_that_was_changed_never_starts(
    app: RunningApp, stub: Stub, relay: Relay, at: At, expected: tuple[Change, str]
) -> None:
    change, state = expected
    job, released = await hold_at_stage(stub, relay, at)
    assert job.state == task_pb2.Job.SENDING

    await change(stub, job)
    released.set()
    other = await stub.ScheduleMeet(a_meet(2))
    await until(lambda: has_ended(app, other.job_id))

    [document] = [each for each in await read_jobs(app.resources) if each["_id"] == job.job_id]
    assert document["state"] == state
    assert {"claim", "lease", "begun"}.isdisjoint(document)
    assert [body.recipient.partition("-")[0] for body in relay.bodies] == ["2"]


async def test_a_job_whose_body_has_started_is_not_cancelled_and_the_caller_learns_why(
    app: RunningApp, stub: Stub, relay: Relay
) -> None:
    job, released = await hold_at_stage(stub, relay, At.BODY)

    with pytest.raises(grpc.aio.AioRpcError, match="its body has begun"):
        await stub.CancelJob(task_pb2.CancelJobRequest(job_id=job.job_id))
    refusal = await read_error_status(stub.CancelJob(task_pb2.CancelJobRequest(job_id=job.job_id)))
    counted = await stub.CancelJobs(task_pb2.ChangeJobsRequest(all=True, validate_only=True))
    cancelled = await stub.CancelJobs(task_pb2.ChangeJobsRequest(all=True))
    released.set()

    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    assert (refusal.reason, refusal.metadata["state"]) == ("ILLEGAL_TRANSITION", "SENDING")
    assert counted.count == cancelled.count == 0
    await until(lambda: has_ended(app, job.job_id))
    assert len(relay.ledger) == 1


async def test_a_request_for_a_claimed_job_keeps_its_claim(
    app: RunningApp, stub: Stub, relay: Relay
) -> None:
    job, released = await hold_at_stage(stub, relay, At.RCPT)
    to_now = task_pb2.RescheduleJobRequest(job_id=job.job_id, timestamp=PAST_TIMESTAMP)

    answer = await stub.RescheduleJob(to_now)
    released.set()

    assert (answer.state, answer.etag) == (task_pb2.Job.SENDING, job.etag)
    await until(lambda: has_ended(app, job.job_id))
    assert len(relay.ledger) == 1


async def has_ended(app: RunningApp, job_id: str) -> dict[str, Any] | None:
    found = {job["_id"]: job for job in await read_jobs(app.resources)}
    return found[job_id] if found[job_id]["state"] == "SENT" else None
