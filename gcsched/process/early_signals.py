"""What a signal does before the program can obey it. Imports as good as nothing: it comes first.

The kernel throws away what process 1 of a container has no handler for, and Python installs none
for SIGTERM: a stop in the first second would be lost, and the service would run until it is killed.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType

SERVICES = ("serve", "dev")
INIT_PID = 1


def exit_on_signals(arguments: Sequence[str]) -> None:
    """Have this process end at SIGTERM or SIGINT, at once, until the command installs its own.

    A service has begun nothing by then: 0, as after any stop. A command that is process 1 ends
    with 128 and the signal's number; anywhere else the kernel and Python see to it already.
    """
    if arguments and arguments[0] in SERVICES:
        for number in (signal.SIGINT, signal.SIGTERM):  # Python has one of its own for the first
            signal.signal(number, exit_cleanly)
    elif os.getpid() == INIT_PID:
        signal.signal(signal.SIGTERM, exit_by_signal)


def exit_cleanly(_: int, __: FrameType | None) -> None:
    # Not an exception: what is being imported, or collected, may swallow it or print it.
    os._exit(0)


def exit_by_signal(number: int, _: FrameType | None) -> None:
    os._exit(128 + number)
