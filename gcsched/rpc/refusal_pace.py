"""Slows refusals down when there are many, so that they do not crowd out the calls of others."""

import asyncio
import time
from collections.abc import Callable

PER_SECOND = 500
BURST_SECONDS = 1.0
MAX_WAIT_SECONDS = 10.0
MAX_WAITING = 4_000  # some 25 KB each in gRPC; as many as 20 connections may have at once


class RefusalPace:
    """Answers refusals at once up to a rate; each one beyond it waits for its turn.

    A refusal costs as much CPU as an empty call, so those of one caller could take all of it. While
    a call waits it costs nothing, and it counts among those that its connection may have at once:
    a caller that floods the service waits for its own refusals.
    """

    def __init__(
        self, *, max_waiting: int = MAX_WAITING, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_waiting = max_waiting
        self._clock = clock
        self._last_turn = -BURST_SECONDS
        self._waiting: set[asyncio.Future[None]] = set()
        self._is_stopped = False

    @property
    def waiting(self) -> int:
        """How many refusals wait for their turn."""
        return len(self._waiting)

    async def wait_for_turn(self) -> None:
        """Wait until a refusal may be answered, 10 s at most; not at all once too many wait."""
        if self._is_stopped or not (seconds := self.take_turn()):
            return
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.add(turn)
        timer = loop.call_later(seconds, release, turn)
        try:
            await turn
        finally:
            timer.cancel()
            self._waiting.discard(turn)

    def stop(self) -> None:
        """Let every refusal go that waits, and all later ones: the service stops."""
        self._is_stopped = True
        for turn in self._waiting:
            release(turn)

    def take_turn(self) -> float:
        """Take the next turn; return the seconds until then, 0 for now."""
        now = self._clock()
        turn = max(self._last_turn, now - BURST_SECONDS) + 1 / PER_SECOND
        if turn > now and len(self._waiting) >= self._max_waiting:
            return 0.0  # more of them would take too much memory
        self._last_turn = min(turn, now + MAX_WAIT_SECONDS)
        return max(0.0, self._last_turn - now)


def release(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
