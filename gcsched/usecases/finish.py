"""Finish what must not be left half done, although we are cancelled meanwhile."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T], *, within: timedelta) -> T:
    """Await *work* even through cancellation, at most *within*; then let the cancellation go on.

    Raises TimeoutError, with the work cancelled, when it takes longer.
    """
    task, cancelled = asyncio.ensure_future(work), None
    clock = asyncio.get_running_loop().time
    until = clock() + within.total_seconds()
    while not task.done() and (left := until - clock()) > 0:
        try:
            await asyncio.wait({task}, timeout=left)
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if cancelled is not None:
        raise cancelled
    if task.cancelled():
        raise TimeoutError
    return task.result()
