"""Measures how late the event loop is: it delays all mails and calls."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

MEASURE_INTERVAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopLag:
    """Passes the lag to *observe* every 50 ms."""

    observe: Callable[[float], None]

    async def run(self, stop: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not stop.is_set():
            # A plain sleep: a wait for *stop* would add its own overhead to the lag.
            until = clock() + MEASURE_INTERVAL_SECONDS
            await asyncio.sleep(MEASURE_INTERVAL_SECONDS)
            self.observe(max(0.0, clock() - until))
