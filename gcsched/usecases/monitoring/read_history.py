"""Reads the history for people: the last hour, day or week, remembered for some seconds."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from gcsched.domain.history import HistoryFigures, HistoryStep
from gcsched.usecases.ports import Clock, HistoryStore

REMEMBERED_SECONDS = 5.0


class HistorySpan(Enum):
    """How far the history reaches back; the values are shown in addresses."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"

    @property
    def step(self) -> HistoryStep:
        return STEPS[self][0]

    @property
    def count(self) -> int:
        """Return how many intervals it has."""
        return STEPS[self][1]


STEPS = {
    HistorySpan.HOUR: (HistoryStep.MINUTE, 60),
    HistorySpan.DAY: (HistoryStep.TEN_MINUTES, 144),
    HistorySpan.WEEK: (HistoryStep.HOUR, 168),
}
"""So few intervals that a page reads at most 168 documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The figures of *span*: one for each interval that has any, the oldest first.

    They are as of *read_time*. *starts* are those of all intervals.
    """

    span: HistorySpan
    starts: Sequence[datetime]
    figures: Sequence[HistoryFigures]
    read_time: datetime

    def count_minutes(self, start: datetime) -> int:
        """Return how many minutes of the interval from *start* on were over at *read_time*."""
        length = self.span.step.length
        over = min(self.read_time - start, length)
        return max(1, int(over.total_seconds() // 60))


@dataclass(kw_only=True, eq=False)
class ReadHistory:
    """Reads the history, one statement at a time, and at most one in five seconds for each span.

    *clock* is monotonic.
    """

    store: HistoryStore
    now: Clock
    clock: Callable[[], float] = time.monotonic
    _known: dict[HistorySpan, tuple[float, History]] = field(default_factory=dict, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def read(self, span: HistorySpan) -> History:
        """Return the history of *span*: the same object as before while nothing has changed.

        Raises StoreUnavailable.
        """
        async with self._lock:
            known_at, known = self._known.get(span, (0.0, None))
            if known is not None and self.clock() - known_at <= REMEMBERED_SECONDS:
                return known
            history = await self._read(span)
            if known is not None and is_same(known, history):
                history = known
            self._known[span] = (self.clock(), history)
            return history

    def recall(self, span: HistorySpan) -> History | None:
        """Return the history of *span* as it was read last, or None."""
        known = self._known.get(span)
        return None if known is None else known[1]

    async def _read(self, span: HistorySpan) -> History:
        now, step = self.now(), span.step
        starts = list_starts(now, span)
        figures = await self.store.read(
            step, from_time=starts[0], before_time=starts[-1] + step.length
        )
        return History(span=span, starts=starts, figures=figures, read_time=now)


def is_same(before: History, now: History) -> bool:
    """Return whether pages of both look alike; numbers for each minute depend on the minute."""
    minute = HistoryStep.MINUTE
    is_same_minute = minute.find_start(before.read_time) == minute.find_start(now.read_time)
    return is_same_minute and before.figures == now.figures


def list_starts(now: datetime, span: HistorySpan) -> list[datetime]:
    """Return the starts of the intervals, the oldest first, up to the one of *now*.

    Minutes end with the one before: no share of the present minute is stored yet.
    """
    step = span.step
    last = step.find_start(now - (step.length if step is HistoryStep.MINUTE else timedelta(0)))
    return [last - number * step.length for number in reversed(range(span.count))]
