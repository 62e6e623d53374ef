"""A single process that restarts: the published retries outlast two seconds of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any

from gcsched.client import (
    TIMEOUT_SECONDS,
    AsyncClient,
    ScheduledJob,
    channel_options,
    service_config,
)
from gcsched.pb import task_pb2
from gcsched.rpc.server import serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.handlers import handlers_of
from tests.support.ports import free_port
from tests.support.wait import until

SERVICE = "scheduler.Scheduler"
AWAY_SECONDS, CALLS = 2.0, 8
JITTER = 0.2  # gRFC A6
NODE_FIRST_WAIT, NODE_FACTOR = 1.0, 1.6  # of @grpc/grpc-js, between tries to connect; the same


def read_retry_policies() -> dict[str, Any]:
    """Return the retry policy of the service, and of each method that has another one or none."""
    configs = json.loads(service_config().read_text(encoding="utf-8"))["methodConfig"]
    return {
        "/".join((name["service"], name.get("method", ""))).rstrip("/"): each.get("retryPolicy")
        for each in configs
        for name in each["name"]
    }


def test_only_a_call_that_would_make_something_else_again_is_not_repeated() -> None:
    policies = read_retry_policies()

    assert policies.pop(SERVICE)["retryableStatusCodes"] == ["UNAVAILABLE", "CANCELLED"]
    assert policies == {f"{SERVICE}/CreateMeeting": None}


def compute_retry_waits() -> list[float]:
    """Return the waits between the attempts of one call, as gRFC A6 computes them."""
    policy = read_retry_policies()[SERVICE]
    first, most = (
        float(policy[name].removesuffix("s")) for name in ("initialBackoff", "maxBackoff")
    )
    factor = policy["backoffMultiplier"]
    return [min(first * factor**number, most) for number in range(policy["maxAttempts"] - 1)]


def test_the_retries_outlast_a_restart_and_a_reconnect_and_end_before_the_deadline() -> None:
    least, most = (
        sum(compute_retry_waits()) * (1 - JITTER),
        sum(compute_retry_waits()) * (1 + JITTER),
    )
    second_connect = NODE_FIRST_WAIT + NODE_FIRST_WAIT * NODE_FACTOR * (1 + JITTER)

    assert second_connect > AWAY_SECONDS
    assert least > second_connect
    assert most < TIMEOUT_SECONDS


def test_our_own_client_reconnects_often_enough_after_a_restart() -> None:
    chosen = dict(channel_options())

    assert chosen["grpc.initial_reconnect_backoff_ms"] == 100
    assert chosen["grpc.max_reconnect_backoff_ms"] * (1 + JITTER) / 1000 < max(
        compute_retry_waits()
    )


async def accept(*_: object) -> task_pb2.MeetResponse:
    return task_pb2.MeetResponse(success=True, job_id="7")


@asynccontextmanager
async def serve_at(port: int) -> AsyncIterator[None]:
    servicer = SchedulerServicer(handlers_of(SimpleNamespace(ScheduleMeet=accept)))
    open_server = serve_grpc(servicer, listen=f"127.0.0.1:{port}", on_call=lambda *_: None)
    async with open_server as server:
        yield
        await server.stop_gracefully(timedelta(seconds=1))


async def schedule(client: AsyncClient, number: int) -> ScheduledJob:
    return await client.schedule_meet(
        empid=f"E{number}", email="ada@example.org", message="Hi", at=1672531200
    )


def is_past(moment: float) -> bool:
    return asyncio.get_running_loop().time() >= moment


async def test_no_call_is_lost_while_the_only_process_restarts_for_two_seconds() -> None:
    port, loop = free_port(), asyncio.get_running_loop()
    async with AsyncClient(f"127.0.0.1:{port}") as client, asyncio.TaskGroup() as tasks:
        async with serve_at(port):
            await schedule(client, 0)
        moments = [loop.time() + number * AWAY_SECONDS / CALLS for number in range(CALLS + 1)]
        calls: list[asyncio.Task[ScheduledJob]] = []
        for moment in moments[1:]:
            calls.append(tasks.create_task(schedule(client, len(calls))))
            await until(partial(is_past, moment))
        async with serve_at(port):
            answers = await asyncio.gather(*calls)

    assert answers == [ScheduledJob(job_id="7")] * CALLS
