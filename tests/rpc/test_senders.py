"""Requests that choose their sender, over real stores and a real relay."""

import time
from datetime import timedelta
from typing import Any

import grpc
import pytest

from gcsched.adapters.mongo.codec import encode
from gcsched.pb import task_pb2
from gcsched.rpc.methods import schedule, templates
from tests.support.builders import a_client, a_job
from tests.support.corrupt_jobs import PAST
from tests.support.in_process_app import make_settings, running_app
from tests.support.relay.server import Relay
from tests.support.rows import Rows
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.status_details import error_reason, status_of, violations
from tests.support.wait import until

HOUR = 3600
SENDERS = "Payroll <payroll@example.com>, Letters <Letters@example.net>"
ENVELOPES = {"": "no-reply@example.org", "payroll@example.com": "payroll@example.com"}
ENVELOPES |= {"LETTERS@example.net": "Letters@example.net"}
ONE_SESSION = {"smtp_sessions": "1"}


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {"senders": SENDERS, "sender_name": "Scheduler", **ONE_SESSION}


def in_an_hour() -> int:
    return int(time.time()) + HOUR


async def test_the_mails_of_a_batch_have_their_own_senders_in_one_session(
    stub: Stub, relay: Relay
) -> None:
    named = [*ENVELOPES] * 10
    batch = task_pb2.BatchScheduleMeetsRequest(
        requests=[a_meet(number, sender=sender) for number, sender in enumerate(named)]
    )

    answers = (await stub.BatchScheduleMeets(batch)).answers
    await until(lambda: len(relay.ledger) == len(named))

    mails = {mail.recipient.partition("-")[0]: mail for mail in relay.ledger}
    for number, (sender, answer) in enumerate(zip(named, answers, strict=True)):
        mail, address = mails[str(number)], ENVELOPES[sender]
        assert mail.sender == address
        assert mail.header("From").endswith(f"<{address}>")
        domain = address.partition("@")[2]
        assert mail.header("Message-ID") == f"<{answer.response.job_id}@{domain}>"
    assert {mail.session for mail in relay.ledger} == {relay.ledger[0].session}
    assert relay.violations == []


async def test_a_job_and_a_preview_have_the_sender(stub: Stub) -> None:
    due = in_an_hour()
    calls = [a_meet(1, timestamp=due, sender=each) for each in ("", "PAYROLL@example.com")]

    replies = [await stub.ScheduleMeet(call) for call in calls]
    again = [await stub.ScheduleMeet(call) for call in calls]
    jobs = [await stub.GetJob(task_pb2.GetJobRequest(job_id=each.job_id)) for each in replies]
    for call in calls:
        call.validate_only = True
    previews = [(await stub.ScheduleMeet(call)).preview for call in calls]

    assert [job.sender for job in jobs] == ["", "payroll@example.com"]
    assert [reply.job_id for reply in again] == [job.job_id for job in jobs]
    assert len({job.job_id for job in jobs}) == 2
    assert [preview.sender for preview in previews] == [
        "Scheduler <no-reply@example.org>",
        "Payroll <payroll@example.com>",
    ]
    assert [preview.duplicate_of for preview in previews] == [job.job_id for job in jobs]
    sample = await stub.PreviewTemplate(task_pb2.PreviewTemplateRequest())
    assert sample.sender == "Scheduler <no-reply@example.org>"
    status = await stub.GetStatus(task_pb2.GetStatusRequest())
    assert list(status.sending.senders) == [
        *("Scheduler <no-reply@example.org>", "Payroll <payroll@example.com>"),
        "Letters <Letters@example.net>",
    ]


async def refuse(stub: Stub, **fields: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ScheduleMeet(a_meet(1, **fields))
    return caught.value


async def test_an_unknown_sender_and_a_changed_one_are_refused(stub: Stub) -> None:
    due: dict[str, Any] = {"timestamp": in_an_hour(), "request_id": "R"}
    first = await stub.ScheduleMeet(a_meet(1, sender="payroll@example.com", **due))

    unknown = await refuse(stub, sender="eve@example.com")
    changed = await refuse(stub, **due)

    assert unknown.code() is grpc.StatusCode.INVALID_ARGUMENT
    [(field, problem)] = violations(status_of(unknown))
    assert (field, "payroll@example.com, letters@example.net" in problem) == ("sender", True)
    assert error_reason(status_of(changed)) == ("REQUEST_ID_REUSED", {"job_id": first.job_id})


async def test_a_request_of_a_limited_client_comes_from_its_first_sender(
    stub: Stub, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its program may be older than the field."""
    client = a_client(senders=("payroll@example.com", "letters@example.net"))
    for module in (schedule, templates):
        monkeypatch.setattr(module, "current_caller", lambda: client)

    await stub.ScheduleMeet(a_meet(1))
    [mail] = await until(lambda: relay.ledger)
    preview = await stub.PreviewTemplate(task_pb2.PreviewTemplateRequest())
    refused = await refuse(stub, sender="no-reply@example.org")

    assert (mail.sender, preview.sender) == (
        *("payroll@example.com", "Payroll <payroll@example.com>"),
    )
    assert dict(violations(status_of(refused))) == {
        "sender": "must be one of those that client 'payroll' may use: payroll@example.com,"
        " letters@example.net"
    }


async def test_a_job_whose_sender_is_gone_fails_and_can_be_retried_once_it_is_back(
    mongo_uri: str, redis_url: str, relay: Relay, jobs: Rows
) -> None:
    without, again = (
        make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port, senders=each)
        for each in ("", SENDERS)
    )
    job = a_job(
        id="0" * 32,
        sender="letters@example.net",
        email="ada@bench.test",
        due_time=PAST,
        expire_time=PAST + timedelta(days=36_500),
    )

    async with running_app(without):
        jobs.insert_one(encode(job))
        failed = await until(lambda: jobs.find_one({"state": "FAILED"}))
    async with running_app(again) as app, scheduler_stub(app.target) as stub:
        await stub.RetryJob(task_pb2.RetryJobRequest(job_id=job.id))
        [mail] = await until(lambda: relay.ledger)

    assert failed is not None
    assert failed["reason"].startswith(
        "the sender letters@example.net is not a sender of this service"
    )
    assert failed["attempts"][0]["kind"] == "CONTENT"
    assert mail.sender == "Letters@example.net"
