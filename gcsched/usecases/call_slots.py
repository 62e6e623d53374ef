"""Limit how many calls work at the same time, and how many more wait for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from gcsched.errors import Overloaded, StoreUnavailable

MAX_CONCURRENT = 8
MAX_WAITING = 4_000


class CallSlots:
    """Lets *max_concurrent* calls work at the same time and *max_waiting* more wait."""

    def __init__(
        self, *, max_concurrent: int = MAX_CONCURRENT, max_waiting: int = MAX_WAITING
    ) -> None:
        self._slots = asyncio.Semaphore(max_concurrent)
        self._max_admitted = max_concurrent + max_waiting
        self._admitted = 0

    @asynccontextmanager
    async def slot(self, within: timedelta) -> AsyncIterator[None]:
        """Wait for a slot and hold it while the block lasts.

        Raises Overloaded when too many calls wait already, and StoreUnavailable when no slot is
        free *within* that time.
        """
        # Refused at once: a queue without a limit would hold memory for calls that time out anyway.
        if self._admitted >= self._max_admitted:
            raise Overloaded(self._admitted)
        self._admitted += 1
        try:
            try:
                async with asyncio.timeout(within.total_seconds()):
                    await self._slots.acquire()
            except TimeoutError as error:
                raise StoreUnavailable("waiting for a free slot") from error
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._admitted -= 1
