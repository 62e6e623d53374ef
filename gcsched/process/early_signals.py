"""Handle signals before the program has loaded. Imports almost nothing, because it runs first.

The kernel drops signals for which process 1 of a container has no handler, and Python installs none
for SIGTERM: a stop in the first second would be lost, and the service would run until it is killed.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType

SERVICES = ("serve", "dev")
INIT_PID = 1


def exit_on_signals(arguments: Sequence[str]) -> None:
    """End this process at once at SIGTERM or SIGINT, until the command installs its handlers.

    A service exits with 0, as after any stop, because it has not begun anything. A command that is
    process 1 exits with 128 plus the signal's number; elsewhere the default handlers do that.
    """
    if arguments and arguments[0] in SERVICES:
        for number in (signal.SIGINT, signal.SIGTERM):  # replaces Python's own for SIGINT
            signal.signal(number, exit_cleanly)
    elif os.getpid() == INIT_PID:
        signal.signal(signal.SIGTERM, exit_by_signal)


def exit_cleanly(_: int, __: FrameType | None) -> None:
    # Not an exception: an import or a destructor that is running may swallow or print it.
    os._exit(0)


def exit_by_signal(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
