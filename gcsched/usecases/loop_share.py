"""A time budget for work on the event loop: the content of a request decides how long it takes."""

import asyncio
import time
from collections import deque
from datetime import timedelta

MAX_HOLD = timedelta(milliseconds=5)


class LoopShare:
    """Shares *max_hold* of each iteration of the event loop among all tasks that work on requests.

    A pause after a fixed number of requests is not enough: one request may take a thousand times as
    long as another, and two hundred callers may work in the same iteration. Tasks that wait are
    resumed one by one, in the order in which they came.
    """

    def __init__(self, max_hold: timedelta = MAX_HOLD) -> None:
        self._max_hold = max_hold.total_seconds()
        self._until = 0.0  # end of the current budget; 0.0: it is unused in this iteration
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Return the number of tasks that wait, including cancelled ones not removed yet."""
        return len(self._waiting)

    def is_used_up(self) -> bool:
        """Return whether the budget of this iteration is spent, or not taken yet."""
        return time.perf_counter() >= self._until

    def try_take(self) -> bool:
        """Take time of this iteration without waiting; False: the caller has to `wait` first."""
        if not self._until:
            self._begin_turn()
            return True
        return not self.is_used_up()

    async def wait(self) -> None:
        """Return at once if the budget of this iteration is unused, else in a later iteration."""
        if not self._until:
            self._begin_turn()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def _begin_turn(self) -> None:
        self._until = time.perf_counter() + self._max_hold
        asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                self._begin_turn()
                turn.set_result(None)
                return
        self._until = 0.0
