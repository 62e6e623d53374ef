"""Group commit: callers who arrive while a write is under way share the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

from gcsched.errors import Overloaded

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Group(Generic[Item, Answer]):
    """Carry many callers' items to *write* in as few calls as their arrival allows.

    A lone caller never waits for company; after a write that was shared, the next one lingers
    for *linger*, so that its company can arrive. The write belongs to no caller: one who is
    cancelled takes nothing along.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int = 500,
        waiting: int = 10_000,
        linger: timedelta = timedelta(0),
    ) -> None:
        self._write = write
        self._most = most
        self._waiting = waiting
        self._linger = linger.total_seconds()
        self._items: list[tuple[Item, asyncio.Future[Answer]]] = []
        self._arrived = asyncio.Event()

    async def ask(self, item: Item) -> Answer:
        """Give the answer to *item*; raises what the write raised, or Overloaded."""
        if len(self._items) >= self._waiting:
            raise Overloaded(len(self._items))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._items.append((item, answer))
        self._arrived.set()
        return await answer

    async def run(self, stop: asyncio.Event) -> None:
        """Write until *stop* is set and nobody waits any more."""
        async with asyncio.TaskGroup() as tasks:
            waker = tasks.create_task(self._wake_on(stop), name="group stop")
            shared = False
            while self._items or not stop.is_set():
                await self._arrived.wait()
                await asyncio.sleep(self._linger if shared else 0)
                shared = await self._write_next() > 1
                if not self._items and not stop.is_set():
                    self._arrived.clear()
            waker.cancel()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._arrived.set()

    async def _write_next(self) -> int:
        batch, self._items = self._items[: self._most], self._items[self._most :]
        batch = [(item, answer) for item, answer in batch if not answer.done()]
        if not batch:
            return 0
        try:
            answers = await self._write([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  # it is each caller's, not this loop's
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for (_, answer), value in zip(batch, answers, strict=True):
                if not answer.done():
                    answer.set_result(value)
        return len(batch)
