"""Streams end first at a stop, as they would last for all of its grace period."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gcsched.errors import StoreUnavailable
from gcsched.rpc.server import RpcServer, serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.rpc.stream_limits import StreamLimitInterceptor
from gcsched.rpc.streams import StreamInterceptor
from gcsched.rpc.watch_limiter import MAX_WATCHES_PER_CONNECTION, WatchLimiter
from tests.support.handlers import handlers_of
from tests.support.wait import until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
GRACE = timedelta(seconds=30)


@asynccontextmanager
async def serve_and_connect() -> AsyncIterator[tuple[RpcServer, grpc.aio.Channel]]:
    serving = serve_grpc(
        SchedulerServicer(handlers_of()), listen="127.0.0.1:0", on_call=lambda *_: None
    )
    async with serving as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield server, channel


async def read_stream(stream: Any, seen: list[Any]) -> None:
    """Read *stream* into *seen*; its last entry is the code of the end."""
    try:
        while (each := await stream.read()) is not grpc.aio.EOF:
            seen.append(each)
    except grpc.aio.AioRpcError as error:
        seen.append(error.code())


async def open_reflection_stream(channel: grpc.aio.Channel) -> Any:
    """Open a stream of reflection, send one request, and leave it open."""
    stream = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
    await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
    return stream


async def test_watches_hear_that_it_stops_and_then_all_streams_end() -> None:
    async with serve_and_connect() as (server, channel):
        stub = health_pb2_grpc.HealthStub(channel)
        watched: list[list[Any]] = [[] for _ in range(MAX_WATCHES_PER_CONNECTION)]
        reflected: list[Any] = []
        following = [
            asyncio.create_task(read_stream(stub.Watch(health_pb2.HealthCheckRequest()), seen))
            for seen in watched
        ]
        following.append(
            asyncio.create_task(read_stream(await open_reflection_stream(channel), reflected))
        )
        await until(lambda: all(watched) and reflected)

        start = time.monotonic()
        await server.stop_gracefully(GRACE)
        seconds = time.monotonic() - start
        await asyncio.wait_for(asyncio.gather(*following), 5)

    for seen in watched:
        first, second, end = seen
        assert (first.status, second.status) == (SERVING, NOT_SERVING)
        assert end is grpc.StatusCode.UNAVAILABLE
    answer, end = reflected
    assert "scheduler.Scheduler" in {each.name for each in answer.list_services_response.service}
    assert end is grpc.StatusCode.UNAVAILABLE
    assert seconds < 2


async def test_a_stream_that_comes_too_late_is_refused() -> None:
    async with serve_and_connect() as (server, channel):
        await server.streams.end()

        seen: list[Any] = []
        await read_stream(
            health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest()), seen
        )

    assert seen == [grpc.StatusCode.UNAVAILABLE]


async def test_a_caller_that_hangs_up_leaves_nothing_behind() -> None:
    async with serve_and_connect() as (server, channel):
        stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await anext(aiter(stream))).status == SERVING
        assert server.streams.count == 1

        stream.cancel()

        await until(lambda: server.streams.count == 0)


async def test_a_stream_that_fails_as_its_caller_leaves_is_not_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    started = asyncio.Event()

    async def fail_at_the_end(_: object, __: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise StoreUnavailable("watching")

    async def find_handler(_: grpc.HandlerCallDetails) -> Any:
        return grpc.stream_stream_rpc_method_handler(fail_at_the_end)

    call_details: Any = None
    handler: Any = await StreamInterceptor().intercept_service(find_handler, call_details)
    call = asyncio.create_task(handler.stream_stream(None, None))
    await started.wait()
    call.cancel()
    await asyncio.wait({call})
    await until(lambda: asyncio.all_tasks() == {asyncio.current_task()})

    gc.collect()
    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []


async def test_a_stream_passes_on_the_refusals_of_its_handler() -> None:
    async with serve_and_connect() as (_, channel):
        stream = await open_reflection_stream(channel)
        await stream.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="none"))
        await stream.done_writing()

        answers = [answer async for answer in stream]

    assert len(answers) == 2
    assert answers[1].error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("grace", [0.0, 5.0])
async def test_a_stop_with_no_stream_open_takes_no_longer(grace: float) -> None:
    async with serve_and_connect() as (server, _):
        start = time.monotonic()
        await server.stop_gracefully(timedelta(seconds=grace))

    assert time.monotonic() - start < 2


@asynccontextmanager
async def serve_health(watches: WatchLimiter) -> AsyncIterator[str]:
    """Serve health only, with the limits of *watches*."""
    server = grpc.aio.server(interceptors=[StreamInterceptor(), StreamLimitInterceptor(watches)])
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await servicer.set("", SERVING)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


def open_own_channel(target: str) -> grpc.aio.Channel:
    """Return a channel with a connection of its own."""
    return grpc.aio.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])


async def start_watch(channel: grpc.aio.Channel, seen: list[Any]) -> asyncio.Task[None]:
    """Start a watch; return when it has its first answer or its end."""
    stream = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    task = asyncio.create_task(read_stream(stream, seen))
    await until(lambda: seen)
    return task


async def test_the_oldest_watch_makes_room_for_a_new_one() -> None:
    seen: list[list[Any]] = [[] for _ in range(4)]
    async with (
        serve_health(WatchLimiter(max_watches=2, per_connection=2)) as target,
        open_own_channel(target) as one,
        open_own_channel(target) as two,
    ):
        for channel, each in zip((one, one, two, two), seen, strict=True):
            await start_watch(channel, each)
        await until(lambda: len(seen[0]) == len(seen[1]) == 2)

        ends = [each[1:] for each in seen]
        assert all(each[0].status == SERVING for each in seen)

    assert ends == [[grpc.StatusCode.UNAVAILABLE]] * 2 + [[]] * 2


async def test_a_connection_with_many_watches_takes_no_slot_of_others() -> None:
    seen: list[list[Any]] = [[] for _ in range(4)]
    async with (
        serve_health(WatchLimiter(per_connection=2)) as target,
        open_own_channel(target) as one,
        open_own_channel(target) as two,
    ):
        first, *_ = [await start_watch(one, each) for each in seen[:3]]
        await start_watch(two, seen[3])
        first.cancel()

        async def is_let_in() -> bool:
            again: list[Any] = []
            await start_watch(one, again)
            return again[0] is not grpc.StatusCode.RESOURCE_EXHAUSTED

        await until(is_let_in)

    assert seen[2] == [grpc.StatusCode.RESOURCE_EXHAUSTED]
    assert [each[0].status for each in (*seen[:2], seen[3])] == [SERVING] * 3
