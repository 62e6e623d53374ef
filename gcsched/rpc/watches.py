"""Give watches of health their places: no client may take those of all others."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from gcsched.errors import Overloaded

MOST_WATCHES = 1_000  # some 30 KB each
MOST_ENDING = 1_000  # their callers read nothing, and so not how it ended
MOST_OF_A_CONNECTION = 16  # a client has one for each service on each of its connections


@dataclass(slots=True, eq=False)
class Place:
    """The place of one watch, and the task that has it."""

    task: asyncio.Task[Any]
    is_ending: bool = False

    def end(self) -> None:
        self.is_ending = True
        self.task.cancel()

    def is_to_make_room(self) -> bool:
        """Tell whether the cancel that came is that of `end` alone, and take it back if so."""
        if not self.is_ending or self.task.cancelling() > 1:
            return False
        self.task.uncancel()
        return True


class Watches:
    """At most *most*, where the oldest ends for the newest, and *of_a_connection* of each."""

    def __init__(
        self, *, most: int = MOST_WATCHES, of_a_connection: int = MOST_OF_A_CONNECTION
    ) -> None:
        self._most = most
        self._most_of_a_connection = of_a_connection
        self._of_connection: Counter[str] = Counter()
        self._open: dict[Place, None] = {}  # the oldest first
        self._count = 0  # with those that are ending

    @contextmanager
    def place(self, peer: str) -> Iterator[Place]:
        """Hold a place for the current task. Raises Overloaded if *peer* has too many."""
        if self._of_connection[peer] >= self._most_of_a_connection:
            raise Overloaded(self._of_connection[peer])
        if self._count >= self._most + MOST_ENDING:
            raise Overloaded(self._count)
        self._make_room()
        place = Place(cast("asyncio.Task[Any]", asyncio.current_task()))
        self._open[place] = None
        self._of_connection[peer] += 1
        self._count += 1
        try:
            yield place
        finally:
            self._leave(place, peer)

    def _make_room(self) -> None:
        if len(self._open) >= self._most:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.end()

    def _leave(self, place: Place, peer: str) -> None:
        self._open.pop(place, None)
        self._count -= 1
        self._of_connection[peer] -= 1
        if not self._of_connection[peer]:
            del self._of_connection[peer]
