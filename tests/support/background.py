"""Run a loop in the background of a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

MAX_TEST_SECONDS = 20
MAX_STOP_SECONDS = 8  # a pool of ARQ workers alone waits 5 s for a silent Redis


@asynccontextmanager
async def in_background(
    loop: Callable[[asyncio.Event], Awaitable[None]],
) -> AsyncIterator[asyncio.Event]:
    """Run *loop* during the block, then stop it; fail if it hangs."""
    stop = asyncio.Event()

    async def run() -> None:
        await loop(stop)

    task = asyncio.create_task(run(), name="loop under test")
    await asyncio.sleep(0)  # it has started before anything can stop it
    try:
        async with asyncio.timeout(MAX_TEST_SECONDS):
            yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, MAX_STOP_SECONDS)
