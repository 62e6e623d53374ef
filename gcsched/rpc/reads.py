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

from gcsched.errors import MalformedMessage, MessageLate
from gcsched.rpc.call import Context

TICK = timedelta(milliseconds=10)
# Ticks are turns of the loop too, at least: in so many, what has arrived already is read, also when
# calls have piled up before a process that stood still.
SLOW_TICKS = 10
PATIENCE = timedelta(seconds=1)
LONGEST_READ = timedelta(seconds=10)


@dataclass(slots=True, eq=False)
class Read:
    """A read that began at tick *since*; its call awaits *message*, which may come to an end first.

    *task* is never cancelled: a message that gRPC has at that moment would never be freed. It ends
    with its call, soon after the answer.
    """

    since: int
    message: asyncio.Future[Any]
    task: asyncio.Task[None] | None = field(default=None)

    def has_arrived(self) -> bool:
        """Tell whether the message is there, and the task that awaits it only not awake yet."""
        waiter = getattr(self.task, "_fut_waiter", None)  # all tasks have it; asyncio reads it too
        return waiter is not None and waiter.done()


class Reads:
    """At most *at_once* reads, of which *slow* may last longer than a moment, and none *longest*.

    Where more are slow, those that are so for over a second make room, then the newest are cut
    off: a batch that is arriving is not given up for the next one. A tick counts their time, not a
    clock: a loop that lags makes no caller late.
    """

    def __init__(
        self, *, at_once: int = 32, slow: int = 12, longest: timedelta = LONGEST_READ
    ) -> None:
        self._room = at_once
        self._most_slow = slow
        self._longest_ticks = longest // TICK
        self._under_way: dict[Read, None] = {}  # in the order in which they began
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._tick = 0
        self._timer: asyncio.TimerHandle | None = None

    async def only(self, context: Context) -> bytes:
        """Return the only message of a call. Raises MalformedMessage or MessageLate."""
        raw = await self.next(context)
        if raw is None:
            # A caller who hangs up looks like this too, a moment before the cancel comes.
            await asyncio.sleep(0)
            raise MalformedMessage("it has no message, or one that is cut off")
        return raw

    async def next(self, context: Context) -> bytes | None:
        """Return the next message of a call, None at the end. Raises MessageLate."""
        if self._room:
            self._room -= 1
        else:
            await self._turn()
        loop = asyncio.get_running_loop()
        read = Read(self._tick, loop.create_future())
        self._under_way[read] = None
        read.task = loop.create_task(self._read(context, read))
        if self._timer is None:
            self._look_later()
        raw = await read.message
        return None if raw is grpc.aio.EOF else raw

    async def _read(self, context: Context, read: Read) -> None:
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

    def _end(self, read: Read) -> None:
        if read not in self._under_way:
            return  # it was cut off
        del self._under_way[read]
        if self._waiting:
            self._pass_place_on()
        else:
            self._room += 1

    async def _turn(self) -> None:
        """Wait for the place of a read that ends; its limits are the limit of this wait."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_place_on()  # it was given to a caller who has left
            raise

    def _pass_place_on(self) -> None:
        """Give a place to who has waited longest: it is taken until they read, a turn later."""
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                turn.set_result(None)
                return
        self._room += 1

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK.total_seconds(), self._look)

    def _look(self) -> None:
        """Cut off the reads that are too many to be slow, and each that has had its time."""
        self._tick += 1
        self._timer = None
        slow = [*takewhile(lambda each: self._ticks(each) >= SLOW_TICKS, self._under_way)]
        too_long = [*takewhile(lambda each: self._ticks(each) >= self._longest_ticks, slow)]
        over = max(0, len(slow) - len(too_long) - self._most_slow)
        rest = slow[len(too_long) :]
        patient = sum(self._ticks(each) > PATIENCE // TICK for each in rest[:over])
        for read in (*too_long, *rest[:patient], *rest[len(rest) - (over - patient) :]):
            self._cut_off(read)
        if self._under_way:
            self._look_later()

    def _cut_off(self, read: Read) -> None:
        if read.has_arrived():
            return
        if not read.message.done():
            read.message.set_exception(MessageLate(self._ticks(read) * TICK))
        self._end(read)

    def _ticks(self, read: Read) -> int:
        return self._tick - read.since


def health_reads() -> Reads:
    """Return Reads for calls about health: they are short, and wait for no flood of others."""
    return Reads(at_once=8, slow=4, longest=timedelta(seconds=2))
