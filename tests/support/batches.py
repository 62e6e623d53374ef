"""A group whose writes a test can observe and hold."""

import asyncio
from collections.abc import Sequence

from gcsched.errors import StoreUnavailable
from gcsched.usecases.batching import GroupCommit
from tests.support.wait import until


class DoublingWriter:
    """Doubles each number; a closed gate holds a write, *failing* numbers fail it."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: set[int] = set()

    async def write(self, numbers: Sequence[int]) -> list[int]:
        self.groups.append(list(numbers))
        await self.gate.wait()
        if self.failing.intersection(numbers):
            raise StoreUnavailable("storing the numbers")
        return [number * 2 for number in numbers]


def submit_each(group: GroupCommit[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    return [asyncio.create_task(group.submit(number)) for number in numbers]


async def submit_during_write(
    group: GroupCommit[int, int], writer: DoublingWriter, *numbers: int
) -> list[asyncio.Task[int]]:
    """Submit 1, and *numbers* while 1 is being written; the gate stays closed."""
    writer.gate.clear()
    first = submit_each(group, 1)
    await until(lambda: writer.groups == [[1]])
    others = submit_each(group, *numbers)
    await asyncio.sleep(0)
    return first + others
