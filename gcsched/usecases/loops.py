"""The ways to wait in a loop that a *stop* ends: pause, repeat, or flush what was collected.

None uses asyncio.wait_for: up to Python 3.11 it may overhear a cancel that comes as the awaited
future is done, and the loop would run on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import structlog

from gcsched.errors import GcschedError


async def sleep_unless(event: asyncio.Event, seconds: float) -> None:
    """Return after *seconds*, or as soon as *event* is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def run_periodically(
    act: Callable[[], Awaitable[None]], *, every: timedelta, stop: asyncio.Event
) -> None:
    """Call *act* with pauses of *every*; what is under way at *stop* is cancelled."""

    async def repeat() -> None:
        while True:
            await act()
            await asyncio.sleep(every.total_seconds())

    await run_until(stop, repeat(), name="periodically")


async def run_until(stop: asyncio.Event, work: Coroutine[None, None, None], *, name: str) -> None:
    """Run *work*, which does not end by itself, and cancel it at *stop*."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work, name=name)
        await stop.wait()
        await cancel_until_done({task})


def nothing_left() -> bool:
    """Return False: the *is_left* of a loop that drops at the stop what it has not flushed."""
    return False


async def flush_until(
    stop: asyncio.Event,
    flush: Callable[[], Awaitable[None]],
    *,
    requested: asyncio.Event,
    is_left: Callable[[], bool] = nothing_left,
) -> None:
    """Call *flush* each time *requested* is set, until *stop* is set and nothing *is_left*.

    *requested* is cleared before each flush, so one that is asked for meanwhile is not missed. A loop
    that is idle at the stop flushes once more. How long draining may take is for the caller to
    limit.
    """
    async with waking(requested, on=stop):
        while is_left() or not stop.is_set():
            await requested.wait()
            if not stop.is_set():  # else nobody sets it again, and what is left would wait for ever
                requested.clear()
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


CANCEL_INTERVAL_SECONDS = 0.1

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T], *, within: timedelta) -> T:
    """Await *work* even through cancellation, at most *within*; then let the cancellation go on.

    Raises TimeoutError, with the work cancelled, when it takes longer.
    """
    task, cancelled = asyncio.ensure_future(work), None
    clock = asyncio.get_running_loop().time
    until = clock() + within.total_seconds()
    while not task.done() and (remaining := until - clock()) > 0:
        try:
            await asyncio.wait({task}, timeout=remaining)
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if cancelled is not None:
        log_unexpected_failure(task)  # nobody is left who asks how it ended
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
    pending = {task for task in tasks if not task.done()}
    while pending and (until is None or clock() < until):
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_INTERVAL_SECONDS)
    return not pending


def log_unexpected_failure(task: asyncio.Task[Any]) -> None:
    """Take what ended *task* off asyncio's hands, which would log it as an error at any time.

    A store that is away is no news at a stop. Anything else is a defect, and is logged here.
    """
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, GcschedError | TimeoutError):
        name = task.get_name()
        structlog.get_logger().error("task failed at its end", task=name, exc_info=error)


def retrieve_exception(future: asyncio.Future[Any]) -> None:
    """Let what ended *future* count as heard where nobody is left to be told: asyncio logs it else.

    Who awaits a task by `asyncio.wait` or `shield` and is cancelled leaves it unheard.
    """
    if future.done() and not future.cancelled():
        future.exception()


def retrieve_task_exception() -> None:
    """Let how the current task ends count as heard; who still waits for it is told as ever."""
    if (task := asyncio.current_task()) is not None:
        task.add_done_callback(retrieve_exception)
