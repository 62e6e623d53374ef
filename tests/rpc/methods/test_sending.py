"""Pauses of sending, with two services on the same stores and a real relay."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from gcsched.pb import task_pb2
from tests.support.handler_server import read_error_status
from tests.support.in_process_app import (
    RunningApp,
    make_settings,
    read_jobs,
    read_jobs_if_all_sent,
    running_app,
    schedule_mails,
)
from tests.support.probes import HttpProbe, probe_http
from tests.support.relay.server import At, Hang, Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.wait import until

A_PAUSE = task_pb2.PauseSendingRequest(by="ada", reason="the relay moves")
RESUME = task_pb2.ResumeSendingRequest(by="bob")


@asynccontextmanager
async def a_service(
    mongo: str, redis: str, relay: Relay, **settings: str
) -> AsyncIterator[tuple[RunningApp, Stub]]:
    app_settings = make_settings(mongo=mongo, redis=redis, relay_port=relay.port, **settings)
    async with running_app(app_settings) as app, scheduler_stub(app.target) as stub:
        yield app, stub


async def test_no_service_sends_until_sending_is_resumed(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    async with (
        a_service(mongo_uri, redis_url, relay) as (_, one),
        a_service(mongo_uri, redis_url, relay) as (other, two),
        probe_http(other.http) as probe,
    ):
        pause = await one.PauseSending(A_PAUSE)
        await until(lambda: is_pause_visible(probe), within=3)
        await schedule_mails(other, 20)
        await one.ScheduleMeet(a_meet(20))
        await schedule_mails(other, 20, first=21)  # takes longer than the mails from before
        sent_while_paused = len(relay.ledger)
        status = await two.GetStatus(task_pb2.GetStatusRequest())
        answer = await two.ResumeSending(RESUME)
        await until(lambda: read_jobs_if_all_sent(other.resources))

    assert (pause.by, pause.reason) == ("ada", "the relay moves")
    assert abs(pause.start_time.ToDatetime().timestamp() - time.time()) < 60
    assert sent_while_paused == 0
    assert status.pause == answer.pause == pause
    assert len(relay.ledger) == 41


async def test_a_pause_outlives_the_service(mongo_uri: str, redis_url: str, relay: Relay) -> None:
    async with a_service(mongo_uri, redis_url, relay) as (_, stub):
        await stub.PauseSending(A_PAUSE)
    async with a_service(mongo_uri, redis_url, relay) as (app, stub), probe_http(app.http) as probe:
        await schedule_mails(app, 20)
        await until(lambda: is_pause_visible(probe))
        await schedule_mails(app, 20, first=20)
        sent_while_paused = len(relay.ledger)
        await stub.ResumeSending(RESUME)
        await until(lambda: read_jobs_if_all_sent(app.resources))

    assert sent_while_paused == 0


async def test_started_mails_are_finished_and_claimed_jobs_are_released_without_an_attempt(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    released = asyncio.Event()
    relay.script(At.BODY, Hang(released))
    async with a_service(mongo_uri, redis_url, relay, smtp_sessions="2") as (app, stub):
        await schedule_mails(app, 10)
        await until(lambda: relay.count_commands("DATA") == 2)
        await stub.PauseSending(A_PAUSE)
        released.set()
        relay.clear_rules()
        await until(lambda: is_nothing_claimed(app))
        waiting = [job for job in await read_jobs(app.resources) if job["state"] == "SCHEDULED"]
        sent = len(relay.ledger)
        await stub.ResumeSending(RESUME)
        await until(lambda: read_jobs_if_all_sent(app.resources))

    assert sent == 2
    assert len(waiting) == 8
    assert all((job["attempt"], job["attempts"]) == (0, []) for job in waiting)
    assert len(relay.ledger) == 10


async def test_resuming_without_a_pause_is_ok(mongo_uri: str, redis_url: str, relay: Relay) -> None:
    async with a_service(mongo_uri, redis_url, relay) as (_, stub):
        answer = await stub.ResumeSending(RESUME)

    assert not answer.HasField("pause")


async def test_a_pause_without_author_and_reason_is_refused(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    async with a_service(mongo_uri, redis_url, relay) as (_, stub):
        refusal = await read_error_status(stub.PauseSending(task_pb2.PauseSendingRequest()))

    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == {"by", "reason"}


async def is_pause_visible(probe: HttpProbe) -> bool:
    return (await probe.scrape()).value("gcsched_paused") == 1


async def is_nothing_claimed(app: RunningApp) -> bool:
    return "SENDING" not in {job["state"] for job in await read_jobs(app.resources)}
