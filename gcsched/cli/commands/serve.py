"""`gcsched serve`: the service itself, until it is told to stop."""

import asyncio
import gc
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from gcsched.cli.command import Command
from gcsched.cli.extras import SERVER, needing
from gcsched.process.allocator import keep_heaps_few

if TYPE_CHECKING:
    from gcsched.app import Surroundings
    from gcsched.config.settings import Settings

SWITCH_INTERVAL_SECONDS = 0.001
GC_THRESHOLDS = (20_000, 20, 20)


def run(_: Namespace) -> int:
    keep_heaps_few()
    gc.disable()  # imports leave no garbage, and a collection looks through all of them each time
    with needing(SERVER, command="gcsched serve"):
        from gcsched.config import settings
        from gcsched.hosting import hosted

    chosen = settings.load(os.environ)
    with hosted(chosen, os.environ) as around:
        return _until_stopped(chosen, around)


def _until_stopped(settings: "Settings", around: "Surroundings") -> int:
    from gcsched import app

    keep_bursts_even()
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        return runner.run(app.serve(settings, around))


def keep_bursts_even() -> None:
    """Take care that no mail of a burst waits for the interpreter's housekeeping."""
    # Motor's threads hand over what MongoDB answered; the loop holds the GIL at a burst.
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    # What is imported stays: a collection need not walk through it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Take uvloop where it is installed; None leaves the choice to asyncio."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


COMMAND = Command(
    name="serve",
    help="Run the service. It is set up by GCSCHED_* variables; the README lists them.",
    run=run,
)
