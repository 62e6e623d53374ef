"""Request ids, templates, variables, expire times, reply addresses and labels of requests."""

import time
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.in_process_app import RunningApp
from tests.support.relay.script import KeptMail
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet
from tests.support.status_details import error_reason, status_of, violations
from tests.support.wait import until

Response = task_pb2.MeetResponse
HOUR = 3600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "doc.html").write_text("<p>{{ message }}</p>", "utf-8")
    (tmp_path / "interview.html").write_text("<p>{{ username }} in {{ room }}</p>", "utf-8")
    (tmp_path / "interview.txt").write_text("{{ username }} in {{ room }}", "utf-8")
    return tmp_path


@pytest.fixture
def app_settings(folder: Path) -> dict[str, str]:
    return {"templates_dir": str(folder)}


def in_an_hour() -> int:
    return int(time.time()) + HOUR


async def expect_error(stub: Stub, request: task_pb2.MeetRequest) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ScheduleMeet(request)
    return caught.value


async def jobs_of(app: RunningApp) -> list[dict[str, Any]]:
    return await app.resources.mongo.jobs.find().to_list(None)


def texts_of(mail: KeptMail) -> list[str]:
    parts = BytesParser(policy=policy.default).parsebytes(mail.content).iter_parts()
    return [part.get_content().replace("\r\n", "\n") for part in parts]


async def test_the_answer_has_the_outcome_and_the_due_time(
    stub: Stub,
) -> None:
    due = in_an_hour()

    first = await stub.ScheduleMeet(a_meet(1, timestamp=due))
    again = await stub.ScheduleMeet(a_meet(1, timestamp=due))
    daily = await stub.ScheduleMeet(a_meet(1, timestamp=0))

    assert (first.success, again.success, daily.success) == (True, True, True)
    assert (first.outcome, first.state) == (Response.CREATED, task_pb2.Job.SCHEDULED)
    assert (again.outcome, again.job_id) == (Response.REPLAYED, first.job_id)
    assert (daily.outcome, daily.state) == (Response.QUEUED_FOR_DAILY, task_pb2.Job.QUEUED)
    assert first.due_time.seconds == again.due_time.seconds == due
    assert daily.due_time.seconds > time.time()


async def test_a_mail_is_made_of_all_fields_of_the_request(stub: Stub, relay: Relay) -> None:
    request = a_meet(
        1,
        empName="Zoë",
        template="interview",
        variables={"room": "{{ 7 * 7 }} <4>"},
        reply_to="Bob@EXAMPLE.org",
    )

    await stub.ScheduleMeet(request)

    [mail] = await until(lambda: relay.ledger)
    assert mail.header("Reply-To") == "Bob@example.org"
    assert texts_of(mail) == [
        "Zoë in {{ 7 * 7 }} <4>\n",
        "<p>Zoë in {{ 7 * 7 }} &lt;4&gt;</p>\n",
    ]
    assert relay.violations == []


async def test_the_fields_of_a_request_are_kept_with_the_job(stub: Stub, app: RunningApp) -> None:
    due = in_an_hour()

    await stub.ScheduleMeet(
        a_meet(
            1,
            timestamp=due,
            request_id="R-1",
            not_after=due + 60,
            labels={"team": "blue", "$a.b": "c"},
            priority=task_pb2.URGENT,
        )
    )

    [job] = await jobs_of(app)
    assert job["not_after"].timestamp() == due + 60
    assert job["labels"] == {"team": "blue", "$a.b": "c"}
    assert (job["request_id"], job["priority"], job["template"]) == ("R-1", "URGENT", "doc")


async def test_a_request_id_stands_for_its_content(stub: Stub, app: RunningApp) -> None:
    due = in_an_hour()
    same: dict[str, Any] = {"timestamp": due, "request_id": "0b9a7c1e"}

    first = await stub.ScheduleMeet(a_meet(1, **same))
    again = await stub.ScheduleMeet(a_meet(1, template="doc", **same))
    twin = await stub.ScheduleMeet(a_meet(1, timestamp=due, request_id="another"))
    error = await expect_error(stub, a_meet(2, **same))

    assert (again.outcome, again.job_id) == (Response.REPLAYED, first.job_id)
    assert (twin.outcome, twin.job_id != first.job_id) == (Response.CREATED, True)
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert error_reason(status_of(error)) == ("REQUEST_ID_REUSED", {"job_id": first.job_id})
    assert len(await jobs_of(app)) == 2


async def test_violations_of_the_new_fields_use_their_names(stub: Stub, app: RunningApp) -> None:
    request = a_meet(
        1,
        request_id="é",
        template="interview",
        variables={"username": "Eve"},
        not_after=1,
        reply_to="no-at-sign",
        labels={"": ""},
    )
    request.MergeFromString(b"\x60\x07")  # priority 7, a number of a future contract

    error = await expect_error(stub, request)

    reported = violations(status_of(error))
    assert [field for field, _ in reported] == [
        *("request_id", "variables", "variables", "not_after", "reply_to", "labels", "priority"),
    ]
    assert "'room'" in reported[2][1]
    assert await jobs_of(app) == []


async def test_validate_only_shows_the_mail_and_stores_nothing(
    stub: Stub, app: RunningApp, relay: Relay
) -> None:
    due = in_an_hour()
    request = a_meet(
        1,
        timestamp=due,
        message="Interview",
        empName="Zoë",
        template="interview",
        variables={"room": "<4>"},
        validate_only=True,
    )

    reply = await stub.ScheduleMeet(request)

    preview = reply.preview
    assert (reply.success, reply.job_id, reply.outcome) == (True, "", 0)
    assert (reply.due_time.seconds, reply.state) == (due, task_pb2.Job.SCHEDULED)
    assert (preview.subject, preview.text) == ("Interview", "Zoë in <4>")
    assert preview.html == "<p>Zoë in &lt;4&gt;</p>"
    assert (preview.duplicate_of, preview.HasField("suppression")) == ("", False)
    assert await jobs_of(app) == []

    request.validate_only, request.timestamp = False, 1
    await stub.ScheduleMeet(request)
    [mail] = await until(lambda: relay.ledger)
    assert abs(len(mail.content) - preview.size_bytes) < 10  # another id, another date


async def test_validate_only_names_the_existing_job_and_a_suppressed_address(
    stub: Stub, app: RunningApp
) -> None:
    due = in_an_hour()
    first = await stub.ScheduleMeet(a_meet(1, timestamp=due, emailID="gone@example.org"))
    await app.resources.mongo.suppressions.insert_one(
        {
            "_id": "gone@example.org",
            "reason": "no such user",
            "job_id": "j",
            "since": first.due_time.ToDatetime(),
            "until": first.due_time.ToDatetime(),
        }
    )

    reply = await stub.ScheduleMeet(
        a_meet(1, timestamp=due, emailID="gone@example.org", validate_only=True)
    )

    assert reply.preview.duplicate_of == first.job_id
    assert reply.preview.suppression.email == "gone@example.org"
    assert reply.preview.suppression.reason == "no such user"
    assert len(await jobs_of(app)) == 1


async def test_validate_only_reports_the_state_of_the_existing_job(
    stub: Stub,
) -> None:
    request = a_meet(1, timestamp=in_an_hour())
    first = await stub.ScheduleMeet(request)
    elsewhere = in_an_hour() + 1_000
    await stub.RescheduleJob(
        task_pb2.RescheduleJobRequest(job_id=first.job_id, timestamp=elsewhere)
    )
    request.validate_only = True

    reply = await stub.ScheduleMeet(request)

    assert (reply.success, reply.state) == (True, task_pb2.Job.SCHEDULED)
    assert reply.due_time.seconds == elsewhere


async def test_validate_only_finds_the_same_errors(stub: Stub) -> None:
    await stub.ScheduleMeet(a_meet(1, timestamp=in_an_hour(), request_id="R"))

    reused = await expect_error(
        stub, a_meet(2, timestamp=in_an_hour(), request_id="R", validate_only=True)
    )
    incomplete = await expect_error(stub, a_meet(2, template="interview", validate_only=True))

    assert error_reason(status_of(reused))[0] == "REQUEST_ID_REUSED"
    assert [field for field, _ in violations(status_of(incomplete))] == ["variables"]
