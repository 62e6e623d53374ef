"""Abort the process if it does not end by itself in time."""

import faulthandler
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Protocol, TextIO

import structlog

EXIT_FAILURE = 1
LAST_RESORT_DELAY_SECONDS = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class WatchdogProtocol(Protocol):
    """The watchdog as the service uses it."""

    def arm(self, seconds: float, why: str) -> None:
        """End the process in *seconds*, unless it has ended by then."""


class NoWatchdog:
    """A watchdog that does nothing, for a service inside another program."""

    def arm(self, seconds: float, why: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Deadline:
    """When to abort the process, by ``time.monotonic()``, and why."""

    at: float
    why: str


@dataclass(kw_only=True, eq=False)
class Watchdog:
    """A thread, because the event loop may be what hangs; the earliest deadline counts.

    *before_exit* writes the queued log lines. If even this thread cannot run, because something
    holds the interpreter's lock, C code writes the tracebacks of all threads to *trace_file* and
    ends the process. None: nothing does, as in a test.
    """

    before_exit: Callable[[], object] = lambda: None
    end: Callable[[int], object] = os._exit
    trace_file: TextIO | None = None
    # A SimpleQueue, because its put is safe in signal handlers and destructors.
    _deadlines: SimpleQueue[Deadline] = field(default_factory=SimpleQueue, init=False)

    def start(self) -> None:
        Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, seconds: float, why: str) -> None:
        self._deadlines.put(Deadline(time.monotonic() + seconds, why))

    def _watch(self) -> None:
        earliest: Deadline | None = None
        while True:
            try:
                left = None if earliest is None else max(0.0, earliest.at - time.monotonic())
                deadline = self._deadlines.get(timeout=left)
            except Empty:
                break
            if earliest is None or deadline.at < earliest.at:
                earliest = deadline
                self._arm_last_resort(deadline)
        self._end("" if earliest is None else earliest.why)

    def _arm_last_resort(self, deadline: Deadline) -> None:
        if self.trace_file is not None:
            left = deadline.at - time.monotonic() + LAST_RESORT_DELAY_SECONDS
            faulthandler.dump_traceback_later(left, exit=True, file=self.trace_file)

    def _end(self, why: str) -> None:
        log.critical("process aborted", reason=why, exit_code=EXIT_FAILURE)
        self.before_exit()
        self.end(EXIT_FAILURE)
