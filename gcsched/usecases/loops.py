"""The ways to wait in a loop that a *stop* ends: pause, repeat, or flush what was collected.

None uses asyncio.wait_for: up to Python 3.11 it may overhear a cancel that comes as the awaited
future is done, and the loop would run on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from gcsched.usecases.finish import cancel_until_done


async def sleep_unless(event: asyncio.Event, seconds: float) -> None:
    """Return after *seconds*, or as soon as *event* is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def periodically(
    act: Callable[[], Awaitable[None]], *, every: timedelta, stop: asyncio.Event
) -> None:
    """Call *act* with pauses of *every*; what is under way at *stop* is cancelled."""

    async def again_and_again() -> None:
        while True:
            await act()
            await asyncio.sleep(every.total_seconds())

    await run_until(stop, again_and_again(), name="periodically")


async def run_until(stop: asyncio.Event, work: Coroutine[None, None, None], *, name: str) -> None:
    """Run *work*, which does not end by itself, and cancel it at *stop*."""
    async with asyncio.TaskGroup() as tasks:
        working = tasks.create_task(work, name=name)
        await stop.wait()
        await cancel_until_done({working})


def nothing_left() -> bool:
    """Return False: the *is_left* of a loop that drops at the stop what it has not flushed."""
    return False


async def flush_until(
    stop: asyncio.Event,
    flush: Callable[[], Awaitable[None]],
    *,
    asked: asyncio.Event,
    is_left: Callable[[], bool] = nothing_left,
) -> None:
    """Call *flush* each time *asked* is set, until *stop* is set and nothing *is_left*.

    *asked* is cleared before each flush, so one that is asked for meanwhile is not missed. A loop
    that is idle at the stop flushes once more. How long draining may take is for the caller to
    limit.
    """
    async with waking(asked, on=stop):
        while is_left() or not stop.is_set():
            await asked.wait()
            if not stop.is_set():  # else nobody sets it again, and what is left would wait for ever
                asked.clear()
            await flush()


@asynccontextmanager
async def waking(event: asyncio.Event, *, on: asyncio.Event) -> AsyncIterator[None]:
    """Set *event* as soon as *on* is set, while the block runs: so one wait serves both."""

    async def wake() -> None:
        await on.wait()
        event.set()

    async with asyncio.TaskGroup() as tasks:
        waker = tasks.create_task(wake(), name="waker")
        yield
        waker.cancel()
