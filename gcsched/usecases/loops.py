"""Do something at once and then again and again, until told to stop."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from gcsched.usecases.finish import cancel_until_done


async def periodically(
    act: Callable[[], Awaitable[None]], *, every: timedelta, stop: asyncio.Event
) -> None:
    """Call *act* with pauses of *every*; what is under way at *stop* is cancelled."""

    async def again_and_again() -> None:
        while True:
            await act()
            await asyncio.sleep(every.total_seconds())

    async with asyncio.TaskGroup() as tasks:
        acting = tasks.create_task(again_and_again(), name="periodically")
        await stop.wait()
        await cancel_until_done({acting})
