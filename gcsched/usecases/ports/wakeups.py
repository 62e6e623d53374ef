"""What wake-ups need: the time, and a way to wake a process."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

Clock = Callable[[], datetime]


class WakeUpQueue(Protocol):
    async def enqueue(self, second: int) -> None:
        """Wake some process at Unix *second*, once however often it is asked."""

    async def find_missing(self, seconds: Collection[int]) -> Collection[int]:
        """Give those of *seconds* at which nobody would be woken."""
