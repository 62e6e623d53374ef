"""The methods that change jobs, with a real channel, real stores and a real relay."""

import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from gcsched.pb import task_pb2
from tests.support.handler_server import read_error_status
from tests.support.in_process_app import make_settings, running_app
from tests.support.relay.server import Answer, At, LoseReply, Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.stores import own_mongod
from tests.support.wait import until

State = task_pb2.Job.State
DAY = 86_400
NO_SUCH_JOB = "0" * 32


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"on_uncertain": "hold"}


async def a_waiting_job(stub: Stub, number: int = 1, *, ahead: int = DAY) -> str:
    reply = await stub.ScheduleMeet(a_meet(number, timestamp=int(time.time()) + ahead))
    return str(reply.job_id)


async def a_job_in(stub: Stub, state: int, number: int = 1) -> task_pb2.Job:
    """Schedule a mail for now, and wait until its job is in *state*."""
    reply = await stub.ScheduleMeet(a_meet(number))
    return await wait_for_state(stub, reply.job_id, state)


async def wait_for_state(stub: Stub, job_id: str, state: int) -> task_pb2.Job:
    async def find_job_in_state() -> task_pb2.Job | None:
        job: task_pb2.Job = await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))
        return job if job.state == state else None

    job = await until(find_job_in_state)
    assert job is not None
    return job


def recipients(relay: Relay) -> list[str]:
    return [kept.recipient.partition("-")[0] for kept in relay.ledger]


async def test_a_cancelled_job_is_not_mailed(stub: Stub, relay: Relay) -> None:
    cancelled = await a_waiting_job(stub, 1, ahead=2)
    kept = await a_waiting_job(stub, 2, ahead=2)

    job = await stub.CancelJob(task_pb2.CancelJobRequest(job_id=cancelled, reason="moved"))

    assert (job.state, job.reason, job.job_id) == (State.CANCELLED, "moved", cancelled)
    await wait_for_state(stub, kept, State.SENT)
    assert recipients(relay) == ["2"]
    again = await stub.CancelJob(task_pb2.CancelJobRequest(job_id=cancelled, etag="old"))
    assert again == job


async def test_too_late_to_cancel_is_reported_with_state_and_state_time(stub: Stub) -> None:
    sent = await a_job_in(stub, State.SENT)

    refusal = await read_error_status(stub.CancelJob(task_pb2.CancelJobRequest(job_id=sent.job_id)))

    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.reason == "ILLEGAL_TRANSITION"
    assert refusal.metadata["state"] == "SENT"
    assert refusal.metadata["state_time"] == sent.state_time.ToDatetime().isoformat() + "+00:00"


@pytest.mark.parametrize("ahead", [3, -DAY], ids=["to a future second", "to now"])
async def test_a_rescheduled_job_leaves_at_its_new_time(
    stub: Stub, relay: Relay, ahead: int
) -> None:
    job_id = await a_waiting_job(stub)
    start = time.time()

    moved = await stub.RescheduleJob(
        task_pb2.RescheduleJobRequest(job_id=job_id, timestamp=int(start) + ahead)
    )

    due = moved.due_time.ToDatetime().timestamp() if ahead < 0 else int(start) + ahead
    assert moved.state == State.SCHEDULED
    assert moved.due_time == moved.schedule_time
    await wait_for_state(stub, job_id, State.SENT)
    assert ahead < 0 or 0 <= relay.ledger[0].time - due < 1
    assert relay.ledger[0].time - start < ahead + DAY + 1


async def test_a_job_that_was_put_off_does_not_leave_at_the_earlier_time(
    stub: Stub, relay: Relay
) -> None:
    postponed = await a_waiting_job(stub, 1, ahead=2)
    marker = await a_waiting_job(stub, 2, ahead=2)
    later = int(time.time()) + 4

    await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=postponed, timestamp=later))

    await wait_for_state(stub, marker, State.SENT)
    await wait_for_state(stub, postponed, State.SENT)
    assert recipients(relay) == ["2", "1"]
    assert 0 <= relay.ledger[1].time - later < 1


async def test_a_job_in_the_daily_queue_waits_for_its_run_or_its_new_time(
    stub: Stub, relay: Relay
) -> None:
    by_run, by_time = await a_waiting_job(stub, 1), await a_waiting_job(stub, 2)
    for job_id in (by_run, by_time):
        queued = await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=job_id))
        assert queued.state == State.QUEUED

    await stub.RescheduleJob(task_pb2.RescheduleJobRequest(job_id=by_time, timestamp=1))
    await wait_for_state(stub, by_time, State.SENT)
    run = await stub.RunDailyQueue(task_pb2.RunDailyQueueRequest())

    assert run.count == 1
    await wait_for_state(stub, by_run, State.SENT)
    assert recipients(relay) == ["2", "1"]


async def test_a_retried_job_is_mailed_with_the_same_message_id(stub: Stub, relay: Relay) -> None:
    relay.script(At.BODY, Answer(554, "5.6.0 not like this"), nth=1)
    failed = await a_job_in(stub, State.FAILED)

    retried = await stub.RetryJob(task_pb2.RetryJobRequest(job_id=failed.job_id, etag=failed.etag))

    assert (retried.state, retried.attempt) == (State.RETRYING, 0)
    sent = await wait_for_state(stub, failed.job_id, State.SENT)
    assert relay.ledger[0].header("Message-ID") == f"<{failed.message_id}>"
    assert sent.message_id == failed.message_id
    assert [attempt.code for attempt in sent.attempts] == [554, 250]


async def test_a_job_whose_request_another_job_has_is_not_retried(stub: Stub, relay: Relay) -> None:
    relay.script(At.BODY, Answer(554, "5.6.0 not like this"), nth=1)
    failed = await a_job_in(stub, State.FAILED)
    other = await a_job_in(stub, State.SENT)

    refusal = await read_error_status(stub.RetryJob(task_pb2.RetryJobRequest(job_id=failed.job_id)))

    assert refusal.code is grpc.StatusCode.ALREADY_EXISTS
    assert (refusal.reason, refusal.metadata["job_id"]) == ("DUPLICATE_JOB", other.job_id)


async def test_a_retried_job_is_found_by_its_request(stub: Stub, relay: Relay) -> None:
    relay.script(At.BODY, Answer(554, "5.6.0 not like this"), nth=1)
    failed = await a_job_in(stub, State.FAILED)
    await stub.RetryJob(task_pb2.RetryJobRequest(job_id=failed.job_id))

    again = await stub.ScheduleMeet(a_meet(1))

    assert again.job_id == failed.job_id


@pytest.mark.parametrize("found", ["SENT", "FAILED"])
async def test_an_uncertain_job_is_resolved_by_an_operator(
    stub: Stub, relay: Relay, found: str
) -> None:
    relay.script(At.BODY, LoseReply())
    held = await a_job_in(stub, State.UNCERTAIN)

    resolved = await stub.ResolveJob(
        task_pb2.ResolveJobRequest(job_id=held.job_id, state=found, reason="in the relay's log")
    )

    assert (State.Name(resolved.state), resolved.reason) == (found, "in the relay's log")


async def test_only_the_job_that_was_read_is_changed(stub: Stub) -> None:
    job_id = await a_waiting_job(stub)
    read = await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))
    moved = await stub.RescheduleJob(
        task_pb2.RescheduleJobRequest(job_id=job_id, etag=read.etag, timestamp=0)
    )

    refusal = await read_error_status(
        stub.CancelJob(task_pb2.CancelJobRequest(job_id=job_id, etag=read.etag))
    )
    cancelled = await stub.CancelJob(task_pb2.CancelJobRequest(job_id=job_id, etag=moved.etag))

    assert refusal.code is grpc.StatusCode.ABORTED
    assert (refusal.reason, refusal.metadata) == ("ETAG_MISMATCH", {"job_id": job_id})
    assert cancelled.state == State.CANCELLED


def a_filter(**fields: Any) -> task_pb2.JobFilter:
    return task_pb2.JobFilter(**fields)


async def test_all_jobs_of_an_employee_are_counted_and_cancelled(stub: Stub) -> None:
    for number, empid in enumerate(["E1", "E1", "E2"]):
        await stub.ScheduleMeet(a_meet(number, empid=empid, timestamp=int(time.time()) + DAY))
    of_one = a_filter(empid="E1")

    counted = await stub.CancelJobs(task_pb2.ChangeJobsRequest(filter=of_one, validate_only=True))
    cancelled = await stub.CancelJobs(task_pb2.ChangeJobsRequest(filter=of_one, reason="left"))
    again = await stub.CancelJobs(task_pb2.ChangeJobsRequest(filter=of_one))
    rest = await stub.CancelJobs(task_pb2.ChangeJobsRequest(all=True))

    assert [each.count for each in (counted, cancelled, again, rest)] == [2, 2, 0, 1]


@pytest.mark.parametrize("method", ["CancelJobs", "RetryJobs"])
async def test_jobs_are_not_changed_by_the_prefix_of_their_ids(stub: Stub, method: str) -> None:
    job_id = await a_waiting_job(stub)
    request = task_pb2.ChangeJobsRequest(filter=a_filter(id_prefix=job_id[:8]))

    refusal = await read_error_status(getattr(stub, method)(request))

    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == {"filter.id_prefix"}
    left = await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))
    assert left.state == task_pb2.Job.SCHEDULED


async def test_all_failed_jobs_are_mailed_after_a_retry(stub: Stub, relay: Relay) -> None:
    for nth in (1, 2):
        relay.script(At.BODY, Answer(554, "5.6.0 not like this"), nth=nth)
    failed = [await a_job_in(stub, State.FAILED, number) for number in (1, 2)]

    answer = await stub.RetryJobs(task_pb2.ChangeJobsRequest(filter=a_filter(state="FAILED")))

    assert answer.count == 2
    for job in failed:
        await wait_for_state(stub, job.job_id, State.SENT)


async def test_a_silent_store_makes_unavailable_within_the_deadline_and_then_the_same_answer(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    async with own_mongod(tmp_path) as mongod:
        settings = make_settings(mongo=mongod.uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            request = task_pb2.CancelJobRequest(job_id=await a_waiting_job(stub), reason="moved")
            mongod.freeze()
            start = time.monotonic()
            refusal = await read_error_status(stub.CancelJob(request, timeout=1.5))
            took = time.monotonic() - start
            mongod.resume()
            cancelled = await stub.CancelJob(request, timeout=20)

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert took < 1.5
    assert (cancelled.state, cancelled.reason) == (State.CANCELLED, "moved")


BAD: dict[str, tuple[str, Message, set[str]]] = {
    "no id": ("CancelJob", task_pb2.CancelJobRequest(), {"job_id"}),
    "long reason": (
        "CancelJob",
        task_pb2.CancelJobRequest(job_id=NO_SUCH_JOB, reason="x" * 257),
        {"reason"},
    ),
    "milliseconds": (
        "RescheduleJob",
        task_pb2.RescheduleJobRequest(job_id=NO_SUCH_JOB, timestamp=1672531200000),
        {"timestamp"},
    ),
    "no resolution": ("ResolveJob", task_pb2.ResolveJobRequest(job_id=NO_SUCH_JOB), {"state"}),
    "wrong resolution": (
        "ResolveJob",
        task_pb2.ResolveJobRequest(job_id=NO_SUCH_JOB, state=State.CANCELLED),
        {"state"},
    ),
    "no such state": (
        "ResolveJob",
        task_pb2.ResolveJobRequest.FromString(b"\n\x01x\x18\x63"),  # state 99
        {"state"},
    ),
    "nothing named": ("CancelJobs", task_pb2.ChangeJobsRequest(), {"all"}),
    "nothing named to retry": ("RetryJobs", task_pb2.ChangeJobsRequest(), {"all"}),
    "no index": (
        "RetryJobs",
        task_pb2.ChangeJobsRequest(filter=a_filter(empid="E1", email="ada@example.org")),
        {"filter"},
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_fields_that_the_contract_forbids_are_named(stub: Stub, name: str) -> None:
    method, request, fields = BAD[name]

    refusal = await read_error_status(getattr(stub, method)(request))

    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == fields


@pytest.mark.parametrize("method", ["CancelJob", "RescheduleJob", "RetryJob"])
async def test_a_job_that_is_not_there_is_not_found(stub: Stub, method: str) -> None:
    request = getattr(task_pb2, f"{method}Request")(job_id=NO_SUCH_JOB)

    refusal = await read_error_status(getattr(stub, method)(request))

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")


LONG = "x" * 257
STATE_99 = b"\x18\x63"  # on the wire: field 3 of a ResolveJobRequest


@pytest.mark.parametrize(
    ("method", "request_", "fields"),
    [
        ("CancelJob", task_pb2.CancelJobRequest(reason=LONG), {"job_id", "reason"}),
        ("RescheduleJob", task_pb2.RescheduleJobRequest(timestamp=-1), {"job_id", "timestamp"}),
        (
            "ResolveJob",
            task_pb2.ResolveJobRequest.FromString(
                STATE_99 + task_pb2.ResolveJobRequest(reason=LONG).SerializeToString()
            ),
            {"job_id", "state", "reason"},
        ),
        ("CancelJobs", task_pb2.ChangeJobsRequest(reason=LONG), {"all", "reason"}),
    ],
)
async def test_all_violations_are_reported_at_once(
    stub: Stub, method: str, request_: Message, fields: set[str]
) -> None:
    refusal = await read_error_status(getattr(stub, method)(request_))

    assert refusal.violations.keys() == fields
