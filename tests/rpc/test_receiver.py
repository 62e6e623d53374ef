"""Calls without one valid message get the same answer from every method."""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from gcsched.pb import task_pb2
from gcsched.rpc.server import ServerLimits, serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from gcsched.rpc.stream_limits import MAX_BIDI_STREAMS
from tests.support.handler_server import ErrorStatus, read_error_status, serve_servicer
from tests.support.handlers import METHOD_NAMES, handlers_of
from tests.support.raw_calls import NO_WINDOW, RawConnection, frame_message, raw_connection
from tests.support.service_process import is_serving, scheduler_stub
from tests.support.wait import until

NOT_UTF_8 = b"\x0a\x02\xff\xfe"
GARBAGE = b"\xff" * 9
WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


@pytest.fixture
async def target() -> AsyncIterator[str]:
    async with serve_servicer(SchedulerServicer(handlers_of())) as target:
        yield target


@pytest.fixture
async def channel(target: str) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(target) as channel:
        yield channel


def path(method: str) -> str:
    return f"/scheduler.Scheduler/{method}"


async def messages(*octets: bytes) -> AsyncIterator[bytes]:
    for each in octets:
        yield each


def is_malformed(refusal: ErrorStatus) -> bool:
    return (refusal.code, refusal.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "MALFORMED_MESSAGE",
    )


@pytest.mark.parametrize("method", METHOD_NAMES)
async def test_no_message_and_one_that_cannot_be_parsed_are_invalid(
    channel: grpc.aio.Channel, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    ask: Any = channel.unary_unary(path(method))
    stream: Any = channel.stream_unary(path(method))
    with capture_logs() as logs:
        seen = [await read_error_status(stream(messages(), timeout=5))]
        seen.append(await read_error_status(ask(GARBAGE, timeout=5)))

    assert all(is_malformed(each) for each in seen)
    assert logs == []
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []


@pytest.mark.parametrize("raw", [GARBAGE, b"\n\x04" + NOT_UTF_8], ids=["garbage", "not UTF-8"])
@pytest.mark.parametrize("method", METHOD_NAMES)
async def test_an_unparsable_message_is_named_as_in_the_contract(
    channel: grpc.aio.Channel, method: str, raw: bytes
) -> None:
    ask: Any = channel.unary_unary(path(method))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(raw, timeout=5)

    assert task_pb2.DESCRIPTOR.package not in str(caught.value.details())


@pytest.mark.parametrize("method", METHOD_NAMES)
async def test_a_frame_that_is_cut_off_is_invalid(target: str, method: str) -> None:
    async with raw_connection(target) as connection:
        whole, cut_off = connection.start_call(method), connection.start_call(method)
        connection.send(whole, b"\0\0", end=True)
        connection.send(cut_off, frame_message(b"ab", declared_size=100), end=True)
        await until(lambda: {whole, cut_off} <= connection.ended_streams)

    for stream in (whole, cut_off):
        assert b"grpc-status\x013" in connection.answers[stream]
        assert b"the call has no valid message" in connection.answers[stream]


async def test_text_that_is_not_utf_8_is_reported_as_such(channel: grpc.aio.Channel) -> None:
    in_a_batch = b"\x0a\x04" + NOT_UTF_8
    for method, octets in (
        ("ScheduleMeet", NOT_UTF_8),
        ("GetJob", NOT_UTF_8),
        ("BatchScheduleMeets", in_a_batch),
    ):
        ask: Any = channel.unary_unary(path(method))
        with pytest.raises(grpc.aio.AioRpcError, match="UTF-8"):
            await ask(octets, timeout=5)


async def test_a_request_of_four_mib_is_refused_unparsed(channel: grpc.aio.Channel) -> None:
    ask: Any = channel.unary_unary(path("GetJob"))

    refusal = await read_error_status(ask(b"\xff" * 4_000_000, timeout=5))

    assert refusal.reason == "REQUEST_TOO_LARGE"


async def test_two_million_requests_of_a_batch_are_refused_unparsed(
    channel: grpc.aio.Channel,
) -> None:
    ask: Any = channel.unary_unary(path("BatchScheduleMeets"))

    assert is_malformed(await read_error_status(ask(b"\n\0" * 2_000_000, timeout=5)))


class SizedReplies:
    """Answers GetJob and CancelJob in the requested size, and ScheduleMeet once released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.handlers = SimpleNamespace(
            GetJob=self.get_job, ScheduleMeet=self.schedule_meet, CancelJob=self.get_job
        )

    async def get_job(self, request: task_pb2.GetJobRequest, _: object) -> task_pb2.Job:
        return task_pb2.Job(reason="x" * int(request.job_id))

    async def schedule_meet(self, *_: object) -> task_pb2.MeetResponse:
        await self.release.wait()
        return task_pb2.MeetResponse(success=True)


async def test_the_memory_of_calls_is_limited_and_released_when_they_end() -> None:
    counting = SizedReplies()
    server = serve_grpc(
        SchedulerServicer(handlers_of(counting.handlers)),
        listen="127.0.0.1:0",
        on_call=lambda *_: None,
        limits=ServerLimits(call_octets=10 * 32 * 1024),
    )
    async with server as running, scheduler_stub(f"127.0.0.1:{running.port}") as stub:
        ask = task_pb2.MeetRequest()
        calls = [asyncio.ensure_future(stub.ScheduleMeet(ask, timeout=20)) for _ in range(9)]
        await until(lambda: running.calls.call_count == 9)
        refusal = await read_error_status(stub.ScheduleMeet(ask, timeout=5))
        small = await stub.GetJob(task_pb2.GetJobRequest(job_id="10"), timeout=5)
        assert await is_serving(f"127.0.0.1:{running.port}")
        counting.release.set()
        replies = await asyncio.gather(*calls)
        again = await stub.ScheduleMeet(ask, timeout=5)

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "MEMORY_FULL")
    assert small.reason == "x" * 10
    assert all(reply.success for reply in [*replies, again])


async def test_unread_answers_are_counted_until_their_caller_leaves() -> None:
    server = serve_grpc(
        SchedulerServicer(handlers_of(SizedReplies().handlers)),
        listen="127.0.0.1:0",
        on_call=lambda *_: None,
        limits=ServerLimits(call_octets=2 * 2**20),
    )
    ask = task_pb2.GetJobRequest(job_id="400000")
    async with server as running, scheduler_stub(f"127.0.0.1:{running.port}") as stub:
        target = f"127.0.0.1:{running.port}"
        async with raw_connection(target, settings=NO_WINDOW) as slow:
            slow.send(slow.start_call("GetJob"), frame_message(ask.SerializeToString()))
            await until(lambda: running.calls.call_count == 1)
            refusal = await read_error_status(stub.GetJob(ask, timeout=5))
        await until(lambda: is_answered(stub, ask))

    assert refusal.reason == "MEMORY_FULL"


async def test_the_reply_to_a_change_is_sent_however_full_the_memory_is() -> None:
    server = serve_grpc(
        SchedulerServicer(handlers_of(SizedReplies().handlers)),
        listen="127.0.0.1:0",
        on_call=lambda *_: None,
        limits=ServerLimits(call_octets=2**20),
    )
    async with server as running, scheduler_stub(f"127.0.0.1:{running.port}") as stub:
        cancel = task_pb2.CancelJobRequest(job_id="3000000")
        replies = [await stub.CancelJob(cancel, timeout=5) for _ in range(3)]
        ask = task_pb2.GetJobRequest(job_id="3000000")
        refusal = await read_error_status(stub.GetJob(ask, timeout=5))
        await until(lambda: is_answered(stub, task_pb2.GetJobRequest(job_id="10")))

    assert [len(each.reason) for each in replies] == [3_000_000] * 3
    assert refusal.reason == "MEMORY_FULL"


async def is_answered(stub: Any, ask: task_pb2.GetJobRequest) -> bool:
    try:
        return bool((await stub.GetJob(ask, timeout=5)).reason)
    except grpc.aio.AioRpcError:
        return False


class HeldObject:
    """An object that a handler keeps while it answers."""


async def test_a_refused_request_is_forgotten_at_once() -> None:
    kept: list[weakref.ref[HeldObject]] = []

    async def refuse(_: object, context: Any) -> None:
        held = HeldObject()
        kept.append(weakref.ref(held))
        await context.abort(grpc.StatusCode.NOT_FOUND, f"not found: {held}")

    gc.disable()
    try:
        servicer = SchedulerServicer(handlers_of(SimpleNamespace(ScheduleMeet=refuse)))
        async with serve_servicer(servicer) as target, scheduler_stub(target) as stub:
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.ScheduleMeet(task_pb2.MeetRequest(), timeout=5)
            [reference] = kept
            await until(lambda: reference() is None)
    finally:
        gc.enable()


async def test_a_watch_is_served_and_one_without_a_message_is_invalid(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        first = await watching.read()
        empty: Any = channel.stream_stream(WATCH)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [_ async for _ in empty(messages(), timeout=5)]
        watching.cancel()

    assert first.status == health_pb2.HealthCheckResponse.SERVING
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_only_so_many_reflection_streams_are_open_and_the_next_when_one_ends(
    target: str,
) -> None:
    ask = frame_message(b"\x3a\x00")

    def start_stream(connection: RawConnection) -> int:
        stream = connection.start_call(REFLECTION)
        connection.send(stream, ask, end=False)
        return stream

    async with raw_connection(target) as connection:
        streams = [start_stream(connection) for _ in range(MAX_BIDI_STREAMS)]
        await until(lambda: connection.answers.keys() >= set(streams))
        refused_one = start_stream(connection)
        await until(lambda: refused_one in connection.ended_streams)
        connection.reset(streams[0])
        await until(lambda: is_stream_answered(connection, start_stream(connection)))

    assert b"grpc-status\x018" in connection.answers[refused_one]


async def is_stream_answered(connection: RawConnection, stream: int) -> bool:
    await until(lambda: stream in connection.answers)
    return b"scheduler.Scheduler" in connection.answers[stream]


async def test_health_is_answered_while_the_messages_of_a_flood_do_not_end(target: str) -> None:
    async with raw_connection(target) as one, raw_connection(target) as two:
        for connection in (one, two):
            for _ in range(450):
                connection.send(
                    connection.start_call("GetJob"), frame_message(b"a", declared_size=9), end=False
                )
        await until(lambda: one.ended_streams and two.ended_streams)

        async with grpc.aio.insecure_channel(target) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            reply = await health.Check(health_pb2.HealthCheckRequest(), timeout=0.7)
        behind = 900 - len(one.ended_streams) - len(two.ended_streams)

    assert reply.status == health_pb2.HealthCheckResponse.SERVING
    assert behind > 64
