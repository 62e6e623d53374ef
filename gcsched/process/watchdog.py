"""End the process hard when it does not end by itself in time."""

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
    """What the service asks of a watchdog."""

    def arm(self, seconds: float, why: str) -> None:
        """End the process in *seconds*, unless it has ended by then."""


class NoWatchdog:
    """Watch nothing: for a service inside another program."""

    def arm(self, seconds: float, why: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Deadline:
    """When to end the process, by ``time.monotonic()``, and why."""

    at: float
    why: str


@dataclass(kw_only=True, eq=False)
class Watchdog:
    """A thread, because the loop may be what hangs; the earliest of several orders counts.

    *before_exit* writes what the log still holds. *trace_file* gets where every thread is if even this
    thread cannot run, because something holds the interpreter; then C code ends the process. None:
    nothing does, as inside a test.
    """

    before_exit: Callable[[], object] = lambda: None
    end: Callable[[int], object] = os._exit
    trace_file: TextIO | None = None
    # Its put is safe in a signal handler and in a destructor; that of other queues is not.
    _deadlines: SimpleQueue[Deadline] = field(default_factory=SimpleQueue, init=False)

    def start(self) -> None:
        Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, seconds: float, why: str) -> None:
        self._deadlines.put(Deadline(time.monotonic() + seconds, why))

    def _watch(self) -> None:
        due: Deadline | None = None
        while True:
            try:
                left = None if due is None else max(0.0, due.at - time.monotonic())
                order = self._deadlines.get(timeout=left)
            except Empty:
                break
            if due is None or order.at < due.at:
                due = order
                self._arm_last_resort(order)
        self._end("" if due is None else due.why)

    def _arm_last_resort(self, order: Deadline) -> None:
        if self.trace_file is not None:
            left = order.at - time.monotonic() + LAST_RESORT_DELAY_SECONDS
            faulthandler.dump_traceback_later(left, exit=True, file=self.trace_file)

    def _end(self, why: str) -> None:
        log.critical("process ended hard", reason=why, exit_code=EXIT_FAILURE)
        self.before_exit()
        self.end(EXIT_FAILURE)
