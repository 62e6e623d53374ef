"""Limit the watches of health, in all and per connection."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from gcsched.errors import Overloaded

MAX_WATCHES = 1_000  # some 30 KB each
MAX_EVICTED_WATCHES = 1_000  # watches that do not end because their callers read nothing
MAX_WATCHES_PER_CONNECTION = 16  # a client opens one per service and connection


@dataclass(slots=True, eq=False)
class WatchSlot:
    """The slot of one watch, and the task that holds it."""

    task: asyncio.Task[Any]
    is_evicted: bool = False

    def evict(self) -> None:
        self.is_evicted = True
        self.task.cancel()

    def consume_eviction(self) -> bool:
        """Return whether `evict` alone cancelled the task, and if so undo that cancellation."""
        if not self.is_evicted or self.task.cancelling() > 1:
            return False
        self.task.uncancel()
        return True


class WatchLimiter:
    """Allows *max_watches*, where the oldest is closed for the newest, and *per_connection*."""

    def __init__(
        self, *, max_watches: int = MAX_WATCHES, per_connection: int = MAX_WATCHES_PER_CONNECTION
    ) -> None:
        self._max_watches = max_watches
        self._max_per_connection = per_connection
        self._count_by_peer: Counter[str] = Counter()
        self._open: dict[WatchSlot, None] = {}  # the oldest first
        self._count = 0  # including evicted ones that have not ended yet

    @contextmanager
    def slot(self, peer: str) -> Iterator[WatchSlot]:
        """Hold a slot for the current task. Raises Overloaded if *peer* has too many."""
        if self._count_by_peer[peer] >= self._max_per_connection:
            raise Overloaded(self._count_by_peer[peer])
        if self._count >= self._max_watches + MAX_EVICTED_WATCHES:
            raise Overloaded(self._count)
        self._evict_oldest_if_full()
        slot = WatchSlot(cast("asyncio.Task[Any]", asyncio.current_task()))
        self._open[slot] = None
        self._count_by_peer[peer] += 1
        self._count += 1
        try:
            yield slot
        finally:
            self._release(slot, peer)

    def _evict_oldest_if_full(self) -> None:
        if len(self._open) >= self._max_watches:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.evict()

    def _release(self, slot: WatchSlot, peer: str) -> None:
        self._open.pop(slot, None)
        self._count -= 1
        self._count_by_peer[peer] -= 1
        if not self._count_by_peer[peer]:
            del self._count_by_peer[peer]
