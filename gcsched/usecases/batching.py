"""Group commit: callers who arrive while a write is under way share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Generic, TypeVar

from gcsched.errors import GcschedError, Overloaded, Stopping
from gcsched.usecases.deadlines import Deadlines
from gcsched.usecases.loops import flush_until

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Carry many callers' items to *write* in as few calls as their arrival allows.

    A lone caller never waits for company; when several came while a write was under way, the
    next one lingers for *linger*, so that more can join. The write belongs to no caller: one who
    is cancelled takes nothing along. At most *max_waiting* items wait, those in the write under way
    and those for the next one, or one caller's however many they are; who gives up makes room at
    once.
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
        """Count the callers whose items are in no write yet."""
        return len(self._items)

    async def submit(self, item: Item, *, deadline: float | None = None) -> Result:
        """Return the answer to *item*.

        Raises what the write raised, Overloaded or Stopping, and TimeoutError when there is none
        *deadline* that ``time.monotonic()``.
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
        """Give the answer to each of *items*, or our error instead; raises Overloaded, Stopping.

        They go into the same write, as far as that takes so many.
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
                    answer.exception()  # it is heard, even if nobody is left to be told

    def check_room(self, count: int = 1) -> None:
        """Raise what asking for *count* items would raise now, before any work is put into one."""
        if self._is_closed:
            raise Stopping
        # What is more than all places is let in alone: refused, it would never get in.
        if self._pending and self._pending + count > self._max_waiting:
            raise Overloaded(self._pending)

    async def run(self, stop: asyncio.Event) -> None:
        """Write until *stop* is set and nobody waits; whoever still waits at a cut hears so."""
        try:
            await flush_until(
                stop, self._flush, requested=self._has_items, is_left=lambda: bool(self._items)
            )
        finally:
            self._is_closed = True
            fail_pending(self._items)
            self._items.clear()

    async def _flush(self) -> None:
        await asyncio.sleep(self._linger if self._is_busy else 0)
        await self._write_next()
        self._is_busy = len(self._items) > 1
        if self._items:
            self._has_items.set()
        else:
            self._has_items.clear()  # those who came while it lingered had their part in the write

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
        except Exception as error:  # noqa: BLE001  # it is each caller's, not this loop's
            for answer, _ in batch:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (answer, _), value in zip(batch, answers, strict=True):
                if not answer.done():
                    answer.set_result(value)
        finally:
            fail_pending(answer for answer, _ in batch)


def fail_pending(answers: Iterable[asyncio.Future[Result]]) -> None:
    """Tell those who have no answer yet that they get none here."""
    for answer in answers:
        if not answer.done():
            answer.set_exception(Stopping())
