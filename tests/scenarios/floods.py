"""Floods: calls that try to fill a service's memory or to block its event loop."""

import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from gcsched.pb import task_pb2
from tests.support.raw_calls import NO_WINDOW, RawConnection, frame_message, raw_connection
from tests.support.service_process import a_meet
from tests.support.wait import until

Codes = Counter[str]
Flood = Callable[[str], Coroutine[Any, Any, Codes]]
FAR_FUTURE = 2_000_000_000
CALL_TIMEOUT_SECONDS = 30
MAX_MESSAGE_OCTETS = 4 * 1024 * 1024 - 1024


async def send_all(
    target: str, method: str, bodies: Iterable[bytes], *, channels: int = 4
) -> Codes:
    """Send each of *bodies* as a call of *method*, all at once; count the status codes."""
    codes = Codes()

    async def one(channel: grpc.aio.Channel, body: bytes) -> None:
        method_call: Any = channel.unary_unary(f"/scheduler.Scheduler/{method}")
        call = method_call(body, timeout=CALL_TIMEOUT_SECONDS)
        codes[(await call.code()).name] += 1

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        opened = [
            await stack.enter_async_context(grpc.aio.insecure_channel(target, options=options))
            for _ in range(channels)
        ]
        running = [
            tasks.create_task(one(channel, body))
            for channel, body in zip(itertools.cycle(opened), bodies, strict=False)
        ]
        await asyncio.wait(running)
    return codes


def memory_peak_mb(pid: int) -> float:
    """Return VmHWM: the peak of resident memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def batch(*requests: task_pb2.MeetRequest) -> bytes:
    return task_pb2.BatchScheduleMeetsRequest(requests=requests).SerializeToString()


async def wrong_variables(target: str) -> Codes:
    """Send batches of 63 requests with 5,800 wrong variable names each."""
    names = {f"-{number:x}": "" for number in range(5_800)}
    body = batch(*(a_meet(n, timestamp=FAR_FUTURE, variables=names) for n in range(63)))
    return await send_all(target, "BatchScheduleMeets", [body] * 12)


async def many_labels(target: str) -> Codes:
    """Send batches of requests whose label maps fill the whole message."""
    names = {f"{number:x}": "" for number in range(5_800)}
    body = batch(*(a_meet(n, timestamp=FAR_FUTURE, labels=names) for n in range(63)))
    return await send_all(target, "BatchScheduleMeets", [body] * 12)


async def large_batches(target: str) -> Codes:
    """Send 200 valid batches of 3.7 MB at once."""
    text = {"text": "x" * 16_000}
    bodies = (
        batch(*(a_meet(n, timestamp=FAR_FUTURE + number, variables=text) for n in range(230)))
        for number in range(200)
    )
    return await send_all(target, "BatchScheduleMeets", bodies, channels=8)


async def empty_requests(target: str) -> Codes:
    """Send messages of 4 MiB that hold two million empty requests each."""
    return await send_all(target, "BatchScheduleMeets", [b"\n\0" * (MAX_MESSAGE_OCTETS // 2)] * 12)


async def large_messages(target: str) -> Codes:
    """Send messages of 4 MiB to a method that takes an id."""
    body = task_pb2.GetJobRequest(job_id="x" * MAX_MESSAGE_OCTETS).SerializeToString()
    return await send_all(target, "GetJob", [body] * 60)


async def map_of_4_mib(target: str) -> Codes:
    """Send single requests of 4 MiB with some 400,000 variables each."""
    body = a_meet(1, variables={f"{n:x}": "" for n in range(330_000)}).SerializeToString()
    return await send_all(target, "ScheduleMeet", [body[:MAX_MESSAGE_OCTETS]] * 12)


async def long_domains(target: str) -> Codes:
    """Send batches of 1,000 addresses whose domains take longest to check."""
    label = "".join(chr(0x4E00 + 37 * n) for n in range(59))
    arab = "xn--mgbaaadlceoa4agofcdhvuaj2armt2abjj"

    def domain(number: int) -> str:
        return f"{label}{number}.com" if number % 2 else f"{arab}.{arab}.{arab}.x{number}.com"

    body = batch(*(a_meet(n, timestamp=FAR_FUTURE, emailID=f"a@{domain(n)}") for n in range(1_000)))
    return await send_all(target, "BatchScheduleMeets", [body] * 10)


async def previews(target: str) -> Codes:
    """Send batches of 240 previews, each with variables of 16 KB."""
    text = {"text": "<" * 16_000}
    fields: dict[str, Any] = {"variables": text, "validate_only": True}
    body = batch(*(a_meet(n, timestamp=FAR_FUTURE, **fields) for n in range(240)))
    return await send_all(target, "BatchScheduleMeets", [body] * 20)


async def long_texts(target: str) -> Codes:
    """Send 5,000 valid single requests with variables of 16 KB."""
    text = {"text": "x" * 16_000}
    bodies = (
        a_meet(n, timestamp=FAR_FUTURE + 1_000, variables=text).SerializeToString()
        for n in range(5_000)
    )
    return await send_all(target, "ScheduleMeet", bodies, channels=8)


@asynccontextmanager
async def open_raw_connections(
    target: str, connections: int, *, settings: bytes = b""
) -> AsyncIterator[list[RawConnection]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(raw_connection(target, settings=settings))
            for _ in range(connections)
        ]


async def write_to_all(
    connections: list[RawConnection], count: int, write: Callable[[RawConnection], object]
) -> None:
    """Call *write* *count* times on each of *connections*, as fast as they accept it."""
    for number in range(count):
        for each in connections:
            write(each)
        if number % 50 == 0:
            await drain_all(connections)


async def drain_all(connections: list[RawConnection]) -> None:
    for each in connections:
        try:
            await asyncio.wait_for(each.writer.drain(), 2)
        except (ConnectionError, TimeoutError):
            each.is_closed = True


def count_ended(connections: list[RawConnection]) -> Codes:
    return Codes(
        streams_ended=sum(len(each.ended_streams) for each in connections),
        connections_closed=sum(each.is_closed for each in connections),
    )


async def resets(target: str, *, per_connection: int = 10_000) -> Codes:
    """Open 100,000 streams over ten connections, and reset each immediately."""
    async with open_raw_connections(target, 10) as connections:
        await write_to_all(
            connections, per_connection, lambda each: each.reset(each.start_call("ScheduleMeet"))
        )
        await asyncio.sleep(1)
        return count_ended(connections)


async def no_message(target: str, *, per_connection: int = 4_000) -> Codes:
    """Make 40,000 calls that end without a message, over ten connections."""
    async with open_raw_connections(target, 10) as connections:
        await write_to_all(
            connections, per_connection, lambda each: each.start_call("ScheduleMeet", end=True)
        )
        await until(
            lambda: count_ended(connections)["streams_ended"] >= 10 * per_connection, within=20
        )
        return count_ended(connections)


async def silent_streams(target: str) -> Codes:
    """Make 20,000 calls that send 6 KB of metadata and no message, over forty connections."""
    bulk = (b"x-bulk", b"x" * 6_000)
    async with open_raw_connections(target, 40) as connections:
        await write_to_all(connections, 500, lambda each: each.start_call("GetJob", bulk))
        await asyncio.sleep(8)
        return count_ended(connections)


async def endless_messages(target: str) -> Codes:
    """Make 2,000 calls that fill their windows with an endless message, over 20 connections."""
    async with open_raw_connections(target, 20) as connections:
        started: list[tuple[RawConnection, int]] = []

        def start(each: RawConnection) -> None:
            stream = each.start_call("BatchScheduleMeets")
            each.send(stream, frame_message(b"", declared_size=MAX_MESSAGE_OCTETS), end=False)
            each.windows[stream] -= 5
            each.windows[0] -= 5
            started.append((each, stream))

        await write_to_all(connections, 100, start)
        for _ in range(80):
            for each, stream in started:
                if stream not in each.ended_streams and not each.is_closed:
                    each.fill_window(stream)
            await drain_all(connections)
            await asyncio.sleep(0.05)
        return count_ended(connections)


async def slow_readers(target: str) -> Codes:
    """Request 400 lists of full jobs and never read them, over 20 connections."""
    body = frame_message(
        task_pb2.ListJobsRequest(page_size=200, view=task_pb2.Job.FULL).SerializeToString()
    )
    async with open_raw_connections(target, 20, settings=NO_WINDOW) as connections:
        await write_to_all(
            connections, 20, lambda each: each.send(each.start_call("ListJobs"), body)
        )
        await asyncio.sleep(8)
        return count_ended(connections)


async def watches(target: str) -> Codes:
    """Open 6,000 watches of health and 1,000 streams of reflection, over ten connections."""
    health = "/grpc.health.v1.Health/Watch"
    reflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

    def both(each: RawConnection) -> None:
        for _ in range(6):
            each.send(each.start_call(health), frame_message(b""), end=False)
        each.send(each.start_call(reflection), frame_message(b"\x3a\x00"), end=False)

    async with open_raw_connections(target, 10) as connections:
        await write_to_all(connections, 100, both)
        await asyncio.sleep(4)
        return count_ended(connections)


async def invalid_calls(target: str) -> Codes:
    """Make 3,000 calls each with invalid UTF-8, with garbage, and with a truncated frame."""
    bodies = [b"\n\x02\xff\xfe", b"\xff" * 30] * 3_000
    codes = await send_all(target, "ScheduleMeet", bodies)
    async with open_raw_connections(target, 4) as connections:

        def truncate_frame(each: RawConnection) -> None:
            stream = each.start_call("ScheduleMeet")
            each.send(stream, frame_message(b"\n\x02ab", declared_size=100))

        await write_to_all(connections, 750, truncate_frame)
        await asyncio.sleep(2)
        return codes + count_ended(connections)


async def nothing(_: str) -> Codes:
    """Send nothing, for the baseline of the machine itself."""
    await asyncio.sleep(4)
    return Codes()


FLOODS: dict[str, Flood] = {
    each.__name__: each
    for each in (
        nothing,
        wrong_variables,
        many_labels,
        large_batches,
        empty_requests,
        large_messages,
        map_of_4_mib,
        long_domains,
        previews,
        long_texts,
        resets,
        no_message,
        silent_streams,
        endless_messages,
        slow_readers,
        watches,
        invalid_calls,
    )
}


if __name__ == "__main__":  # a flood in its own process does not delay the measurement
    name, where = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(FLOODS[name](where))))
