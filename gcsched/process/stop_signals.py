"""SIGTERM and SIGINT while a service runs: the first asks it to stop, the second ends it."""

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
    """Set *stop* at SIGTERM or SIGINT; a second signal ends the process right after *before_exit*.

    *on_signal* is called at each signal, even while something holds the loop.
    """
    loop = asyncio.get_running_loop()

    def handle_signal(number: int) -> None:
        if stop.is_set():
            before_exit()
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle_signal, number)
        # In place of the loop's own, which does nothing: the loop hears of signals by a descriptor.
        signal.signal(number, lambda *_: on_signal())
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
