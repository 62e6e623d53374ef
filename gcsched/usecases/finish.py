"""Finish what must not be left half done, although we are cancelled meanwhile."""

import asyncio
from collections.abc import Collection, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from gcsched.errors import GcschedError

BETWEEN_CANCELS_SECONDS = 0.1

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
        note_failure(task)  # nobody is left who asks how it ended
        raise cancelled
    if task.cancelled():
        raise TimeoutError
    return task.result()


async def cancel_until_done(
    tasks: Collection[asyncio.Task[Any]], *, within: timedelta | None = None
) -> bool:
    """Cancel *tasks* again and again until all have ended; return False when *within* is over.

    One cancel is not enough: up to Python 3.11 asyncio.wait_for, and with it what libraries build
    upon it, may overhear a cancel that comes as the awaited future is done.
    """
    clock = asyncio.get_running_loop().time
    until = None if within is None else clock() + within.total_seconds()
    waiting = {task for task in tasks if not task.done()}
    while waiting and (until is None or clock() < until):
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=BETWEEN_CANCELS_SECONDS)
    return not waiting


def note_failure(task: asyncio.Task[Any]) -> None:
    """Take what ended *task* off asyncio's hands, which would log it as an error at any time.

    A store that is away is no news at a stop. Anything else is a defect, and is logged here.
    """
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, GcschedError | TimeoutError):
        name = task.get_name()
        structlog.get_logger().error("task failed at its end", task=name, exc_info=error)


def hear(future: asyncio.Future[Any]) -> None:
    """Let what ended *future* count as heard where nobody is left to be told: asyncio logs it else.

    Who awaits a task by `asyncio.wait` or `shield` and is cancelled leaves it unheard.
    """
    if future.done() and not future.cancelled():
        future.exception()


def hear_this_task() -> None:
    """Let how the current task ends count as heard; who still waits for it is told as ever."""
    if (task := asyncio.current_task()) is not None:
        task.add_done_callback(hear)
