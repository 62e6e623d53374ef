"""Reads end: by a message, by their sender, or because others wait to be read."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest

from gcsched.errors import MalformedMessage, MessageTimeout
from gcsched.rpc.read_limiter import ReadLimiter
from tests.support.wait import until


class Sender:
    """A call whose message a test sends."""

    def __init__(self) -> None:
        self.message: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.is_read = False
        self.has_read = False

    async def read(self) -> Any:
        self.is_read = True
        message = await self.message
        self.has_read = True
        return message


class ManualReadLimiter(ReadLimiter):
    """A read limiter whose ticks a test makes."""

    def tick(self) -> None:
        self._cut_off_late_reads()


def start_reads(reads: ReadLimiter, senders: list[Sender]) -> list[asyncio.Task[bytes]]:
    contexts: list[Any] = [*senders]
    return [asyncio.create_task(reads.read_single(context)) for context in contexts]


async def test_a_message_is_given_as_it_came() -> None:
    sender = Sender()
    [task] = start_reads(ReadLimiter(), [sender])
    sender.message.set_result(b"\x0a\x01a")

    assert await task == b"\x0a\x01a"


async def test_a_call_that_ends_without_one_is_malformed() -> None:
    sender = Sender()
    [task] = start_reads(ReadLimiter(), [sender])
    sender.message.set_result(grpc.aio.EOF)

    with pytest.raises(MalformedMessage, match="exactly one message"):
        await task


async def test_a_read_may_wait_several_times() -> None:
    class TwoParts(Sender):
        async def read(self) -> Any:
            return await super().read() + await rest

    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    sender = TwoParts()
    [task] = start_reads(ReadLimiter(), [sender])
    sender.message.set_result(b"x")
    await until(lambda: sender.has_read)
    rest.set_result(b"y")

    assert await task == b"xy"


async def test_a_read_that_fails_fails_its_call_and_frees_its_slot() -> None:
    reads, broken, next_one = ReadLimiter(max_reads=1), Sender(), Sender()
    tasks = start_reads(reads, [broken, next_one])
    broken.message.set_exception(ConnectionError("gone"))
    next_one.message.set_result(b"x")

    with pytest.raises(ConnectionError, match="gone"):
        await tasks[0]
    assert await tasks[1] == b"x"


async def test_a_read_that_grpc_cancels_ends_its_call_and_frees_its_slot() -> None:
    reads, cancelled, next_one = ReadLimiter(max_reads=1), Sender(), Sender()
    tasks = start_reads(reads, [cancelled, next_one])
    await until(lambda: cancelled.is_read)
    cancelled.message.cancel()
    next_one.message.set_result(b"x")

    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert await tasks[1] == b"x"


async def test_every_read_has_a_time_limit() -> None:
    [task] = start_reads(ReadLimiter(longest=timedelta(milliseconds=50)), [Sender()])

    with pytest.raises(MessageTimeout, match=r"within 0\.\d s"):
        await asyncio.wait_for(task, 5)


async def test_where_too_many_are_slow_the_newest_are_cut_off() -> None:
    senders = [Sender() for _ in range(5)]
    tasks = start_reads(ReadLimiter(max_slow=2), senders)

    done, _ = await asyncio.wait(tasks[2:], timeout=5)
    for sender in senders[:2]:
        sender.message.set_result(b"x")

    assert len(done) == 3
    assert {type(task.exception()) for task in done} == {MessageTimeout}
    assert await asyncio.gather(*tasks[:2]) == [b"x", b"x"]


async def test_a_read_that_is_slow_for_over_a_second_makes_room() -> None:
    reads, old, new = ReadLimiter(max_slow=1), Sender(), Sender()
    [first] = start_reads(reads, [old])
    await asyncio.wait([first], timeout=1.3)
    [second] = start_reads(reads, [new])

    with pytest.raises(MessageTimeout):
        await asyncio.wait_for(first, 5)
    new.message.set_result(b"x")

    assert await second == b"x"


async def test_waiting_reads_start_when_others_end() -> None:
    senders = [Sender() for _ in range(3)]
    tasks = start_reads(ReadLimiter(max_reads=1), senders)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    started = [sender.is_read for sender in senders]
    tasks[1].cancel()
    for sender in senders:
        sender.message.set_result(b"x")

    assert started == [True, False, False]
    assert await tasks[0] == await tasks[2] == b"x"
    assert not senders[1].is_read


async def test_a_call_between_an_end_and_the_next_start_waits_behind_it() -> None:
    reads, senders = ReadLimiter(max_reads=2), [Sender() for _ in range(4)]
    tasks = start_reads(reads, senders)
    await asyncio.sleep(0)
    newcomers = [Sender() for _ in range(2)]
    for sender in senders[:2]:
        sender.message.set_result(b"x")
    # The tasks of newcomers start right after those that end, before the waiting ones run again.
    tasks += start_reads(reads, newcomers)
    for _ in range(5):
        await asyncio.sleep(0)
    started = [sender.is_read for sender in [*senders, *newcomers]]
    for sender in [*senders[2:], *newcomers]:
        sender.message.set_result(b"x")
    await asyncio.gather(*tasks)
    again = [Sender() for _ in range(3)]
    last = start_reads(reads, again)
    for _ in range(2):
        await asyncio.sleep(0)
    started_again = [sender.is_read for sender in again]
    for sender in again:
        sender.message.set_result(b"x")
    await asyncio.gather(*last)

    assert started == [True, True, True, True, False, False]
    assert started_again == [True, True, False]


async def test_a_slot_granted_to_a_caller_that_leaves_passes_to_the_next() -> None:
    reads, senders = ReadLimiter(max_reads=1), [Sender() for _ in range(3)]
    tasks = start_reads(reads, senders)
    await asyncio.sleep(0)
    senders[0].message.set_result(b"x")
    await asyncio.sleep(0)  # the first has ended, and the second has not run yet
    tasks[1].cancel()
    senders[2].message.set_result(b"y")

    assert await tasks[2] == b"y"
    assert not senders[1].is_read


async def test_a_message_that_has_arrived_is_not_cut_off() -> None:
    loop = asyncio.get_running_loop()
    reads, sender = ManualReadLimiter(longest=timedelta(milliseconds=50)), Sender()
    [task] = start_reads(reads, [sender])
    await until(lambda: sender.is_read)
    arrived = asyncio.Event()

    def arrive_at_the_limit() -> None:
        """Send the message in the same turn of the loop in which its time is over."""
        sender.message.set_result(b"x")
        for _ in range(10):
            reads.tick()
        arrived.set()

    loop.call_soon(arrive_at_the_limit)
    await arrived.wait()

    assert await task == b"x"


async def test_a_caller_that_hangs_up_is_not_a_late_sender() -> None:
    [task] = start_reads(ReadLimiter(), [Sender()])
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("leave", [asyncio.Task.cancel, None], ids=["hung up", "cut off"])
async def test_grpcs_read_continues_when_its_call_has_ended(
    leave: Callable[[asyncio.Task[bytes]], object] | None,
) -> None:
    """A cancelled read of gRPC never frees a message that it received meanwhile."""
    sender, next_one = Sender(), Sender()
    reads = ReadLimiter(max_reads=1, longest=timedelta(milliseconds=50))
    tasks = start_reads(reads, [sender])
    await until(lambda: sender.is_read)
    if leave is not None:
        leave(tasks[0])
    tasks += start_reads(reads, [next_one])
    await asyncio.wait(tasks[:1], timeout=5)
    sender.message.set_result(b"x")
    await until(lambda: sender.has_read)
    next_one.message.set_result(b"y")

    assert (
        isinstance(tasks[0].exception(), MessageTimeout) if leave is None else tasks[0].cancelled()
    )
    assert await tasks[1] == b"y"
