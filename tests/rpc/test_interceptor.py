"""Reports on calls, which change nothing for the caller."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from gcsched.rpc.interceptor import CallInterceptor
from gcsched.rpc.memory import MemoryBudget
from gcsched.rpc.receiver import Receiver
from tests.support.wait import until

Context = Any
ReportedCalls = list[tuple[str, str, float]]


class FakeService:
    """A service with one method, which a test provides."""

    def __init__(self, act: Callable[[bytes, Context], Any]) -> None:
        self.reported: ReportedCalls = []
        self._act = act
        self.began = asyncio.Event()

    async def call(self, request: bytes, context: Context) -> bytes:
        self.began.set()
        return bytes(await self._act(request, context))

    async def stream(self, request: bytes, _: Context) -> AsyncIterator[bytes]:
        yield request

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[grpc.aio.Channel]:
        receiver = Receiver(MemoryBudget(2**20))
        interceptor = CallInterceptor(lambda *report: self.reported.append(report), receiver)
        server = grpc.aio.server(interceptors=[interceptor])
        handlers: dict[str, Any] = {
            "Call": grpc.unary_unary_rpc_method_handler(self.call),
            "Stream": grpc.unary_stream_rpc_method_handler(self.stream),
        }
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("test.Fake", handlers)]
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield channel
        finally:
            await server.stop(0)


def call(channel: grpc.aio.Channel, timeout: float | None = None) -> Any:
    return channel.unary_unary("/test.Fake/Call", bytes, bytes)(b"hello", timeout=timeout)


def codes(service: FakeService) -> list[tuple[str, str]]:
    return [(method, code) for method, code, _ in service.reported]


async def test_an_answer_is_reported_as_ok_with_its_time() -> None:
    async def echo(request: bytes, _: Context) -> bytes:
        return request

    service = FakeService(echo)
    async with service.serve() as channel:
        answers = [await call(channel), await call(channel)]

    assert answers == [b"hello", b"hello"]
    assert codes(service) == [("test.Fake/Call", "OK")] * 2
    assert all(0 <= seconds < 5 for *_, seconds in service.reported)


async def test_an_abort_reaches_the_caller_unchanged() -> None:
    async def refuse(_: bytes, context: Context) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "not here", (("why", "because"),))

    service = FakeService(refuse)
    async with service.serve() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "not here"
    assert dict(caught.value.trailing_metadata() or ())["why"] == "because"
    await until(lambda: codes(service) == [("test.Fake/Call", "NOT_FOUND")])


async def test_a_defect_is_reported_as_unknown() -> None:
    async def break_(_: bytes, __: Context) -> None:
        raise ZeroDivisionError

    service = FakeService(break_)
    async with service.serve() as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(channel)

    await until(lambda: codes(service) == [("test.Fake/Call", "UNKNOWN")])


async def hang(_: bytes, __: Context) -> None:
    await asyncio.Event().wait()


async def test_a_caller_that_hangs_up_has_cancelled() -> None:
    service = FakeService(hang)
    async with service.serve() as channel:
        under_way = call(channel)
        await until(service.began.is_set)

        under_way.cancel()
        await until(lambda: service.reported)

    await until(lambda: codes(service) == [("test.Fake/Call", "CANCELLED")])


@pytest.mark.parametrize("seconds", [0.2, 1.0])  # the latter is rounded up on its way
async def test_a_deadline_that_is_over_is_reported_as_such(seconds: float) -> None:
    service = FakeService(hang)
    async with service.serve() as channel:
        await channel.channel_ready()  # else the deadline may be over before the server hears of it
        with pytest.raises(grpc.aio.AioRpcError):
            await call(channel, timeout=seconds)
        await until(lambda: service.reported)

    await until(lambda: codes(service) == [("test.Fake/Call", "DEADLINE_EXCEEDED")])


async def test_a_stream_is_not_reported() -> None:
    service = FakeService(hang)
    async with service.serve() as channel:
        stream = channel.unary_stream("/test.Fake/Stream", bytes, bytes)(b"hello")
        answers = [answer async for answer in stream]

    assert answers == [b"hello"]
    assert service.reported == []
