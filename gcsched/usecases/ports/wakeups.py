"""Ports of wake-ups: the clock, and the queue that wakes a process at a second."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

Clock = Callable[[], datetime]


class WakeUpQueue(Protocol):
    """The queue of wake-ups that all processes share."""

    async def enqueue(self, second: int) -> None:
        """Enqueue a wake-up at Unix *second*; repeating it has no effect."""

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        """Return those of *seconds* for which the queue holds no wake-up."""
