"""Callers that ping without a call, sped up: usual intervals are kept, a flood is ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gcsched.rpc import server
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.handler_server import serve_servicer
from tests.support.handlers import handlers_of
from tests.support.raw_calls import PING, frame, raw_connection
from tests.support.wait import until

SPEEDUP = 20  # the factor for all intervals and timeouts
USUAL_MS = 10_000 // SPEEDUP  # the shortest of grpc-go and Java, usual for Node
PINGS = 8  # gRPC's own limits end a connection at the fourth
ENHANCE_YOUR_CALM = 11


@pytest.fixture
async def target(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    faster = [
        (name, value // SPEEDUP if name.endswith("_ms") else value)
        for name, value in server.CONNECTION_OPTIONS
    ]
    monkeypatch.setattr(server, "CONNECTION_OPTIONS", faster)
    async with serve_servicer(SchedulerServicer(handlers_of())) as target:
        yield target


async def stays_connected(channel: grpc.aio.Channel, *, for_seconds: float) -> bool:
    """Return whether *channel* stays connected for all of *for_seconds*."""
    await asyncio.wait_for(channel.channel_ready(), 5)
    with suppress(TimeoutError):
        ready = grpc.ChannelConnectivity.READY
        await asyncio.wait_for(channel.wait_for_state_change(ready), for_seconds)
        return False
    return True


@pytest.mark.parametrize("watches", [False, True], ids=["without a call", "watching health"])
async def test_a_client_that_pings_at_the_usual_interval_is_not_rejected(
    target: str, *, watches: bool
) -> None:
    options = [
        ("grpc.keepalive_time_ms", USUAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        if watches:
            await watch.read()
        else:
            watch.cancel()

        assert await stays_connected(channel, for_seconds=PINGS * USUAL_MS / 1000)


async def test_a_flood_of_pings_is_ended_and_others_are_served(target: str) -> None:
    async with raw_connection(target) as flooding, raw_connection(target) as honest:
        flooding.writer.write(frame(PING, 0, 0, bytes(8)) * 100)
        await until(lambda: flooding.is_closed)
        honest.writer.write(frame(PING, 0, 0, bytes(8)))
        await until(lambda: honest.pong_count == 1)

    assert flooding.goaway == ENHANCE_YOUR_CALM
    assert not honest.is_closed


async def test_a_caller_that_answers_no_ping_is_disconnected_and_one_that_does_is_kept(
    target: str,
) -> None:
    async with raw_connection(target) as silent, raw_connection(target) as answering:
        silent.answers_pings = False
        await until(lambda: silent.is_closed, within=5)

        assert not answering.is_closed
        assert answering.ping_count > 0
