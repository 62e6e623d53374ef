"""Bells without Redis, and a nudge that counts."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from gcsched.errors import BellUnavailable
from tests.support.builders import NOW


class ToyBell:
    """Keeps what it took. It can refuse, and it can be silent: then nobody gets an answer."""

    def __init__(self) -> None:
        self.tried: list[int] = []
        self.rung: list[int] = []
        self.refuses = False
        self.speaks = asyncio.Event()
        self.speaks.set()

    async def ring(self, second: int) -> None:
        self.tried.append(second)
        await self.speaks.wait()
        if self.refuses:
            raise BellUnavailable("ringing the bell", "connection refused")
        self.rung.append(second)

    async def missing(self, seconds: Collection[int]) -> Collection[int]:
        if self.refuses:
            raise BellUnavailable("looking for what was rung", "connection refused")
        return set(seconds).difference(self.rung)


class SilentBell:
    """Rings for no process: the ringer nudges its own, and the sweep finds all bells missing."""

    async def ring(self, second: int) -> None:
        del second

    async def missing(self, seconds: Collection[int]) -> Collection[int]:
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
