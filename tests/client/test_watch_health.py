"""A watch of health outlives restarts of the service, and ends with its client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from threading import Thread

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from gcsched.client import AsyncClient, Client, Health, Unimplemented
from gcsched.client.health import HealthChanges
from tests.support.ports import free_port
from tests.support.wait import until

Status = health_pb2.HealthCheckResponse
Seen = list[Health]
Watch = Callable[[str, Seen], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def watch_blocking(target: str, seen: Seen) -> AsyncIterator[None]:
    """Collect what the blocking client sees in a thread; close the client, and wait for the end."""

    def collect() -> None:
        seen.extend(client.watch_health())

    client = Client(target)
    thread = Thread(target=collect)
    thread.start()
    yield
    await asyncio.to_thread(client.close)
    await asyncio.to_thread(thread.join)


@asynccontextmanager
async def watch_async(target: str, seen: Seen) -> AsyncIterator[None]:
    async def collect() -> None:
        async for each in client.watch_health():
            seen.append(each)

    client = AsyncClient(target)
    task = asyncio.create_task(collect())
    yield
    await client.close()
    await task


@asynccontextmanager
async def serve_health(port: int) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    """Serve health at *port*; yield what changes it. It ends at once, as by a kill."""
    server, servicer = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()

    async def change(status: int) -> None:
        await servicer.set("scheduler.Scheduler", status)

    yield change
    await server.stop(0)


@pytest.mark.parametrize("watch", [watch_blocking, watch_async])
async def test_each_change_is_seen_and_the_watch_ends_with_the_client(watch: Watch) -> None:
    port, seen = free_port(), Seen()
    async with watch(f"127.0.0.1:{port}", seen):
        await until(lambda: seen == ["UNREACHABLE"])
        async with serve_health(port) as change:
            await until(lambda: seen[1:] == ["NOT_SERVING"])
            await change(Status.SERVING)
            await until(lambda: seen[2:] == ["SERVING"])
            await change(Status.NOT_SERVING)
            await until(lambda: seen[3:] == ["NOT_SERVING"])
        await until(lambda: seen[4:] == ["UNREACHABLE"])
        async with serve_health(port) as change:
            await change(Status.SERVING)
            await until(lambda: seen[-1] == "SERVING")
            assert seen.count(Health.UNREACHABLE) == 2


async def test_a_server_without_health_is_an_error() -> None:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with AsyncClient(f"127.0.0.1:{port}") as client:
        with pytest.raises(Unimplemented):
            await anext(client.watch_health())
    await server.stop(0)


def test_a_watch_that_ends_again_and_again_is_opened_ever_later() -> None:
    now = 0.0
    changes = HealthChanges(clock=lambda: now)
    seen, waits = list[Health](), list[float]()
    for lasted in (0.0, 0.1, 0.1, 0.1, 2.0, 0.1):
        seen += changes.receive(Status(status=Status.SERVING))
        now += lasted
        seen += changes.lose()
        waits.append(changes.wait_seconds)

    assert seen == ["SERVING"]
    assert waits == [0.2, 0.4, 0.8, 1.0, 0.0, 0.2]
