"""The methods that read, in the whole service: requests and their results."""

import time
from pathlib import Path

import grpc
import pytest

from gcsched import __version__
from gcsched.pb import task_pb2
from tests.support.in_process_app import make_settings, running_app
from tests.support.relay.server import Answer, At, Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.stores import own_mongod
from tests.support.wait import until


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"suppression_days": "7", "smtp_rate": "1000"}


async def wait_for_state(state: task_pb2.Job.State, job_id: str, stub: Stub) -> task_pb2.Job:
    """Wait until the job is in *state*; return it."""

    async def read() -> list[task_pb2.Job]:
        job = await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))
        return [job] if job.state == state else []

    [job] = await until(read)
    return job


async def wait_until_sent(stub: Stub, job_id: str) -> task_pb2.Job:
    return await wait_for_state(task_pb2.Job.SENT, job_id, stub)


async def test_a_mail_can_be_followed_from_the_request_to_the_relays_words(
    stub: Stub, relay: Relay
) -> None:
    job_id = (await stub.ScheduleMeet(a_meet(1, empName="Zoë"))).job_id

    job = await wait_until_sent(stub, job_id)
    listed = await stub.ListJobs(
        task_pb2.ListJobsRequest(filter=task_pb2.JobFilter(empid="EMP000001"))
    )
    counted = await stub.CountJobs(
        task_pb2.CountJobsRequest(filter=task_pb2.JobFilter(state=task_pb2.Job.SENT))
    )

    [attempt] = job.attempts
    assert (job.name, job.message) == ("Zoë", "Scheduled chat number 1")
    assert (attempt.kind, attempt.relay) == (
        task_pb2.Attempt.ACCEPTED,
        f"127.0.0.1:{relay.port}",
    )
    assert job.message_id in relay.ledger[0].header("Message-ID")
    assert [(each.job_id, each.etag) for each in listed.jobs] == [(job_id, job.etag)]
    assert (counted.count, counted.has_more) == (1, False)


async def is_known(stub: Stub) -> bool:
    """Return whether the recipient is stored, which follows a little after the reply."""
    try:
        recipient = await stub.GetRecipient(task_pb2.GetRecipientRequest(empid="EMP000001"))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return False
    return bool(recipient.accepted_count == 1)


async def test_a_recipient_is_known_and_forgotten(stub: Stub) -> None:
    job_id = (await stub.ScheduleMeet(a_meet(1))).job_id
    await wait_until_sent(stub, job_id)

    await until(lambda: is_known(stub))
    forgotten = await stub.ForgetRecipient(task_pb2.ForgetRecipientRequest(empid="EMP000001"))

    job = await stub.GetJob(task_pb2.GetJobRequest(job_id=job_id))
    assert (forgotten.erased_jobs, forgotten.unfinished_jobs) == (1, 0)
    assert (job.email, job.state) == ("", task_pb2.Job.SENT)


async def test_a_suppressed_address_gets_no_mail_until_the_suppression_is_removed(
    stub: Stub, relay: Relay
) -> None:
    address = a_meet(1).emailID
    added = await stub.AddSuppression(
        task_pb2.AddSuppressionRequest(email=address, reason="requested")
    )
    job_id = (await stub.ScheduleMeet(a_meet(1))).job_id

    job = await wait_for_state(task_pb2.Job.SUPPRESSED, job_id, stub)
    await stub.RemoveSuppression(task_pb2.RemoveSuppressionRequest(email=address))
    again = (await stub.ScheduleMeet(a_meet(1))).job_id

    await wait_until_sent(stub, again)
    assert added.expire_time.seconds - added.create_time.seconds == 7 * 86_400
    assert "requested" in job.reason
    assert len(relay.ledger) == 1


async def test_the_status_reports_the_mails_the_relay_and_the_jobs(
    stub: Stub, relay: Relay
) -> None:
    job_id = (await stub.ScheduleMeet(a_meet(1))).job_id
    await wait_until_sent(stub, job_id)

    async def find_full_status() -> list[task_pb2.StatusReport]:
        report = await stub.GetStatus(task_pb2.GetStatusRequest())
        return [report] if report.lateness.mails and report.counts else []

    [report] = await until(find_full_status)

    [first] = report.relays
    assert report.lateness.mails == 1
    assert report.lateness.p99.ToTimedelta().total_seconds() < 20
    assert (first.name, first.is_down) == (f"127.0.0.1:{relay.port}", False)
    assert (first.rate, first.effective_rate) == (1000, 1000)
    assert first.sessions_open >= 1
    assert first.sessions_limit == 16
    assert {each.state for each in report.counts} == set(task_pb2.Job.State.values()) - {0}
    assert report.version == __version__
    assert report.start_time.seconds <= report.count_time.seconds
    assert not report.HasField("pause")


async def test_the_status_reports_that_a_relay_that_throttles_gets_fewer_sessions(
    stub: Stub, relay: Relay
) -> None:
    relay.script(At.MAIL, Answer(451, "4.7.1 too many mails"), nth=1)
    await stub.ScheduleMeet(a_meet(1))

    async def read_limit() -> list[int]:
        report = await stub.GetStatus(task_pb2.GetStatusRequest())
        limits = [each.sessions_limit for each in report.relays]
        return [] if limits == [16] else limits

    assert await until(read_limit) == [8]


async def test_the_status_is_returned_at_once_while_mongodb_is_silent(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    async with own_mongod(tmp_path) as mongod:
        settings = make_settings(mongo=mongod.uri, redis=redis_url, relay_port=relay.port)
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            mongod.freeze()
            start = time.monotonic()
            report = await stub.GetStatus(task_pb2.GetStatusRequest(), timeout=2)
            took = time.monotonic() - start
            mongod.resume()

    assert report.version == __version__
    assert took < 1
