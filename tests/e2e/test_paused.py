"""A process that was paused answers the calls that piled up meanwhile."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc

from gcsched.pb import task_pb2
from tests.support.service_process import a_meet, environment, is_serving, running_service

SCHEDULE = "/scheduler.Scheduler/ScheduleMeet"
MORE_THAN_GRPC_QUEUES = 3_500  # gRPC itself would answer CANCELLED to some of them, at random
# HTTP/2 lets a caller send 64 KiB on a connection before the server has read. With so few calls on
# each, all messages leave while the process is paused, and none can be late. The service allows 200
# calls at once on a connection.
CONNECTIONS = 20


async def connect(stack: AsyncExitStack, target: str) -> grpc.aio.Channel:
    """Open a channel that has a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(target, options=options))
    await channel.channel_ready()
    return channel


async def send(channel: grpc.aio.Channel, request: task_pb2.MeetRequest) -> Any:
    """Make a call, and return it once its message has left.

    On the wire it is as any other; gRPC tells only of streams when a message was written.
    """
    make_call = channel.stream_unary(
        SCHEDULE,
        request_serializer=task_pb2.MeetRequest.SerializeToString,
        response_deserializer=task_pb2.MeetResponse.FromString,
    )
    call = make_call(timeout=60)
    await call.write(request)
    await call.done_writing()
    return call


async def test_calls_that_piled_up_are_all_accepted(
    tmp_path: Path, mongo_uri: str, redis_url: str
) -> None:
    settings = environment(mongo=mongo_uri, redis=redis_url, relay_port=9)
    async with running_service(tmp_path, settings) as paused, AsyncExitStack() as stack:
        channels = [await connect(stack, paused.target) for _ in range(CONNECTIONS)]
        assert (await (await send(channels[0], a_meet(1)))).success
        paused.freeze()
        calls = await asyncio.gather(
            *(
                send(channels[number % CONNECTIONS], a_meet(number))
                for number in range(2, MORE_THAN_GRPC_QUEUES)
            )
        )
        assert not await is_serving(paused.target)  # it answers nothing while they pile up
        paused.thaw()
        replies = [await call for call in calls]

    assert all(reply.success for reply in replies)
