"""`python -m gcsched serve`, one part of which ends at SIGUSR1: it raises, returns or is cancelled.

python -m tests.support.service_with_failing_task marks raises
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

FAILURES = ("raises", "returns", "is cancelled")
HARD_FAILURES = ("leaves a deaf task", "holds the loop")


leaked_tasks: list[asyncio.Future[None]] = []


class Injected(Exception):
    """What a defect might raise."""


def fail_on_signal(loop: Loop, how: str) -> Loop:
    """Return *loop* as it is, until SIGUSR1 ends it in the way *how*."""

    async def run(stop: asyncio.Event) -> None:
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
        running = asyncio.ensure_future(loop(stop))
        failing = asyncio.ensure_future(told.wait())
        await asyncio.wait({running, failing}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            failing.cancel()
            return running.result()
        # Once, and it is not waited for: what it leaves behind is a part of the trouble.
        running.cancel()
        match how:
            case "raises":
                raise Injected
            case "is cancelled":
                raise asyncio.CancelledError
            case "leaves a deaf task":
                leaked_tasks.append(asyncio.ensure_future(ignore_cancel()))
                raise Injected
            case "holds the loop":
                asyncio.get_running_loop().call_later(0.02, time.sleep, 60)
                raise Injected
        return None

    return run


async def ignore_cancel() -> None:
    """Overhear every cancel, as asyncio.wait_for may up to Python 3.11."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


def inject_failure(
    part: str, how: str, hard_end_seconds: float = app.FAILURE_DEADLINE_SECONDS
) -> None:
    """Have the service of this process fail by *part* when it is told to."""

    def assemble_failing(settings: Settings, resources: Resources) -> Service:
        service = assemble(settings, resources)

        def replace_loop(named: NamedLoop) -> NamedLoop:
            name, loop = named
            return (name, fail_on_signal(loop, how)) if name == part else named

        assert part in {name for name, _ in service.loops}, part
        object.__setattr__(service, "loops", tuple(map(replace_loop, service.loops)))
        return service

    vars(app).update(assemble=assemble_failing, HARD_END_SECONDS=hard_end_seconds)


def fork_with_failure(
    part: str, how: str, *, hard_end_seconds: float = app.FAILURE_DEADLINE_SECONDS
) -> Launch:
    return partial(fork_service, before=partial(inject_failure, part, how, hard_end_seconds))


def execute_with_failure(part: str, how: str) -> Launch:
    return partial(
        execute_service, command=("-m", "tests.support.service_with_failing_task", part, how)
    )


if __name__ == "__main__":
    inject_failure(sys.argv[1], sys.argv[2])
    sys.exit(main(["serve"]))
