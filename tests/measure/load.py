"""The callers of a measurement: raw requests over some channels, a number of them at once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import grpc

from gcsched.pb import task_pb2
from tests.support.service_process import a_meet

RawCall = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
BATCH_SIZE, BATCHES_AT_ONCE = 500, 4
TIMEOUT_SECONDS = 60.0


async def call_all(
    target: str, method: str, requests: Sequence[bytes], *, at_once: int, channels: int = 1
) -> list[float]:
    """Send *requests*, *at_once* at a time; return the seconds that each took, sorted.

    Raises grpc.aio.AioRpcError if one fails.
    """
    options = [("grpc.use_local_subchannel_pool", 1)]
    waiting, took = list(reversed(requests)), list[float]()
    async with AsyncExitStack() as stack:
        calls: list[RawCall] = []
        for _ in range(channels):
            opened = grpc.aio.insecure_channel(target, options=options)
            channel = await stack.enter_async_context(opened)
            calls.append(channel.unary_unary(f"/scheduler.Scheduler/{method}"))

        async def caller(call: RawCall) -> None:
            while waiting:
                sent = time.perf_counter()
                await call(waiting.pop(), timeout=TIMEOUT_SECONDS)
                took.append(time.perf_counter() - sent)

        await asyncio.gather(*(caller(calls[number % channels]) for number in range(at_once)))
    return sorted(took)


def meets(count: int, due: Callable[[int], int]) -> list[task_pb2.MeetRequest]:
    """Return *count* requests, number i due at due(i); no two sets with other times are alike."""
    return [a_meet(number, timestamp=due(number)) for number in range(count)]


async def schedule_in_batches(target: str, requests: Sequence[task_pb2.MeetRequest]) -> None:
    """Schedule *requests* as fast as one service takes them."""
    batches = [
        task_pb2.BatchScheduleMeetsRequest(requests=requests[first : first + BATCH_SIZE])
        for first in range(0, len(requests), BATCH_SIZE)
    ]
    octets = [each.SerializeToString() for each in batches]
    await call_all(target, "BatchScheduleMeets", octets, at_once=BATCHES_AT_ONCE)


async def schedule_one_by_one(
    target: str, requests: Sequence[task_pb2.MeetRequest], *, at_once: int = 64
) -> list[float]:
    """Schedule *requests* by single calls over four channels; return the seconds of each."""
    octets = [each.SerializeToString() for each in requests]
    return await call_all(target, "ScheduleMeet", octets, at_once=at_once, channels=4)
