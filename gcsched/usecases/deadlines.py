"""Time out many futures by one timer."""

import asyncio
import math
import time
from typing import Any

POLL_INTERVAL_SECONDS = 0.01


class Deadlines:
    """Let each future fail with TimeoutError at its own ``time.monotonic()``.

    A timer for each costs 3 to 5 µs, a tenth of what else a call takes here. Nearly all are done
    before their time, and the next one to look at is nearly always a later one. Each look goes
    through all, so those that end within 10 ms end together.
    """

    def __init__(self) -> None:
        self._until: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = math.inf

    def set(self, future: asyncio.Future[Any], until: float) -> None:
        self._until[future] = until
        if until < self._next:
            self._wake_at(until)

    def drop(self, future: asyncio.Future[Any]) -> None:
        """Forget *future*; one that has no deadline is ignored."""
        self._until.pop(future, None)

    def _wake_at(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = until
        wait = max(0.0, until - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._expire)

    def _expire(self) -> None:
        self._timer, self._next = None, math.inf
        now = time.monotonic()
        over = [future for future, until in self._until.items() if until <= now]
        for future in over:
            del self._until[future]
            if not future.done():
                future.set_exception(TimeoutError())
        if self._until:
            self._wake_at(max(min(self._until.values()), now + POLL_INTERVAL_SECONDS))
