"""Read the messages of calls: so many at a time, and none without a limit.

While a read is pending, gRPC takes up to 4 MiB of a message that may never end; of a message that
is not read it takes the first 16 KiB. So these limits decide how much memory senders can fill.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from typing import Any

import grpc

from gcsched.errors import MalformedMessage, MessageTimeout
from gcsched.rpc.call import Context

TICK = timedelta(milliseconds=10)
# Ticks are turns of the loop too, at least: in so many, what has arrived already is read, also when
# calls have piled up before a process that stood still.
SLOW_TICKS = 10
SLOW_READ_GRACE = timedelta(seconds=1)
MAX_READ = timedelta(seconds=10)


@dataclass(slots=True, eq=False)
class PendingRead:
    """A read that began at tick *start_tick*; its call awaits *message*, which may come to an end first.

    *task* is never cancelled: a message that gRPC has at that moment would never be freed. It ends
    with its call, soon after the answer.
    """

    start_tick: int
    message: asyncio.Future[Any]
    task: asyncio.Task[None] | None = field(default=None)

    def has_arrived(self) -> bool:
        """Tell whether the message is there, and the task that awaits it only not awake yet."""
        waiter = getattr(self.task, "_fut_waiter", None)  # all tasks have it; asyncio reads it too
        return waiter is not None and waiter.done()


class ReadLimiter:
    """At most *max_reads* reads, of which *max_slow* may last longer than a moment, and none *longest*.

    Where more are slow, those that are so for over a second make room, then the newest are cut
    off: a batch that is arriving is not given up for the next one. A tick counts their time, not a
    clock: a loop that lags makes no caller late.
    """

    def __init__(
        self, *, max_reads: int = 32, max_slow: int = 12, longest: timedelta = MAX_READ
    ) -> None:
        self._free_slots = max_reads
        self._max_slow = max_slow
        self._max_ticks = longest // TICK
        self._pending: dict[PendingRead, None] = {}  # in the order in which they began
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tick = 0
        self._timer: asyncio.TimerHandle | None = None

    async def read_single(self, context: Context) -> bytes:
        """Return the only message of a call. Raises MalformedMessage or MessageTimeout."""
        raw = await self.read_next(context)
        if raw is None:
            # A caller who hangs up looks like this too, a moment before the cancel comes.
            await asyncio.sleep(0)
            raise MalformedMessage("it has no message, or one that is cut off")
        return raw

    async def read_next(self, context: Context) -> bytes | None:
        """Return the next message of a call, None at the end. Raises MessageTimeout."""
        if self._free_slots:
            self._free_slots -= 1
        else:
            await self._wait_for_slot()
        loop = asyncio.get_running_loop()
        read = PendingRead(self._tick, loop.create_future())
        self._pending[read] = None
        read.task = loop.create_task(self._read(context, read))
        if self._timer is None:
            self._schedule_check()
        raw = await read.message
        return None if raw is grpc.aio.EOF else raw

    async def _read(self, context: Context, read: PendingRead) -> None:
        """Hand the message over; when its call was cut off or has left, drop it."""
        try:
            raw = await context.read()
        except Exception as error:  # noqa: BLE001  # it is for the call
            if not read.message.done():
                read.message.set_exception(error)
        else:
            if not read.message.done():
                read.message.set_result(raw)
        finally:
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
        """Wait for the place of a read that ends; its limits are the limit of this wait."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release_slot()  # it was given to a caller who has left
            raise

    def _release_slot(self) -> None:
        """Give a place to who has waited longest: it is taken until they read, a turn later."""
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                turn.set_result(None)
                return
        self._free_slots += 1

    def _schedule_check(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK.total_seconds(), self._cut_off_late_reads)

    def _cut_off_late_reads(self) -> None:
        """Cut off the reads that are too many to be slow, and each that has had its time."""
        self._tick += 1
        self._timer = None
        slow = [*takewhile(lambda each: self._ticks(each) >= SLOW_TICKS, self._pending)]
        too_long = [*takewhile(lambda each: self._ticks(each) >= self._max_ticks, slow)]
        over = max(0, len(slow) - len(too_long) - self._max_slow)
        rest = slow[len(too_long) :]
        patient = sum(self._ticks(each) > SLOW_READ_GRACE // TICK for each in rest[:over])
        for read in (*too_long, *rest[:patient], *rest[len(rest) - (over - patient) :]):
            self._cut_off(read)
        if self._pending:
            self._schedule_check()

    def _cut_off(self, read: PendingRead) -> None:
        if read.has_arrived():
            return
        if not read.message.done():
            read.message.set_exception(MessageTimeout(self._ticks(read) * TICK))
        self._end(read)

    def _ticks(self, read: PendingRead) -> int:
        return self._tick - read.start_tick


def create_health_read_limiter() -> ReadLimiter:
    """Return Reads for calls about health: they are short, and wait for no flood of others."""
    return ReadLimiter(max_reads=8, max_slow=4, longest=timedelta(seconds=2))
