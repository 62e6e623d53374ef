"""`python -m gcsched serve` with a background task that fails at SIGUSR1, in one of several ways.

python -m tests.support.service_with_failing_task sweep raises
"""

import asyncio
import signal
import sys
import time
from contextlib import suppress
from functools import partial

from gcsched import app
from gcsched.cli.main import main
from gcsched.config.settings import Settings
from gcsched.wiring.assembly import Service, assemble
from gcsched.wiring.background import Loop, NamedLoop
from gcsched.wiring.resources import Resources
from tests.support.launch import Launch, execute_service, fork_service

# The process ends in order after these; after the others its watchdog aborts it.
FAILURES = ("raises", "returns", "is cancelled")
HARD_FAILURES = ("leaks a task", "blocks the loop")


leaked_tasks: list[asyncio.Future[None]] = []


class Injected(Exception):
    """An exception as a defect might raise it."""


def fail_on_signal(loop: Loop, how: str) -> Loop:
    """Return a loop that runs *loop* until SIGUSR1, and then fails in the way *how*."""

    async def run(stop: asyncio.Event) -> None:
        signalled = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, signalled.set)
        running = asyncio.ensure_future(loop(stop))
        failing = asyncio.ensure_future(signalled.wait())
        await asyncio.wait({running, failing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            failing.cancel()
            return running.result()
        # One cancel, and no wait: what the loop leaves running is part of the failure.
        running.cancel()
        match how:
            case "raises":
                raise Injected
            case "is cancelled":
                raise asyncio.CancelledError
            case "leaks a task":
                leaked_tasks.append(asyncio.ensure_future(ignore_cancel()))
                raise Injected
            case "blocks the loop":
                asyncio.get_running_loop().call_later(0.02, time.sleep, 60)
                raise Injected
        return None

    return run


async def ignore_cancel() -> None:
    """Ignore every cancellation, as asyncio.wait_for may up to Python 3.11."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


def inject_failure(
    task: str, how: str, deadline_seconds: float = app.FAILURE_DEADLINE_SECONDS
) -> None:
    """Make the task called *task* of this process's service fail at SIGUSR1."""

    def assemble_failing(settings: Settings, resources: Resources) -> Service:
        service = assemble(settings, resources)

        def replace_loop(named: NamedLoop) -> NamedLoop:
            name, loop = named
            return (name, fail_on_signal(loop, how)) if name == task else named

        assert task in {name for name, _ in service.loops}, task
        object.__setattr__(service, "loops", tuple(map(replace_loop, service.loops)))
        return service

    vars(app).update(assemble=assemble_failing, FAILURE_DEADLINE_SECONDS=deadline_seconds)


def fork_with_failure(
    task: str, how: str, *, deadline_seconds: float = app.FAILURE_DEADLINE_SECONDS
) -> Launch:
    return partial(fork_service, before=partial(inject_failure, task, how, deadline_seconds))


def execute_with_failure(task: str, how: str) -> Launch:
    return partial(
        execute_service, command=("-m", "tests.support.service_with_failing_task", task, how)
    )


if __name__ == "__main__":
    inject_failure(sys.argv[1], sys.argv[2])
    sys.exit(main(["serve"]))
