"""Loops that a *stop* event ends: they pause, repeat, or flush what was collected.

None of them uses asyncio.wait_for: up to Python 3.11 it may swallow a cancellation that arrives as
the awaited future completes, and the loop would not end.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Generic, TypeVar

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
    """Call *act* with pauses of *every*; cancel a call that is running at *stop*."""

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


def is_never_left() -> bool:
    """Return False: the *is_left* of a loop that may drop unflushed items at the stop."""
    return False


async def flush_until(
    stop: asyncio.Event,
    flush: Callable[[], Awaitable[None]],
    *,
    requested: asyncio.Event,
    is_left: Callable[[], bool] = is_never_left,
) -> None:
    """Call *flush* each time *requested* is set, until *stop* is set and *is_left* returns False.

    *requested* is cleared before each flush, so a request that arrives during one is not missed. A
    loop that is idle at the stop flushes once more. The caller limits how long draining may take.
    """
    async with waking(requested, on=stop):
        while is_left() or not stop.is_set():
            await requested.wait()
            if not stop.is_set():  # after the stop nothing sets it again, and the loop would hang
                requested.clear()
            await flush()


@asynccontextmanager
async def waking(event: asyncio.Event, *, on: asyncio.Event) -> AsyncIterator[None]:
    """Set *event* as soon as *on* is set, while the block runs: one wait serves both."""

    async def wake() -> None:
        await on.wait()
        event.set()

    async with asyncio.TaskGroup() as tasks:
        waker = tasks.create_task(wake(), name="waker")
        yield
        waker.cancel()


CANCEL_INTERVAL_SECONDS = 0.1

T = TypeVar("T")


class OneAtATime(Generic[T]):
    """Calls *call*, which may hang, for example on a file of a network that does not answer.

    A call that hangs is waited for again, and no second one begins beside it: each would hold a
    thread.
    """

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]], *, within: timedelta) -> None:
        self._call = call
        self._within = within.total_seconds()
        self._task: asyncio.Task[T] | None = None

    async def run(self) -> T:
        """Return what the call returns. Raises TimeoutError if that takes longer than *within*."""
        task = self._task = self._task or asyncio.create_task(self._call(), name="one at a time")
        try:
            done, _ = await asyncio.wait({task}, timeout=self._within)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not done:
            raise TimeoutError
        self._task = None
        return task.result()


async def finish(work: Coroutine[Any, Any, T], *, within: timedelta) -> T:
    """Await *work* to its end even if the caller is cancelled, for at most *within*.

    The cancellation is raised again afterwards. Raises TimeoutError, with the work cancelled, when
    it takes longer.
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
        log_unexpected_failure(task)  # the caller is gone: no one else retrieves the error
        raise cancelled
    if task.cancelled():
        raise TimeoutError
    return task.result()


async def cancel_until_done(
    tasks: Collection[asyncio.Task[Any]], *, within: timedelta | None = None
) -> bool:
    """Cancel *tasks* repeatedly until all have ended; return False when *within* passes first.

    One cancellation is not enough: up to Python 3.11 asyncio.wait_for, and libraries built on it,
    may swallow one that arrives as the awaited future completes. A cancellation of the caller
    takes effect at the end: one that is repeated too would leave tasks behind.
    """
    clock = asyncio.get_running_loop().time
    until = None if within is None else clock() + within.total_seconds()
    pending = {task for task in tasks if not task.done()}
    cancelled: asyncio.CancelledError | None = None
    while pending and (until is None or clock() < until):
        for task in pending:
            task.cancel()
        try:
            await asyncio.wait(pending, timeout=CANCEL_INTERVAL_SECONDS)
        except asyncio.CancelledError as error:
            cancelled = error
        pending = {task for task in pending if not task.done()}
    if cancelled is not None:
        raise cancelled
    return not pending


def log_unexpected_failure(task: asyncio.Task[Any]) -> None:
    """Retrieve the error that ended *task*, and log it if it is a defect.

    An error that is not retrieved is logged by asyncio at an arbitrary time. GcschedError and
    TimeoutError are expected at a stop, such as a store that is away, and are not logged.
    """
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, GcschedError | TimeoutError):
        name = task.get_name()
        structlog.get_logger().error("task failed after cancellation", task=name, exc_info=error)


def retrieve_exception(future: asyncio.Future[Any]) -> None:
    """Mark the exception of *future* as retrieved, so that asyncio does not log it.

    A caller of `asyncio.wait` or `shield` that is cancelled leaves it unretrieved.
    """
    if future.done() and not future.cancelled():
        future.exception()


def retrieve_task_exception() -> None:
    """Mark the exception of the current task as retrieved; its waiters still get it."""
    if (task := asyncio.current_task()) is not None:
        task.add_done_callback(retrieve_exception)
