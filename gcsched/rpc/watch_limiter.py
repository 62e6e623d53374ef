"""Give watches of health their places: no client may take those of all others."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from gcsched.errors import Overloaded

MAX_WATCHES = 1_000  # some 30 KB each
MAX_EVICTED_WATCHES = 1_000  # their callers read nothing, and so not how it ended
MAX_WATCHES_PER_CONNECTION = 16  # a client has one for each service on each of its connections


@dataclass(slots=True, eq=False)
class WatchSlot:
    """The place of one watch, and the task that has it."""

    task: asyncio.Task[Any]
    is_evicted: bool = False

    def evict(self) -> None:
        self.is_evicted = True
        self.task.cancel()

    def consume_eviction(self) -> bool:
        """Tell whether the cancel that came is that of `evict` alone, and take it back if so."""
        if not self.is_evicted or self.task.cancelling() > 1:
            return False
        self.task.uncancel()
        return True


class WatchLimiter:
    """At most *max_watches*, where the oldest ends for the newest, and *per_connection* of each."""

    def __init__(
        self, *, max_watches: int = MAX_WATCHES, per_connection: int = MAX_WATCHES_PER_CONNECTION
    ) -> None:
        self._max_watches = max_watches
        self._max_per_connection = per_connection
        self._count_by_peer: Counter[str] = Counter()
        self._open: dict[WatchSlot, None] = {}  # the oldest first
        self._count = 0  # with those that are ending

    @contextmanager
    def slot(self, peer: str) -> Iterator[WatchSlot]:
        """Hold a place for the current task. Raises Overloaded if *peer* has too many."""
        if self._count_by_peer[peer] >= self._max_per_connection:
            raise Overloaded(self._count_by_peer[peer])
        if self._count >= self._max_watches + MAX_EVICTED_WATCHES:
            raise Overloaded(self._count)
        self._evict_oldest_if_full()
        place = WatchSlot(cast("asyncio.Task[Any]", asyncio.current_task()))
        self._open[place] = None
        self._count_by_peer[peer] += 1
        self._count += 1
        try:
            yield place
        finally:
            self._release(place, peer)

    def _evict_oldest_if_full(self) -> None:
        if len(self._open) >= self._max_watches:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.evict()

    def _release(self, place: WatchSlot, peer: str) -> None:
        self._open.pop(place, None)
        self._count -= 1
        self._count_by_peer[peer] -= 1
        if not self._count_by_peer[peer]:
            del self._count_by_peer[peer]
