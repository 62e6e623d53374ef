"""A closed client raises ClientClosed, whatever it did when it was closed."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from gcsched.client import AsyncClient, CallFailed, Client, ClientClosed
from gcsched.pb import task_pb2
from gcsched.rpc.server import serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.handlers import handlers_of
from tests.support.wait import until

NOWHERE = "127.0.0.1:9"
CALLS: list[Callable[[Any], Any]] = [
    lambda client: client.status(),
    lambda client: client.call("GetStatus", task_pb2.GetStatusRequest()),
    lambda client: client.schedule_many([]),
    lambda client: client.list_jobs(),
    lambda client: client.watch_health(),
]


@dataclass
class SilentService:
    """Never answers; `called` is set when a call arrives, `left` when its caller has left."""

    target: str = ""
    called: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, *_: object) -> None:
        self.called.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()


@pytest.fixture
async def silent() -> AsyncIterator[SilentService]:
    service = SilentService()
    servicer = SchedulerServicer(handlers_of(SimpleNamespace(GetJob=service.wait)))
    async with serve_grpc(servicer, listen="127.0.0.1:0", on_call=lambda *_: None) as server:
        service.target = f"127.0.0.1:{server.port}"
        yield service


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_client_raises_at_each_call(call: Callable[[Any], Any]) -> None:
    client = Client(NOWHERE)
    client.close()
    client.close()

    with pytest.raises(ClientClosed, match="the client is closed; create another one") as caught:
        call(client)

    assert isinstance(caught.value, CallFailed)
    assert (caught.value.code, caught.value.reason) == ("CANCELLED", "CLIENT_CLOSED")


@pytest.mark.parametrize("call", CALLS)
async def test_a_closed_client_of_asyncio_raises_at_each_call(call: Callable[[Any], Any]) -> None:
    client = AsyncClient(NOWHERE)
    await client.close()
    await client.close()

    with pytest.raises(ClientClosed):
        await call(client)


async def test_a_call_under_way_in_another_thread_raises(silent: SilentService) -> None:
    client = Client(silent.target)
    call = asyncio.create_task(asyncio.to_thread(client.get_job, "7"))
    await silent.called.wait()

    await asyncio.to_thread(client.close)

    with pytest.raises(ClientClosed):
        await call
    await silent.left.wait()


async def test_a_call_under_way_in_another_task_raises(silent: SilentService) -> None:
    async with AsyncClient(silent.target) as client:
        call = asyncio.create_task(client.get_job("7"))
        await silent.called.wait()

    with pytest.raises(ClientClosed):
        await call
    await silent.left.wait()


async def test_cancelling_a_task_stays_a_cancellation(silent: SilentService) -> None:
    async with AsyncClient(silent.target) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get_job("7")
        await silent.left.wait()
        call = asyncio.create_task(client.get_job("7"))
        silent.called.clear()
        await silent.called.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


def test_a_client_of_asyncio_is_for_one_loop_which_may_run_later() -> None:
    client = AsyncClient(NOWHERE, timeout=0.2)

    async def call() -> None:
        with pytest.raises(CallFailed):
            await client.status()

    asyncio.run(call())
    with pytest.raises(RuntimeError, match="belongs to another event loop; create one for each"):
        asyncio.run(call())


async def test_no_thread_and_no_task_is_left(silent: SilentService) -> None:
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    for _ in range(3):
        async with AsyncClient(silent.target) as client:
            watching = client.watch_health()
            await anext(watching)
            calls = [asyncio.create_task(client.get_job("7")) for _ in range(20)]
            await silent.called.wait()
        assert {type(each) for each in await asyncio.gather(*calls, return_exceptions=True)} == {
            ClientClosed
        }
        with pytest.raises(StopAsyncIteration):
            await anext(watching)

    await until(lambda: len(asyncio.all_tasks()) <= tasks)  # the server has some too
    assert threading.active_count() <= threads + 1  # gRPC polls for all channels in one thread
