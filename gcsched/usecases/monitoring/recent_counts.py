"""What was counted and measured lately, in slots, so that memory is bounded."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

HOUR_SECONDS, SLOT_SECONDS = 3600, 60
HALF_SECONDS = 30

K = TypeVar("K")


@dataclass(slots=True, kw_only=True, eq=False)
class HourlyCounts(Generic[K]):
    """Counts by key over the last hour, in sixty slots. *clock* is monotonic."""

    clock: Callable[[], float] = time.monotonic
    _slots: deque[tuple[int, Counter[K]]] = field(default_factory=deque, init=False)

    def add(self, key: K, count: int = 1) -> None:
        slot = int(self.clock() // SLOT_SECONDS)
        if not self._slots or self._slots[-1][0] != slot:
            self._drop_old_slots(slot)
            self._slots.append((slot, Counter()))
        self._slots[-1][1][key] += count

    def total(self) -> Counter[K]:
        """Return the counts of the last hour; keys that were not counted in it are absent."""
        self._drop_old_slots(int(self.clock() // SLOT_SECONDS))
        found: Counter[K] = Counter()
        for _, counted in self._slots:
            found.update(counted)
        return found

    def _drop_old_slots(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - HOUR_SECONDS // SLOT_SECONDS:
            self._slots.popleft()


@dataclass(slots=True, kw_only=True, eq=False)
class RecentMaximum:
    """The largest number of this half minute and of the one before. *clock* is monotonic."""

    clock: Callable[[], float] = time.monotonic
    _half: int = field(default=0, init=False)
    _now: float = field(default=0.0, init=False)
    _before: float = field(default=0.0, init=False)

    def add(self, number: float) -> None:
        self._turn()
        self._now = max(self._now, number)

    def find(self) -> float:
        self._turn()
        return max(self._now, self._before)

    def _turn(self) -> None:
        half = int(self.clock() // HALF_SECONDS)
        if half != self._half:
            self._before = self._now if half == self._half + 1 else 0.0
            self._half, self._now = half, 0.0
