"""Group commit: callers that arrive while a write is in progress share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Generic, TypeVar

from gcsched.errors import GcschedError, Overloaded, Stopping
from gcsched.usecases.deadlines import Deadlines
from gcsched.usecases.loops import flush_until

# A write costs some 450 µs of MongoDB's CPU whatever it holds, an item in it 40 to 50 µs: from four
# more callers on, one larger write is cheaper than two, and all answers come earlier.
WORTH_WAITING_FOR = 4
MANY_WAITING = 16
MAX_LINGERS = 7

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Passes the items of many callers to *write*, in as few calls as their arrival allows.

    A single caller is written at once. When several callers arrived during a write, the next write
    waits for *linger*, so that more can join, and up to six times more while enough callers keep
    coming. The write belongs to none of its callers: cancelling one caller does not cancel the
    write. At most *max_waiting* items are pending, counting the
    write in progress and the next one. One caller with more items than that is admitted when
    nothing else is pending. A caller that is cancelled frees its place at once.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        max_batch_size: int = 500,
        max_waiting: int = 10_000,
        linger: timedelta = timedelta(0),
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._write = write
        self._max_batch_size = max_batch_size
        self._max_waiting = max_waiting
        self._linger = linger.total_seconds()
        self._on_batch = on_batch
        self._items: dict[asyncio.Future[Result], Item] = {}
        self._pending = 0
        self._deadlines = Deadlines()
        self._has_items = asyncio.Event()
        self._is_busy = False
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Return the number of items that no write has taken yet."""
        return len(self._items)

    async def submit(self, item: Item, *, deadline: float | None = None) -> Result:
        """Return the result of *item*.

        *deadline* is a ``time.monotonic()`` value; TimeoutError is raised when it passes first.
        Raises Overloaded or Stopping, or the error that the write raised.
        """
        self.check_room()
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._items[answer] = item
        self._pending += 1
        self._has_items.set()
        if deadline is not None:
            self._deadlines.set(answer, deadline)
        try:
            return await answer
        finally:
            self._pending -= 1
            self._items.pop(answer, None)
            self._deadlines.drop(answer)

    async def submit_all(self, items: Sequence[Item]) -> list[Result | GcschedError]:
        """Return for each of *items* its result or its GcschedError, in order.

        All items go into the same write as far as *max_batch_size* allows. Raises Overloaded or
        Stopping when none of them is accepted.
        """
        self.check_room(len(items))
        create_future = asyncio.get_running_loop().create_future
        items_by_answer: dict[asyncio.Future[Result], Item] = {
            create_future(): item for item in items
        }
        self._items.update(items_by_answer)
        self._pending += len(items)
        self._has_items.set()
        try:
            answers: list[Result | GcschedError] = []
            for answer in items_by_answer:
                try:
                    answers.append(await answer)
                except GcschedError as error:
                    answers.append(error)
            return answers
        finally:
            self._pending -= len(items)
            for answer in items_by_answer:
                self._items.pop(answer, None)
                if not answer.cancel() and not answer.cancelled():
                    # Retrieve the error: asyncio would log it, though the caller has left.
                    answer.exception()

    def check_room(self, count: int = 1) -> None:
        """Raise Overloaded or Stopping if *count* items would be refused now.

        Callers use it before they spend time on preparing an item.
        """
        if self._is_closed:
            raise Stopping
        # A request larger than the limit is admitted when nothing is pending: it would never fit.
        if self._pending and self._pending + count > self._max_waiting:
            raise Overloaded(self._pending)

    async def run(self, stop: asyncio.Event) -> None:
        """Write until *stop* is set and no item waits.

        If this loop is cancelled first, the callers that still wait get Stopping.
        """
        try:
            await flush_until(
                stop, self._flush, requested=self._has_items, is_left=lambda: bool(self._items)
            )
        finally:
            self._is_closed = True
            fail_pending(self._items)
            self._items.clear()

    async def _flush(self) -> None:
        await (self._wait_for_more() if self._is_busy else asyncio.sleep(0))
        await self._write_next()
        self._is_busy = len(self._items) > 1
        if self._items:
            self._has_items.set()
        else:
            self._has_items.clear()  # items that arrived while it lingered were in this write

    async def _wait_for_more(self) -> None:
        """Linger once, and on while each time *WORTH_WAITING_FOR* more callers have come.

        Where *MANY_WAITING* wait already, it goes on after one pause without them: the callers of
        the last write have just got their answers, and come back together.
        """
        pauses = 0
        for _ in range(MAX_LINGERS):
            before = len(self._items)
            await asyncio.sleep(self._linger)
            waiting = len(self._items)
            pauses = 0 if waiting - before >= WORTH_WAITING_FOR else pauses + 1
            if pauses > (waiting >= MANY_WAITING) or waiting >= self._max_batch_size:
                return

    async def _write_next(self) -> None:
        batch = [
            each for each in islice(self._items.items(), self._max_batch_size) if not each[0].done()
        ]
        for answer, _ in batch:
            del self._items[answer]
        if not batch:
            return
        self._on_batch(len(batch))
        try:
            answers = await self._write([item for _, item in batch])
        except Exception as error:  # noqa: BLE001  # raised in each caller; the loop goes on
            for answer, _ in batch:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (answer, _), value in zip(batch, answers, strict=True):
                if not answer.done():
                    answer.set_result(value)
        finally:
            # The write was cancelled: without this its callers would wait forever.
            fail_pending(answer for answer, _ in batch)


def fail_pending(answers: Iterable[asyncio.Future[Result]]) -> None:
    """Raise Stopping in the callers of *answers* that have no result yet."""
    for answer in answers:
        if not answer.done():
            answer.set_exception(Stopping())
