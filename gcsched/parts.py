"""Named loops that run side by side and stop one after the other, last started first."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

LEAST = timedelta(seconds=1)

Loop = Callable[[asyncio.Event], Awaitable[None]]
NamedLoop = tuple[str, Loop]


class Parts:
    """Start loops in *tasks*; a loop that breaks ends them all, as a TaskGroup does."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._running: list[tuple[asyncio.Task[None], asyncio.Event]] = []

    def start(self, name: str, loop: Loop) -> None:
        stop = asyncio.Event()

        async def run() -> None:
            await loop(stop)

        self._running.append((self._tasks.create_task(run(), name=name), stop))

    async def stop_last(self, *, within: timedelta) -> None:
        """Ask the loop that was started last to stop; cut it off when it takes too long."""
        task, stop = self._running.pop()
        stop.set()
        _, late = await asyncio.wait({task}, timeout=within.total_seconds())
        if late:
            structlog.get_logger().warning("part cut off", part=task.get_name())
            task.cancel()
            await asyncio.wait({task})

    async def stop(self, *, within: timedelta) -> None:
        """Stop one after the other, *within* this time for all; each gets a second at least."""
        clock = asyncio.get_running_loop().time
        until = clock() + within.total_seconds()
        while self._running:
            left = timedelta(seconds=until - clock())
            await self.stop_last(within=max(left, LEAST))
