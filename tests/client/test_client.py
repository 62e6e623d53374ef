"""The client for blocking and for asyncio code, against real servers."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import grpc
import pytest
import trustme

from gcsched import errors
from gcsched.client import (
    AsyncClient,
    CallFailed,
    Client,
    InvalidArgument,
    ScheduledJob,
    Unavailable,
)
from gcsched.pb import task_pb2
from tests.support.client_calls import REQUEST, ScheduleCall
from tests.support.command import run_python
from tests.support.fake_scheduler import ACCEPTED, fake_scheduler
from tests.support.in_process_app import RunningApp
from tests.support.proxy import a_proxy
from tests.support.relay.server import Relay
from tests.support.wait import until

SERVER_ONLY = {
    "aiosmtplib",
    "arq",
    "beanie",
    "email_validator",
    "gcsched.app",
    "gcsched.domain",
    "gcsched.config.settings",
    "jinja2",
    "motor",
    "pydantic",
    "pymongo",
    "redis",
    "structlog",
}


async def test_a_scheduled_request_is_mailed(
    schedule_meet: ScheduleCall, app: RunningApp, relay: Relay
) -> None:
    job = await schedule_meet(app.target, {**REQUEST, "name": "Ada", "at": datetime.now(UTC)})

    await until(lambda: relay.ledger)
    (mail,) = relay.ledger
    assert job.job_id in mail.header("Message-ID")
    assert mail.recipient == "ada@example.org"
    assert mail.header("Subject") == "Interview on Friday"
    assert b"Ada" in mail.content


async def test_the_same_request_again_is_the_same_job(
    schedule_meet: ScheduleCall, app: RunningApp
) -> None:
    first = await schedule_meet(app.target, REQUEST)
    again = await schedule_meet(app.target, REQUEST)
    other = await schedule_meet(app.target, {**REQUEST, "at": None})

    assert first == again
    assert other != first


async def test_a_refused_request_names_every_violation(
    schedule_meet: ScheduleCall, app: RunningApp
) -> None:
    request = {"empid": "", "email": "nobody", "message": "a\nb", "at": 1672531200000}

    with pytest.raises(InvalidArgument) as caught:
        await schedule_meet(app.target, request)

    named = {each.field: each.problem for each in caught.value.violations}
    assert set(named) == {"empid", "emailID", "message", "timestamp"}
    assert "1672531200 would be in seconds" in named["timestamp"]
    assert caught.value.reason == "INVALID_REQUEST"
    assert f"emailID: {named['emailID']}" in str(caught.value)


async def test_a_request_of_too_many_bytes_is_refused_with_the_limit(
    schedule_meet: ScheduleCall, app: RunningApp
) -> None:
    with pytest.raises(InvalidArgument, match="at most 65536") as caught:
        await schedule_meet(app.target, {**REQUEST, "name": "x" * 70_000})

    assert caught.value.reason == "REQUEST_TOO_LARGE"
    assert caught.value.violations == ()


async def test_every_option_reaches_its_field(schedule_meet: ScheduleCall) -> None:
    options: dict[str, Any] = {
        "request_id": "a-uuid",
        "template": "reminder",
        "variables": {"room": "4.2"},
        "not_after": datetime(2023, 1, 1, 1, tzinfo=UTC),
        "reply_to": "hr@example.org",
        "labels": {"team": "hr"},
        "urgent": True,
        "sender": "payroll@example.org",
    }
    async with fake_scheduler(ScheduleMeet=ACCEPTED) as server:
        await schedule_meet(server.target, {**REQUEST, **options})
        await schedule_meet(server.target, REQUEST)

    plain = task_pb2.MeetRequest(
        empid="E1815",
        emailID="ada@example.org",
        message="Interview on Friday",
        timestamp=1672531200,
    )
    more = task_pb2.MeetRequest(
        request_id="a-uuid",
        template="reminder",
        variables={"room": "4.2"},
        not_after=1672534800,
        reply_to="hr@example.org",
        labels={"team": "hr"},
        priority=task_pb2.URGENT,
        sender="payroll@example.org",
    )
    more.MergeFrom(plain)
    assert server.requests == [more, plain]


async def test_the_result_has_the_outcome_and_the_due_time(schedule_meet: ScheduleCall) -> None:
    due = datetime(2026, 1, 5, 9, tzinfo=UTC)
    answer = task_pb2.MeetResponse(
        success=True,
        job_id="7",
        outcome=task_pb2.MeetResponse.REPLAYED,
        due_time=due,
        state=task_pb2.Job.RETRYING,
    )
    async with fake_scheduler(ScheduleMeet=answer) as server:
        job = await schedule_meet(server.target, REQUEST)

    assert (job.outcome, job.due_time, job.state) == ("REPLAYED", due, "RETRYING")
    assert job == ScheduledJob(job_id="7")


async def test_a_value_of_a_later_contract_is_a_number(schedule_meet: ScheduleCall) -> None:
    later = task_pb2.MeetResponse.FromString(b"\x18\x63")  # outcome 99
    later.MergeFrom(ACCEPTED)
    async with fake_scheduler(ScheduleMeet=later) as server:
        job = await schedule_meet(server.target, REQUEST)

    assert (job.outcome, job.due_time, job.state) == ("99", None, "")


async def test_any_method_of_the_contract_can_be_called() -> None:
    request = task_pb2.MeetRequest(empid="E1815")
    async with fake_scheduler(ScheduleMeet=[ACCEPTED, errors.Stopping()]) as server:
        with Client(server.target) as plain:
            first = await asyncio.to_thread(plain.call, "ScheduleMeet", request)
            with pytest.raises(Unavailable):
                await asyncio.to_thread(plain.call, "ScheduleMeet", request)
        async with AsyncClient(server.target) as client:
            with pytest.raises(CallFailed) as older:
                await client.call("GetJob", task_pb2.GetJobRequest(job_id="7"))

    assert first == ACCEPTED
    assert older.value.code == "UNIMPLEMENTED"


async def test_credentials_enable_tls(schedule_meet: ScheduleCall) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
    pair = (issued.private_key_pem.bytes(), chain)
    trusting = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    credentials = grpc.ssl_server_credentials([pair])
    async with fake_scheduler(credentials, ScheduleMeet=ACCEPTED) as server:
        job = await schedule_meet(server.target, REQUEST, credentials=trusting)
        with pytest.raises(Unavailable):
            await schedule_meet(server.target, REQUEST)

    assert job == ScheduledJob(job_id="7")


async def test_a_long_lived_client_reconnects_to_a_restarted_service(app: RunningApp) -> None:
    port = int(app.target.rpartition(":")[2])
    async with a_proxy(port) as proxy, AsyncClient(f"127.0.0.1:{proxy.port}") as kept:
        before = await kept.schedule_meet(**REQUEST)
        proxy.cut()
        with pytest.raises(Unavailable):
            await kept.schedule_meet(**REQUEST)
        proxy.heal()
        after = await kept.schedule_meet(**REQUEST)

    assert before == after


@pytest.mark.parametrize(
    ("at", "second"),
    [
        (None, 0),
        (1672531200, 1672531200),
        (datetime(2026, 1, 5, 9, tzinfo=UTC), 1767603600),
        (datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=1))), 1767603600),
        (datetime(2026, 1, 5, 8, 59, 59, 1, tzinfo=UTC), 1767603600),
        (datetime(1970, 1, 1, tzinfo=UTC), 1),
        (datetime(1969, 7, 20, tzinfo=UTC), 1),
    ],
)
async def test_a_time_is_a_whole_second_on_the_wire_and_never_early(
    schedule_meet: ScheduleCall, at: datetime | int | None, second: int
) -> None:
    async with fake_scheduler(ScheduleMeet=ACCEPTED) as server:
        await schedule_meet(server.target, {**REQUEST, "at": at})

    [request] = server.requests
    assert isinstance(request, task_pb2.MeetRequest)
    assert request.timestamp == second


async def test_a_time_without_a_zone_is_not_sent(schedule_meet: ScheduleCall) -> None:
    naive = datetime.now(UTC).replace(tzinfo=None)
    async with fake_scheduler(ScheduleMeet=ACCEPTED) as server:
        with pytest.raises(ValueError, match="no time zone"):
            await schedule_meet(server.target, {**REQUEST, "at": naive})

    assert server.requests == []


async def test_importing_the_client_imports_nothing_of_the_server() -> None:
    done = await run_python("-c", "import gcsched.client, sys; print(*sys.modules)")

    imported = set(done.stdout.split())
    assert "gcsched.client" in imported
    assert SERVER_ONLY & imported == set()
