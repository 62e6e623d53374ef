"""SIGTERM and SIGINT while a service runs: the first stops it, the second ends it at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_signals(
    stop: asyncio.Event,
    *,
    on_signal: Callable[[], object] = lambda: None,
    before_exit: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Set *stop* at SIGTERM or SIGINT; at a second signal call *before_exit* and end the process.

    *on_signal* is called at each signal, even while the event loop is blocked.
    """
    loop = asyncio.get_running_loop()

    def handle_signal(number: int) -> None:
        if stop.is_set():
            before_exit()
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle_signal, number)
        # Replaces the loop's own handler, which does nothing: the loop reads signals from a pipe.
        signal.signal(number, lambda *_: on_signal())
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
