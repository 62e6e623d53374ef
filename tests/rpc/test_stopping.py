"""Callers that do not watch health, Node's client for example, at a graceful stop."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from gcsched.pb import task_pb2, task_pb2_grpc
from gcsched.rpc.server import serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.handlers import handlers_of
from tests.support.wait import until

CALLERS = 8
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]


async def accept(*_: object) -> task_pb2.MeetResponse:
    return task_pb2.MeetResponse(success=True, job_id="7")


async def call_until_failure(
    channel: grpc.aio.Channel, answered: list[str]
) -> grpc.aio.AioRpcError:
    """Call without a pause until a call fails; return its error."""
    stub: Any = task_pb2_grpc.SchedulerStub(channel)
    while True:
        try:
            reply = await stub.ScheduleMeet(task_pb2.MeetRequest(), timeout=10)
        except grpc.aio.AioRpcError as error:
            return error
        answered.append(reply.job_id)


def reason(error: grpc.aio.AioRpcError) -> str:
    """Return the reason in the details of a status; "" where gRPC itself has answered."""
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    if status is not None:
        status.details[0].Unpack(info)
    return str(info.reason)


async def test_a_caller_without_a_pause_is_redirected() -> None:
    servicer = SchedulerServicer(handlers_of(SimpleNamespace(ScheduleMeet=accept)))
    answered: list[str] = []
    serving = serve_grpc(servicer, listen="127.0.0.1:0", on_call=lambda *_: None)
    async with serving as server, AsyncExitStack() as stack:
        target = f"127.0.0.1:{server.port}"
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(target, options=OWN_CONNECTION)
            )
            for _ in range(CALLERS)
        ]
        calling = [asyncio.create_task(call_until_failure(each, answered)) for each in channels]
        await until(lambda: len(answered) > CALLERS)
        await server.stop_gracefully(timedelta(seconds=5))
        ends = await asyncio.wait_for(asyncio.gather(*calling), 5)

    assert [(end.code(), reason(end)) for end in ends] == [
        (grpc.StatusCode.UNAVAILABLE, "STOPPING")
    ] * CALLERS


async def test_health_is_answered_while_calls_are_rejected() -> None:
    serving = serve_grpc(
        SchedulerServicer(handlers_of()), listen="127.0.0.1:0", on_call=lambda *_: None
    )
    async with serving as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        await server.health.enter_graceful_shutdown()
        server.calls.reject_new_calls()
        seen = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())

    assert seen.status == health_pb2.HealthCheckResponse.NOT_SERVING
