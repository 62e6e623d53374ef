"""Limit how many messages of calls are read at a time, and how long each read may take.

While a read is pending, gRPC buffers up to 4 MiB of a message that may never end; of a message that
is not read it buffers the first 16 KiB. So these limits decide how much memory senders can fill.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any, cast

import grpc

from gcsched.errors import MalformedMessage, MessageTimeout
from gcsched.rpc.call import Context

TICK = timedelta(milliseconds=10)
# Each tick is also at least one turn of the loop. In so many turns all that has arrived is read,
# even if calls have piled up while the process stood still.
SLOW_TICKS = 10
SLOW_READ_GRACE = timedelta(seconds=1)
MAX_READ = timedelta(seconds=10)


@dataclass(slots=True, eq=False)
class PendingRead:
    """A read that started at tick *start_tick*; its call awaits *message*.

    *reading* is gRPC's coroutine, and *waiter* the future that it awaits now. It is never
    cancelled: gRPC would never free a message that it holds at that moment. It ends with its call,
    soon after the answer.
    """

    start_tick: int
    message: asyncio.Future[Any]
    reading: Coroutine[Any, None, Any]
    waiter: asyncio.Future[Any] | None = None

    def has_arrived(self) -> bool:
        """Return whether the message is there, and only gRPC has yet to parse it."""
        return self.waiter is not None and self.waiter.done()


class ReadLimiter:
    """Allows *max_reads* reads, *max_slow* of them over 100 ms, and none over *longest*.

    If more are slow, those over a second are cut off first, then the newest: a batch that is still
    arriving is not dropped for the next one. Time is counted in ticks, not by a clock, so that a
    lagging loop makes no caller late.
    """

    def __init__(
        self, *, max_reads: int = 32, max_slow: int = 12, longest: timedelta = MAX_READ
    ) -> None:
        self._free_slots = max_reads
        self._max_slow = max_slow
        self._max_ticks = longest // TICK
        self._pending: dict[PendingRead, None] = {}  # the oldest first
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tick = 0
        self._timer: asyncio.TimerHandle | None = None

    async def read_single(self, context: Context) -> bytes:
        """Return the only message of a call. Raises MalformedMessage or MessageTimeout."""
        raw = await self._begin(context)
        if raw is grpc.aio.EOF:
            # A caller that hangs up looks the same, a moment before the cancellation arrives.
            await asyncio.sleep(0)
            raise MalformedMessage("it has no message, or a truncated one")
        return cast("bytes", raw)

    async def read_next(self, context: Context) -> bytes | None:
        """Return the next message of a call, None at the end. Raises MessageTimeout."""
        raw = await self._begin(context)
        return None if raw is grpc.aio.EOF else raw

    def _begin(self, context: Context) -> Awaitable[Any]:
        """Return an awaitable of the next message, or of EOF."""
        if self._free_slots:
            self._free_slots -= 1
            return self._start(context)
        return self._start_later(context)

    async def _start_later(self, context: Context) -> Any:
        await self._wait_for_slot()
        return await self._start(context)

    def _start(self, context: Context) -> asyncio.Future[Any]:
        """Start a read in the slot that was taken."""
        message = asyncio.get_running_loop().create_future()
        read = PendingRead(self._tick, message, context.read())
        self._pending[read] = None
        self._advance(read)
        if self._timer is None:
            self._schedule_check()
        return message

    def _advance(self, read: PendingRead) -> None:
        """Run gRPC's coroutine up to the next future that it awaits, as a task would.

        At its end pass the message to its call, or drop it if the call was cut off or has ended. A
        real task would cost a turn of the loop, and 8 % of the CPU of an empty call.
        """
        try:
            read.waiter = read.reading.send(None)
        except StopIteration as end:
            if not read.message.done():
                read.message.set_result(end.value)
        except asyncio.CancelledError:  # of gRPC's future, as the server ends
            read.message.cancel()
        except Exception as error:  # noqa: BLE001  # raised in the call
            if not read.message.done():
                read.message.set_exception(error)
        else:
            read.waiter.add_done_callback(lambda _: self._advance(read))
            return
        self._end(read)

    def _end(self, read: PendingRead) -> None:
        if read not in self._pending:
            return  # it was cut off
        del self._pending[read]
        if self._waiting:
            self._release_slot()
        else:
            self._free_slots += 1

    async def _wait_for_slot(self) -> None:
        """Wait for the slot of a read that ends; the limits of reads limit this wait too."""
        granted = asyncio.get_running_loop().create_future()
        self._waiting.append(granted)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._release_slot()  # it was granted to a caller that has left
            raise

    def _release_slot(self) -> None:
        """Grant a slot to the call that waits longest; it counts as taken until that call reads."""
        while self._waiting:
            if not (granted := self._waiting.popleft()).done():
                granted.set_result(None)
                return
        self._free_slots += 1

    def _schedule_check(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK.total_seconds(), self._cut_off_late_reads)

    def _cut_off_late_reads(self) -> None:
        """Cut off the slow reads that are too many, and all that take too long."""
        self._tick += 1
        self._timer = None
        # Reads are in order of their start, so the slow ones come first.
        slow = [*takewhile(lambda each: self._ticks(each) >= SLOW_TICKS, self._pending)]
        too_long = [*takewhile(lambda each: self._ticks(each) >= self._max_ticks, slow)]
        excess = max(0, len(slow) - len(too_long) - self._max_slow)
        rest = slow[len(too_long) :]
        oldest = sum(self._ticks(each) > SLOW_READ_GRACE // TICK for each in rest[:excess])
        for read in (*too_long, *rest[:oldest], *rest[len(rest) - (excess - oldest) :]):
            self._cut_off(read)
        if self._pending:
            self._schedule_check()

    def _cut_off(self, read: PendingRead) -> None:
        if read.has_arrived():
            return  # it ends by itself, in this turn of the loop or the next
        if not read.message.done():
            read.message.set_exception(MessageTimeout(self._ticks(read) * TICK))
        self._end(read)

    def _ticks(self, read: PendingRead) -> int:
        return self._tick - read.start_tick


def create_health_read_limiter() -> ReadLimiter:
    """Return a limiter for calls about health, which a flood of other calls must not delay."""
    return ReadLimiter(max_reads=8, max_slow=4, longest=timedelta(seconds=2))
