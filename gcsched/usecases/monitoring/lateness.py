"""How late the mails of the last minutes were: remembered by size, so that many cost no more."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

WINDOW_SECONDS = 300
SLOT_SECONDS = 10
SMALLEST_BUCKET = timedelta(milliseconds=1)
BUCKET_RATIO = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LatenessQuantiles:
    """Of *mails* mails, half were at most *p50* late, and 99 of 100 at most *p99*."""

    mails: int
    p50: timedelta
    p99: timedelta


@dataclass(slots=True, kw_only=True, eq=False)
class Lateness:
    """Counts mails by size of their lateness, each 5 % above the one before.

    So a figure is at most 5 % too high, and thirty slots of ten seconds hold some hundred numbers
    each. *clock* is monotonic.
    """

    clock: Callable[[], float] = time.monotonic
    _slots: deque[tuple[int, Counter[int]]] = field(default_factory=deque, init=False)

    def record(self, late: timedelta) -> None:
        slot = int(self.clock() // SLOT_SECONDS)
        if not self._slots or self._slots[-1][0] != slot:
            self._forget(slot)
            self._slots.append((slot, Counter()))
        self._slots[-1][1][find_bucket(late)] += 1

    def summarize(self) -> LatenessQuantiles:
        self._forget(int(self.clock() // SLOT_SECONDS))
        sizes: Counter[int] = Counter()
        for _, counted in self._slots:
            sizes.update(counted)
        return LatenessQuantiles(
            mails=sizes.total(), p50=compute_quantile(sizes, 0.5), p99=compute_quantile(sizes, 0.99)
        )

    def _forget(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - WINDOW_SECONDS // SLOT_SECONDS:
            self._slots.popleft()


def find_bucket(late: timedelta) -> int:
    """Give the power of 1.05 that *late*, in milliseconds, does not exceed."""
    return math.ceil(round(math.log(max(late, SMALLEST_BUCKET) / SMALLEST_BUCKET, BUCKET_RATIO), 9))


def compute_quantile(sizes: Counter[int], share: float) -> timedelta:
    """Give what a *share* of all does not exceed."""
    left = math.ceil(sizes.total() * share)
    for size in sorted(sizes):
        left -= sizes[size]
        if left <= 0:
            return SMALLEST_BUCKET * BUCKET_RATIO**size
    return timedelta(0)
