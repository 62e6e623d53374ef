"""Refusals beyond a rate wait for their turn, and the calls of others do not wait for them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from gcsched.domain.token_bucket import RateLimit
from gcsched.rpc.access_gate import AccessGate
from gcsched.rpc.server import RpcServer, ServerLimits, serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.refusal_delay import RefusalDelay
from tests.support.builders import NOW
from tests.support.clients import TestToken, client_toml
from tests.support.fake_scheduler import ACCEPTED
from tests.support.handlers import handlers_of
from tests.support.registry import registry_of
from tests.support.wait import until

TOKEN = TestToken(id="first000")
PATH = "/scheduler.Scheduler/"
AT_ONCE, DELAY_SECONDS = 100, 1.6


async def accept(*_: object) -> object:
    return ACCEPTED


SCHEDULER = SimpleNamespace(ScheduleMeet=accept)


@pytest.fixture
async def gate() -> AccessGate:
    registry = registry_of(client_toml("a", ["schedule"], TOKEN))
    access = AccessControl(registry=registry, now=lambda: NOW)
    delay = RefusalDelay(
        at_once=RateLimit(per_second=1, burst=AT_ONCE), delay_seconds=DELAY_SECONDS
    )
    return AccessGate(access, on_call=lambda *_: None, refusal_delay=delay)


@pytest.fixture
async def server(gate: AccessGate) -> AsyncIterator[RpcServer]:
    serving = serve_grpc(
        SchedulerServicer(handlers_of(SCHEDULER)),
        listen="127.0.0.1:0",
        on_call=lambda *_: None,
        limits=ServerLimits(gate=gate),
    )
    async with serving as server:
        yield server


@pytest.fixture
async def connect(server: RpcServer) -> AsyncIterator[Callable[[], grpc.aio.Channel]]:
    async with AsyncExitStack() as stack:
        channels: list[grpc.aio.Channel] = []

        def open_channel() -> grpc.aio.Channel:
            options = [("grpc.use_local_subchannel_pool", 1)]
            channels.append(grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options))
            stack.push_async_callback(channels[-1].close)
            return channels[-1]

        yield open_channel


async def code_of(call: Awaitable[bytes]) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


def call_without_token(channel: grpc.aio.Channel, method: str) -> Coroutine[Any, Any, str]:
    return code_of(channel.unary_unary(PATH + method, bytes, bytes)(b"", timeout=20))


async def begin_flood(
    connect: Callable[[], grpc.aio.Channel], gate: AccessGate, method: str = "ScheduleMeet"
) -> list[asyncio.Task[str]]:
    flood = [
        asyncio.create_task(call_without_token(channel, method))
        for channel in (connect(), connect())
        for _ in range(150)
    ]
    await until(lambda: gate.refusal_delay.waiting > 150)
    return flood


@pytest.mark.parametrize(
    ("method", "code"), [("ScheduleMeet", "UNAUTHENTICATED"), ("Nothing", "UNIMPLEMENTED")]
)
async def test_refusals_beyond_the_rate_are_answered_later(
    connect: Callable[[], grpc.aio.Channel], gate: AccessGate, method: str, code: str
) -> None:
    started = time.monotonic()
    flood = await begin_flood(connect, gate, method)
    await until(lambda: sum(each.done() for each in flood) >= AT_ONCE)

    assert set(await asyncio.gather(*flood)) == {code}
    assert time.monotonic() - started >= DELAY_SECONDS / 2
    assert gate.refusal_delay.waiting == 0


async def test_a_caller_with_a_token_does_not_wait_for_refusals(
    connect: Callable[[], grpc.aio.Channel], gate: AccessGate
) -> None:
    flood = await begin_flood(connect, gate)

    method = connect().unary_unary(f"{PATH}ScheduleMeet", bytes, bytes)
    assert await code_of(method(b"", metadata=TOKEN.bearer)) == "OK"

    assert gate.refusal_delay.waiting > 150
    gate.refusal_delay.stop()
    await asyncio.gather(*flood)


async def test_a_call_that_its_caller_ends_waits_no_more(
    connect: Callable[[], grpc.aio.Channel], gate: AccessGate
) -> None:
    flood = await begin_flood(connect, gate)

    for each in flood:
        each.cancel()

    await until(lambda: gate.refusal_delay.waiting == 0, within=DELAY_SECONDS / 4)
    await asyncio.gather(*flood, return_exceptions=True)


async def test_a_server_that_stops_answers_those_that_wait(
    connect: Callable[[], grpc.aio.Channel], server: RpcServer, gate: AccessGate
) -> None:
    flood = await begin_flood(connect, gate)

    server.calls.reject_new_calls()

    await until(lambda: all(each.done() for each in flood), within=DELAY_SECONDS / 4)
    assert set(await asyncio.gather(*flood)) == {"UNAUTHENTICATED"}


async def test_only_so_many_refusals_wait() -> None:
    delay = RefusalDelay(at_once=RateLimit(per_second=1, burst=1), max_waiting=50)
    await delay.wait()
    waits = [asyncio.create_task(delay.wait()) for _ in range(50)]
    await until(lambda: delay.waiting == 50)

    await asyncio.wait_for(delay.wait(), timeout=0.5)

    assert not any(each.done() for each in waits)
    delay.stop()
    await asyncio.gather(*waits)
