"""Background tasks: named loops that run side by side and stop in reverse order."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from gcsched.errors import BackgroundTaskEnded
from gcsched.usecases.loops import cancel_until_done, log_unexpected_failure

MIN_GRACE = timedelta(seconds=1)  # for each task, even when the time for all is over
CANCEL_WITHIN = timedelta(seconds=2)
CANCEL_TASKS_TIMEOUT = timedelta(seconds=2)
MAX_END_SECONDS = (MIN_GRACE + CANCEL_WITHIN + CANCEL_TASKS_TIMEOUT).total_seconds()
"""How long tasks take to end, in the worst case, once the time for their work is over."""

RUNNING, STOPPING, STOPPED = "running", "stopping", "stopped"

Loop = Callable[[asyncio.Event], Awaitable[None]]
NamedLoop = tuple[str, Loop]

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackgroundTask:
    """One running loop, and the event that asks it to stop."""

    task: asyncio.Task[None]
    stop: asyncio.Event

    @property
    def name(self) -> str:
        return self.task.get_name()


class BackgroundTasks:
    """Starts loops and stops them; a loop that ends unasked is a failure of the service.

    As a context manager it ends the tasks that still run when its block ends, within three seconds.

    It is not an asyncio.TaskGroup, which waits without a limit for a child that swallowed its one
    cancellation.
    """

    def __init__(self, on_failure: Callable[[BackgroundTaskEnded], None] = lambda _: None) -> None:
        self._on_failure = on_failure
        self._running: list[BackgroundTask] = []
        self._states: dict[str, str] = {}
        self.failure: BackgroundTaskEnded | None = None
        """The first task that ended by itself, with its exception as the cause."""

    @property
    def states(self) -> Mapping[str, str]:
        """Return for each task whether it is running, stopping or stopped, or how it ended."""
        return self._states

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Stop the tasks that still run, and cancel those that do not stop in time."""
        left = self._running[::-1]
        try:
            async with asyncio.timeout(MIN_GRACE.total_seconds()):
                for entry in left:
                    entry.stop.set()
                    await asyncio.wait({entry.task})
        except TimeoutError:
            pass  # they are cancelled below
        finally:
            await self._cancel(left)

    async def _cancel(self, left: list[BackgroundTask]) -> None:
        for entry in left:
            entry.stop.set()
        if not await cancel_until_done({entry.task for entry in left}, within=CANCEL_WITHIN):
            names = [entry.name for entry in left if not entry.task.done()]
            log.error("tasks did not end", tasks=names)

    def start(self, name: str, loop: Loop) -> None:
        """Start *loop* as a task called *name*."""
        stop = asyncio.Event()

        async def run() -> None:
            await loop(stop)

        entry = BackgroundTask(task=asyncio.create_task(run(), name=name), stop=stop)
        self._states[name] = RUNNING
        self._running.append(entry)
        entry.task.add_done_callback(lambda _: self._on_end(entry))

    async def stop_last(self, *, within: timedelta) -> None:
        """Ask the loop that was started last to stop; cancel it after *within*."""
        entry = self._running[-1]
        entry.stop.set()
        if self._states[entry.name] == RUNNING:
            self._states[entry.name] = STOPPING
        _, late = await asyncio.wait({entry.task}, timeout=within.total_seconds())
        if late:
            log.warning("task cancelled", task=entry.name)
            if not await cancel_until_done({entry.task}, within=CANCEL_WITHIN):
                log.error("task did not end", task=entry.name)
        # Not earlier: if this method is cancelled, `__aexit__` still has to end the task.
        self._running.remove(entry)

    async def stop(self, *, within: timedelta) -> None:
        """Stop all tasks one by one, *within* this time in total; each gets a second at least."""
        clock = asyncio.get_running_loop().time
        until = clock() + within.total_seconds()
        while self._running:
            left = timedelta(seconds=until - clock())
            await self.stop_last(within=max(left, MIN_GRACE))

    def _on_end(self, entry: BackgroundTask) -> None:
        error = None if entry.task.cancelled() else entry.task.exception()
        if error is None and entry.stop.is_set():
            self._states[entry.name] = STOPPED
            return
        failure = BackgroundTaskEnded(entry.name, describe_end(entry.task, error))
        failure.__cause__ = error
        self._states[entry.name] = failure.how
        log.critical("background task ended", task=entry.name, error=failure.how, exc_info=error)
        if self.failure is None:
            self.failure = failure
            self._on_failure(failure)


def describe_end(task: asyncio.Task[None], error: BaseException | None) -> str:
    """Return in a few words how a loop that should run on has ended."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]  # of a TaskGroup inside the loop
    if error is not None:
        return f"ended: {type(error).__name__}"
    return "ended: it was cancelled" if task.cancelled() else "ended: it returned"


async def cancel_all_tasks() -> None:
    """Cancel all other tasks: asyncio's own runner cancels once and waits without a limit."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if not await cancel_until_done(left, within=CANCEL_TASKS_TIMEOUT):
        names = sorted(task.get_name() for task in left if not task.done())
        log.error("tasks did not end", tasks=names)
    for task in left:
        if task.done():  # the others would raise InvalidStateError
            log_unexpected_failure(task)
