"""Streams end first at a stop: they would hold it up for as long as it waits for calls."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gcsched.rpc.server import RpcServer, serving_grpc
from gcsched.rpc.servicer import SchedulerServicer
from tests.waiting import until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
GRACE = timedelta(seconds=30)


@asynccontextmanager
async def called() -> AsyncIterator[tuple[RpcServer, grpc.aio.Channel]]:
    serving = serving_grpc(SchedulerServicer(), listen="127.0.0.1:0", on_call=lambda *_: None)
    async with serving as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield server, channel


async def followed(stream: Any, seen: list[Any]) -> None:
    """Read *stream* into *seen*; its last entry is the code of the end."""
    try:
        while (each := await stream.read()) is not grpc.aio.EOF:
            seen.append(each)
    except grpc.aio.AioRpcError as error:
        seen.append(error.code())


async def asks(channel: grpc.aio.Channel) -> Any:
    """Open a stream of reflection, ask once, and leave it open."""
    stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
    await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    return stream


async def test_watches_hear_that_it_stops_and_then_all_streams_end() -> None:
    async with called() as (server, channel):
        stub = health_pb2_grpc.HealthStub(channel)
        watched: list[list[Any]] = [[] for _ in range(20)]
        asked: list[Any] = []
        following = [
            asyncio.create_task(followed(stub.Watch(health_pb2.HealthCheckRequest()), seen))
            for seen in watched
        ]
        following.append(asyncio.create_task(followed(await asks(channel), asked)))
        await until(lambda: all(watched) and asked)

        begun = time.monotonic()
        await server.wind_down(GRACE)
        seconds = time.monotonic() - begun
        await asyncio.wait_for(asyncio.gather(*following), 5)

    for seen in watched:
        first, second, end = seen
        assert (first.status, second.status) == (SERVING, NOT_SERVING)
        assert end is grpc.StatusCode.UNAVAILABLE
    answer, end = asked
    assert "scheduler.Scheduler" in {each.name for each in answer.list_services_response.service}
    assert end is grpc.StatusCode.UNAVAILABLE
    assert seconds < 2


async def test_a_stream_that_comes_too_late_is_sent_away() -> None:
    async with called() as (server, channel):
        await server.streams.end()

        seen: list[Any] = []
        await followed(
            health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()), seen
        )

    assert seen == [grpc.StatusCode.UNAVAILABLE]


async def test_who_hangs_up_leaves_nothing_behind() -> None:
    async with called() as (server, channel):
        stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await anext(aiter(stream))).status == SERVING
        assert server.streams.count == 1

        stream.cancel()

        await until(lambda: server.streams.count == 0)


async def test_what_a_stream_refuses_is_refused_as_before() -> None:
    async with called() as (_, channel):
        stream = await asks(channel)
        await stream.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="none"))
        await stream.done_writing()

        answers = [answer async for answer in stream]

    assert len(answers) == 2
    assert answers[1].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("grace", [0.0, 5.0])
async def test_a_stop_with_no_stream_open_takes_no_longer(grace: float) -> None:
    async with called() as (server, _):
        begun = time.monotonic()
        await server.wind_down(timedelta(seconds=grace))

    assert time.monotonic() - begun < 2
