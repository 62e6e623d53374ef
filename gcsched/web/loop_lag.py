"""Measure how late the event loop is: all mails and calls are as late as it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

MEASURE_INTERVAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag:
    observe: Callable[[float], None]

    async def run(self, stop: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not stop.is_set():
            # A plain sleep: waiting for *stop* would measure its own machinery, too.
            until = clock() + MEASURE_INTERVAL_SECONDS
            await asyncio.sleep(MEASURE_INTERVAL_SECONDS)
            self.observe(max(0.0, clock() - until))
