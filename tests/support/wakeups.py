"""Bells without Redis, and a nudge that counts."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from gcsched.errors import RedisUnavailable
from tests.support.builders import NOW


class FakeWakeUpQueue:
    """Keeps what it took. It can refuse, and it can be silent: then nobody gets an answer."""

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
    """Rings for no process: the ringer nudges its own, and the sweep finds all bells missing."""

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
"""A present whose next second, NOON, is 20 ms away."""


def seconds_since(started: float) -> float:
    return asyncio.get_running_loop().time() - started
