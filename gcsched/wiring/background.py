"""Named loops that run side by side and stop one after the other, last started first."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from gcsched.errors import BackgroundTaskEnded
from gcsched.usecases.loops import cancel_until_done

MIN_GRACE = timedelta(seconds=1)
CANCEL_WITHIN = timedelta(seconds=2)

RUNNING, STOPPING, STOPPED = "running", "stopping", "stopped"

Loop = Callable[[asyncio.Event], Awaitable[None]]
NamedLoop = tuple[str, Loop]

log: structlog.stdlib.BoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackgroundTask:
    """One loop that runs, and the event that asks it to stop."""

    task: asyncio.Task[None]
    stop: asyncio.Event

    @property
    def name(self) -> str:
        return self.task.get_name()


class BackgroundTasks:
    """Start loops and stop them; a loop that ends without being asked is a failure of all.

    As a context, it ends what still runs when its block ends, in three seconds at most.

    Not an asyncio.TaskGroup: it waits without a limit for a child that overheard its one cancel.
    """

    def __init__(self, on_failure: Callable[[BackgroundTaskEnded], None] = lambda _: None) -> None:
        self._on_failure = on_failure
        self._running: list[BackgroundTask] = []
        self._states: dict[str, str] = {}
        self.failure: BackgroundTaskEnded | None = None
        """The first part that ended by itself, with its exception as the cause."""

    @property
    def states(self) -> Mapping[str, str]:
        """Return for each part whether it is running, stopping or stopped, or what ended it."""
        return self._states

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        """Leave none behind: ask those that still run to stop, and soon cancel them all."""
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
            log.error("parts do not end", parts=names)

    def start(self, name: str, loop: Loop) -> None:
        stop = asyncio.Event()

        async def run() -> None:
            await loop(stop)

        entry = BackgroundTask(task=asyncio.create_task(run(), name=name), stop=stop)
        self._states[name] = RUNNING
        self._running.append(entry)
        entry.task.add_done_callback(lambda _: self._on_end(entry))

    async def stop_last(self, *, within: timedelta) -> None:
        """Ask the loop that was started last to stop; cut it off when it takes too long."""
        entry = self._running[-1]
        entry.stop.set()
        if self._states[entry.name] == RUNNING:
            self._states[entry.name] = STOPPING
        _, late = await asyncio.wait({entry.task}, timeout=within.total_seconds())
        if late:
            log.warning("part cut off", part=entry.name)
            if not await cancel_until_done({entry.task}, within=CANCEL_WITHIN):
                log.error("part does not end", part=entry.name)
        # Not before: whoever is cancelled here leaves it to `__aexit__`.
        self._running.remove(entry)

    async def stop(self, *, within: timedelta) -> None:
        """Stop one after the other, *within* this time for all; each gets a second at least."""
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
        log.critical("part ended", part=entry.name, error=failure.how, exc_info=error)
        if self.failure is None:
            self.failure = failure
            self._on_failure(failure)


def describe_end(task: asyncio.Task[None], error: BaseException | None) -> str:
    """Say in a few words what became of a loop that was to run on."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]  # of a TaskGroup inside the loop
    if error is not None:
        return f"ended: {type(error).__name__}"
    return "ended: it was cancelled" if task.cancelled() else "ended: it returned"
