"""Delays refusals when there are many, so that they do not crowd out the calls of others."""

import asyncio
import random
import time
from collections.abc import Callable

from gcsched.domain.token_bucket import Bucket, RateLimit

AT_ONCE = RateLimit(per_second=200, burst=200)
DELAY_SECONDS = 60.0
MAX_WAITING = 4_000  # some 25 KB each in gRPC; as many as 20 connections may have at once


class RefusalDelay:
    """Leaves *at_once* refusals alone; each one beyond waits *delay_seconds* on average.

    A refusal costs as much CPU as an empty call, so those of one caller could take all of it. While
    a call waits it costs nothing, and it counts among those that its connection may have at once:
    a caller that floods the service waits for its own refusals. No more than *max_waiting* wait,
    because of their memory; those beyond go at once.
    """

    def __init__(
        self,
        *,
        at_once: RateLimit = AT_ONCE,
        delay_seconds: float = DELAY_SECONDS,
        max_waiting: int = MAX_WAITING,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._at_once = at_once
        self._delay_seconds = delay_seconds
        self._max_waiting = max_waiting
        self._chance = chance
        self._bucket = Bucket()
        self._waiting: set[asyncio.Future[None]] = set()
        self._is_stopped = False

    @property
    def waiting(self) -> int:
        """How many refusals wait."""
        return len(self._waiting)

    async def wait(self) -> None:
        """Return when a refusal may be answered."""
        if self._is_stopped or self._may_go() or len(self._waiting) >= self._max_waiting:
            return
        loop = asyncio.get_running_loop()
        end: asyncio.Future[None] = loop.create_future()
        self._waiting.add(end)
        # Drawn at random, or those of a burst would all end, and be sent anew, at the same moment.
        delay = (0.5 + self._chance()) * self._delay_seconds
        timer = loop.call_later(delay, release, end)
        try:
            await end
        finally:
            timer.cancel()
            self._waiting.discard(end)

    def stop(self) -> None:
        """End all waits, and let later refusals through at once: the service stops."""
        self._is_stopped = True
        for end in self._waiting:
            release(end)

    def _may_go(self) -> bool:
        self._bucket, grant = self._bucket.take(1, self._at_once, now=time.monotonic())
        return grant.count > 0


def release(end: asyncio.Future[None]) -> None:
    if not end.done():
        end.set_result(None)
