"""`gcsched serve`: the service itself, until a signal stops it."""

import asyncio
import gc
import os
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

from gcsched.cli.command import Command
from gcsched.cli.extras import SERVER, require_extra
from gcsched.process.allocator import limit_malloc_arenas
from gcsched.process.lean_imports import hide_package, postpone_import

if TYPE_CHECKING:
    from gcsched.app import ProcessHooks
    from gcsched.config.settings import Settings

SWITCH_INTERVAL_SECONDS = 0.001
GC_THRESHOLDS = (20_000, 20, 20)


def run(_: Namespace) -> int:
    limit_malloc_arenas()
    gc.disable()  # imports leave no garbage, and each collection would scan all of them
    with (
        require_extra(SERVER, command="gcsched serve"),
        hide_package("rich"),  # structlog would use it for tracebacks, which logs.py chooses itself
        postpone_import("jwt"),  # redis needs it for logins by token, which no setting allows
    ):
        from gcsched.config import settings
        from gcsched.hosting import host_service

    chosen = settings.read_settings(os.environ)
    with host_service(chosen, os.environ) as around:
        return _serve_until_stopped(chosen, around)


def _serve_until_stopped(settings: "Settings", around: "ProcessHooks") -> int:
    from gcsched import app

    tune_interpreter()
    with asyncio.Runner(loop_factory=find_loop_factory()) as runner:
        return runner.run(app.serve(settings, around))


def tune_interpreter() -> None:
    """Keep thread switches and garbage collections from delaying the mails of a burst."""
    # Motor's threads hand replies of MongoDB to the loop, which holds the GIL during a burst.
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    # Imported modules are never freed: a collection need not scan them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def find_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory if it is installed; None leaves the choice to asyncio."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


COMMAND = Command(
    name="serve",
    help="Run the service. GCSCHED_* variables configure it; docs/settings.md lists them.",
    run=run,
)
