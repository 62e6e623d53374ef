"""Test mails, and a service whose mails do not go to all recipients, as callers see them."""

from email.header import decode_header, make_header
from typing import Any

import grpc
import pytest

from gcsched.pb import task_pb2
from gcsched.rpc.methods import templates
from tests.support.builders import a_client
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs,
    read_jobs_if_all_sent,
    running_app,
)
from tests.support.log_events import Events
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.status_details import status_of, violations
from tests.support.template_folders import BUILT_IN
from tests.support.wait import until

STAGING = "staging@example.org"


@pytest.fixture
def app_settings() -> dict[str, str]:
    return {
        "redirect_to": STAGING,
        "allowed_recipients": "bench.test",
        "test_recipients": "ada@bench.test,example.com",
    }


async def find_violations(stub: Stub, **fields: Any) -> list[str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.SendTestMail(task_pb2.SendTestMailRequest(**fields))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return [field for field, _ in violations(status_of(caught.value))]


async def test_a_test_mail_is_an_ordinary_urgent_job(
    stub: Stub, app: RunningApp, relay: Relay
) -> None:
    request = task_pb2.SendTestMailRequest(email="ADA@bench.test", request_id="R1")

    reply = await stub.SendTestMail(request)
    again = await stub.SendTestMail(request)

    await until(lambda: relay.ledger)
    assert (reply.success, reply.outcome) == (True, task_pb2.MeetResponse.CREATED)
    assert (again.job_id, again.outcome) == (reply.job_id, task_pb2.MeetResponse.REPLAYED)
    [job] = await read_jobs(app.resources)
    assert (job["empid"], job["email"], job["priority"]) == (
        "gcsched-test",
        "ADA@bench.test",
        "URGENT",
    )
    preview = await stub.PreviewTemplate(task_pb2.PreviewTemplateRequest())
    shown = str(make_header(decode_header(relay.ledger[0].header("Subject"))))
    assert shown == preview.subject


async def test_test_mails_of_the_templates_for_meetings_are_about_no_stored_meeting(
    stub: Stub, app: RunningApp, relay: Relay
) -> None:
    for template in BUILT_IN:
        request = task_pb2.SendTestMailRequest(
            email="ada@bench.test", name="Ada", template=template, request_id=template
        )
        assert (await stub.SendTestMail(request)).meeting_id == ""

    jobs = await until(lambda: read_jobs_if_all_sent(app.resources))
    assert {job["meeting_mail"]["purpose"] for job in jobs if "meeting_mail" in job} == {
        *("UPDATE", "CANCELLATION", "REMINDER")
    }
    texts = "".join(mail.content.decode("latin-1") for mail in relay.ledger)
    for words in (
        *("this meeting is cancelled:", "you are invited to:", "this is a reminder of:"),
        *(
            "this meeting has changed:",
            "before: Room 3.1, first floor",
            "Reason: Two of us are ill.",
        ),
    ):
        assert texts.count(words) == 1, words
    assert await app.resources.mongo.meetings.count_documents({}) == 0


async def test_a_test_mail_is_refused_with_all_that_is_wrong(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await find_violations(stub, email="bob@bench.test") == ["email"]
    assert await find_violations(stub, email="") == ["email"]
    assert await find_violations(stub, email="x@example.com") == ["email"]  # listed, not allowed
    wrong = await find_violations(stub, email="ada@bench.test", template="none", name="\n")
    assert wrong == ["name", "template"]
    client = a_client(templates=("party",))
    monkeypatch.setattr(templates, "current_caller", lambda: client)
    assert await find_violations(stub, email="ada@bench.test") == ["template"]


async def test_every_entrance_refuses_other_recipients_but_not_a_preview(stub: Stub) -> None:
    other = a_meet(emailID="ada@example.com")
    for request in (other, a_meet(emailID="ada@example.com", validate_only=True)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ScheduleMeet(request)
        [(field, problem)] = violations(status_of(caught.value))
        assert field == "emailID"
        assert "GCSCHED_ALLOWED_RECIPIENTS" in problem
    batch = task_pb2.BatchScheduleMeetsRequest(requests=[other, a_meet()])
    answers = (await stub.BatchScheduleMeets(batch)).answers
    assert [each.WhichOneof("answer") for each in answers] == ["error", "response"]

    assert (await stub.PreviewTemplate(task_pb2.PreviewTemplateRequest())).subject


async def test_a_redirected_mail_is_so_in_previews_in_the_relay_and_in_its_history(
    stub: Stub, relay: Relay
) -> None:
    preview = (await stub.ScheduleMeet(a_meet(validate_only=True))).preview

    reply = await stub.ScheduleMeet(a_meet(emailID="zoë@bench.test"))

    await until(lambda: relay.ledger)
    [mail] = relay.ledger
    assert mail.recipient == STAGING
    assert str(make_header(decode_header(mail.header("X-Original-To")))) == "zoë@bench.test"
    assert preview.text.startswith("Redirected mail. Its recipient is: Person 1 <1-")

    async def read_job() -> task_pb2.Job | None:
        request = task_pb2.GetJobRequest(job_id=reply.job_id)
        job = await stub.GetJob(request)
        return job if job.state == task_pb2.Job.SENT else None

    job = await until(read_job)
    assert job is not None
    assert job.email == "zoë@bench.test"
    assert job.attempts[0].text.endswith("(redirected by GCSCHED_REDIRECT_TO)")


async def test_both_settings_are_in_the_status_and_in_the_log_at_the_start(
    events: Events, stub: Stub
) -> None:
    status = await stub.GetStatus(task_pb2.GetStatusRequest())

    assert status.sending == task_pb2.StatusReport.Sending(
        redirect_to=STAGING, allowed_recipients=["bench.test"], senders=["no-reply@example.org"]
    )
    logged = {event["event"]: event for event in events}
    assert logged["all mails are redirected"]["redirect_to"] == STAGING
    assert logged["recipients are restricted"]["allowed_domains"] == ["bench.test"]


async def test_without_the_settings_no_test_mail_is_sent_and_none_is_redirected(
    mongo_uri: str, redis_url: str, relay: Relay, events: Events
) -> None:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running_app(settings) as app, scheduler_stub(app.target) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SendTestMail(task_pb2.SendTestMailRequest(email="ada@bench.test"))
        status = await stub.GetStatus(task_pb2.GetStatusRequest())

    [(field, problem)] = violations(status_of(caught.value))
    assert field == "email"
    assert "GCSCHED_TEST_RECIPIENTS is not set" in problem
    assert status.sending == task_pb2.StatusReport.Sending(senders=["no-reply@example.org"])
    assert {"all mails are redirected", "recipients are restricted"}.isdisjoint(
        event["event"] for event in events
    )
