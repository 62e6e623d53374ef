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

FAILED = 1
AFTER_THE_THREAD_SECONDS = 5.0

log: structlog.stdlib.BoundLogger = structlog.get_logger()


class Watching(Protocol):
    """What the service asks of a watchdog."""

    def arm(self, seconds: float, why: str) -> None:
        """End the process in *seconds*, unless it has ended by then."""


class Unwatched:
    """Watch nothing: for a service inside another program."""

    def arm(self, seconds: float, why: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Order:
    """When to end the process, by ``time.monotonic()``, and why."""

    at: float
    why: str


@dataclass(kw_only=True, eq=False)
class Watchdog:
    """A thread, because the loop may be what hangs; the earliest of several orders counts.

    *last_act* writes what the log still holds. *traces* gets where every thread is if even this
    thread cannot run, because something holds the interpreter; then C code ends the process. None:
    nothing does, as inside a test.
    """

    last_act: Callable[[], object] = lambda: None
    end: Callable[[int], object] = os._exit
    traces: TextIO | None = None
    # Its put is safe in a signal handler and in a destructor; that of other queues is not.
    _orders: SimpleQueue[Order] = field(default_factory=SimpleQueue, init=False)

    def start(self) -> None:
        Thread(target=self._watch, name="watchdog", daemon=True).start()

    def arm(self, seconds: float, why: str) -> None:
        self._orders.put(Order(time.monotonic() + seconds, why))

    def _watch(self) -> None:
        due: Order | None = None
        while True:
            try:
                left = None if due is None else max(0.0, due.at - time.monotonic())
                order = self._orders.get(timeout=left)
            except Empty:
                break
            if due is None or order.at < due.at:
                due = order
                self._arm_last_resort(order)
        self._end("" if due is None else due.why)

    def _arm_last_resort(self, order: Order) -> None:
        if self.traces is not None:
            left = order.at - time.monotonic() + AFTER_THE_THREAD_SECONDS
            faulthandler.dump_traceback_later(left, exit=True, file=self.traces)

    def _end(self, why: str) -> None:
        log.critical("process ended hard", reason=why, exit_code=FAILED)
        self.last_act()
        self.end(FAILED)
