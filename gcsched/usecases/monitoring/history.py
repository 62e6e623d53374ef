"""The history of all processes: each adds its share once a minute, and none waits for that."""

import asyncio
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog

from gcsched.domain.history import HistoryFigures, HistoryShare, HistoryStep, find_history_bucket
from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import Clock, HistoryStore
from gcsched.usecases.problem_log import ProblemLog

MAX_WAITING = 360
"""Minutes whose shares are kept while MongoDB is away: six hours."""
FLUSHED_TOGETHER = 100
"""More shares wait for the next minute: the end of this one must not be noticed late."""
AFTER_TURN_SECONDS = 0.05
"""A timer may be early by the resolution of the clock."""


@dataclass(slots=True, kw_only=True, eq=False)
class EventCounts:
    """Counts what this process does until the next share is made of it."""

    admissions: Counter[str] = field(default_factory=Counter, init=False)
    attempts: Counter[str] = field(default_factory=Counter, init=False)
    lateness: Counter[int] = field(default_factory=Counter, init=False)

    def add_lateness(self, lateness: Iterable[timedelta]) -> None:
        self.lateness.update(map(find_history_bucket, lateness))

    def take(self, *, start: datetime, oldest_due: timedelta | None) -> HistoryFigures:
        """Return the figures since the call before, and count from zero again."""
        figures = HistoryFigures(
            start=start,
            admissions=self.admissions,
            attempts=self.attempts,
            lateness=self.lateness,
            oldest_due=oldest_due,
        )
        self.admissions, self.attempts, self.lateness = Counter(), Counter(), Counter()
        return figures


@dataclass(kw_only=True, eq=False)
class HistoryRecorder:
    """Stores the *events* of this process once a minute, as its share of the history.

    A share is also stored if nothing happened: the history then has zeros, and no gap. While the
    store is away, shares wait and are stored later, each once (ADR 0054); the oldest are dropped
    beyond MAX_WAITING. *oldest_due* returns how late the oldest due job is, None if unknown.
    """

    events: EventCounts
    store: HistoryStore
    oldest_due: Callable[[], timedelta | None]
    now: Clock
    _process: str = field(default_factory=lambda: secrets.token_hex(6), init=False)
    _number: int = field(default=0, init=False)
    _start: datetime = field(init=False)
    _waiting: deque[HistoryShare] = field(
        default_factory=partial(deque[HistoryShare], maxlen=MAX_WAITING), init=False
    )
    _problem_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog, event="history not stored, retrying", end_event="history stored again"
        ),
        init=False,
    )

    def __post_init__(self) -> None:
        self._start = HistoryStep.MINUTE.find_start(self.now())

    async def run(self, stop: asyncio.Event) -> None:
        """Store a share at the end of each minute, and at *stop* that of the minute so far."""
        while not stop.is_set():
            end = self._start + HistoryStep.MINUTE.length
            left = (end - self.now()).total_seconds() + AFTER_TURN_SECONDS
            await sleep_unless(stop, max(AFTER_TURN_SECONDS, left))
            self.end_minute()
            await self.flush()

    def end_minute(self) -> None:
        """Make a share of what was counted since the call before."""
        if len(self._waiting) == MAX_WAITING:
            structlog.get_logger().warning("history dropped", minute=self._waiting[0].figures.start)
        self._number += 1
        figures = self.events.take(start=self._start, oldest_due=self.oldest_due())
        self._waiting.append(
            HistoryShare(process=self._process, number=self._number, figures=figures)
        )
        self._start = HistoryStep.MINUTE.find_start(self.now())

    async def flush(self) -> None:
        """Store the shares that wait, the oldest first; keep them if the store is away."""
        for _ in range(min(len(self._waiting), FLUSHED_TOGETHER)):
            try:
                await self.store.add(self._waiting[0])
            except StoreUnavailable as error:
                self._problem_log.record_failure(error.for_log, waiting=len(self._waiting))
                return
            self._problem_log.record_success()
            self._waiting.popleft()
