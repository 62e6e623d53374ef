"""Wake-up queues without Redis, and a nudge that counts."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from gcsched.errors import RedisUnavailable
from tests.support.builders import NOW


class FakeWakeUpQueue:
    """Records what it took. It can refuse, and it can be silent: then no call is answered."""

    def __init__(self) -> None:
        self.tried: list[int] = []
        self.enqueued: list[int] = []
        self.is_refusing = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def enqueue(self, second: int) -> None:
        self.tried.append(second)
        await self.answers.wait()
        if self.is_refusing:
            raise RedisUnavailable("enqueuing a wake-up", "connection refused")
        self.enqueued.append(second)

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        if self.is_refusing:
            raise RedisUnavailable("looking for wake-ups", "connection refused")
        return set(seconds).difference(self.enqueued)


class NoWakeUpQueue:
    """A queue that loses every wake-up: only local nudges and sweeps remain."""

    async def enqueue(self, second: int) -> None:
        del second

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        return set(seconds)


class Nudges:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


IN_20_MS = NOW - timedelta(milliseconds=20)
"""A time 20 ms before the second NOON."""


def seconds_since(started: float) -> float:
    return asyncio.get_running_loop().time() - started
