"""Read the messages of calls: so many at a time, and none without a limit.

While a read is pending, gRPC takes up to 4 MiB of a message that may never end; of a message that
is not read it takes the first 16 KiB. So these limits decide how much memory senders can fill.
"""

import asyncio
from collections import deque
from datetime import timedelta
from itertools import takewhile
from typing import Any, TypeAlias, cast

import grpc

from gcsched.errors import MalformedMessage, MessageLate

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Task: TypeAlias = "asyncio.Task[Any]"

TICK = timedelta(milliseconds=10)
# Ticks are turns of the loop too, at least: in so many, what has arrived already is read, also when
# calls have piled up before a process that stood still.
SLOW_TICKS = 10
PATIENCE = timedelta(seconds=1)
LONGEST_READ = timedelta(seconds=10)


class Reads:
    """At most *at_once* reads, of which *slow* may last longer than a moment, and none *longest*.

    Where more are slow, those that are so for over a second make room, then the newest are cut
    off: a batch that is arriving is not given up for the next one. A tick counts their time, not a
    clock: a loop that lags makes no caller late.
    """

    def __init__(
        self, *, at_once: int = 64, slow: int = 12, longest: timedelta = LONGEST_READ
    ) -> None:
        self._room = at_once
        self._most_slow = slow
        self._longest_ticks = longest // TICK
        self._since: dict[Task, int] = {}  # in the order in which they began
        self._late: dict[Task, timedelta] = {}
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
        task = cast("Task", asyncio.current_task())
        self._since[task] = self._tick
        if self._timer is None:
            self._look_later()
        try:
            raw = await context.read()
        except asyncio.CancelledError:
            if (waited := self._late.pop(task, None)) is None:
                raise
            task.uncancel()
            raise MessageLate(waited) from None
        finally:
            del self._since[task]
            if self._waiting:
                self._pass_place_on()
            else:
                self._room += 1
        return None if raw is grpc.aio.EOF else raw

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
        slow = [*takewhile(lambda each: self._ticks(each) >= SLOW_TICKS, self._since)]
        too_long = [*takewhile(lambda each: self._ticks(each) >= self._longest_ticks, slow)]
        over = max(0, len(slow) - len(too_long) - self._most_slow)
        rest = slow[len(too_long) :]
        patient = sum(self._ticks(each) > PATIENCE // TICK for each in rest[:over])
        for task in (*too_long, *rest[:patient], *rest[len(rest) - (over - patient) :]):
            self._cut_off(task)
        if self._since:
            self._look_later()

    def _cut_off(self, task: Task) -> None:
        if task not in self._late and not has_arrived(task):
            self._late[task] = self._ticks(task) * TICK
            task.cancel()

    def _ticks(self, task: Task) -> int:
        return self._tick - self._since[task]


def health_reads() -> Reads:
    """Return Reads for calls about health: they are short, and wait for no flood of others."""
    return Reads(at_once=8, slow=4, longest=timedelta(seconds=2))


def has_arrived(task: Task) -> bool:
    """Tell whether what *task* awaits is there, and *task* only not awake yet.

    A cancel would win all the same: the message were lost, and gRPC's buffer of it never freed.
    """
    waiter = getattr(task, "_fut_waiter", None)  # of all tasks; asyncio itself reads it elsewhere
    return waiter is not None and waiter.done()
