"""Give way to others of the event loop by time: a request's content decides how long it takes."""

import asyncio
import time
from collections import deque
from datetime import timedelta

MAX_HOLD = timedelta(milliseconds=5)


class LoopShare:
    """Share *longest* of each turn of the event loop among all who work on requests.

    A pause after so many requests would not do: one may take a thousand times as long as another,
    and two hundred callers may work in the same turn. Those who wait are let in one by one, in the
    order in which they came.
    """

    def __init__(self, longest: timedelta = MAX_HOLD) -> None:
        self._longest = longest.total_seconds()
        self._until = 0.0  # of the turn under way; 0: nobody has worked in it yet
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Count those who wait for a turn, and those who have left since the last one."""
        return len(self._waiting)

    def is_used_up(self) -> bool:
        """Tell whether to *wait* before more work; a look costs less than a wait."""
        return time.perf_counter() >= self._until

    async def wait(self) -> None:
        """Return at once if nobody has worked in this turn of the loop, else in one of the next."""
        if not self._until:
            self._begin_turn()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _begin_turn(self) -> None:
        self._until = time.perf_counter() + self._longest
        asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                self._begin_turn()
                turn.set_result(None)
                return
        self._until = 0.0
