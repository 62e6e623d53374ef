"""The lateness of the mails of the last five minutes, in buckets, so that memory is bounded."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

WINDOW_SECONDS = 300
SLOT_SECONDS = 10
SMALLEST_BUCKET = timedelta(milliseconds=1)
BUCKET_RATIO = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class LatenessQuantiles:
    """The lateness of *mails* mails: 50 % are at most *p50* late, 99 % at most *p99*."""

    mails: int
    p50: timedelta
    p99: timedelta


@dataclass(slots=True, kw_only=True, eq=False)
class Lateness:
    """Counts mails in buckets of lateness, each bucket 5 % above the one before.

    So a quantile is at most 5 % too high. Thirty slots of ten seconds hold some hundred numbers
    each. *clock* is monotonic.
    """

    clock: Callable[[], float] = time.monotonic
    _slots: deque[tuple[int, Counter[int]]] = field(default_factory=deque, init=False)

    def record(self, lateness: Iterable[timedelta]) -> None:
        slot = int(self.clock() // SLOT_SECONDS)
        if not self._slots or self._slots[-1][0] != slot:
            self._drop_old_slots(slot)
            self._slots.append((slot, Counter()))
        self._slots[-1][1].update(map(find_bucket, lateness))

    def summarize(self) -> LatenessQuantiles:
        self._drop_old_slots(int(self.clock() // SLOT_SECONDS))
        sizes: Counter[int] = Counter()
        for _, counted in self._slots:
            sizes.update(counted)
        return LatenessQuantiles(
            mails=sizes.total(), p50=compute_quantile(sizes, 0.5), p99=compute_quantile(sizes, 0.99)
        )

    def list_p99(self) -> list[timedelta | None]:
        """Return the p99 of each slot, from the oldest to this one; None: no mail was in it."""
        now = int(self.clock() // SLOT_SECONDS)
        self._drop_old_slots(now)
        known = {slot: compute_quantile(sizes, 0.99) for slot, sizes in self._slots}
        return [known.get(now - ago) for ago in range(WINDOW_SECONDS // SLOT_SECONDS - 1, -1, -1)]

    def _drop_old_slots(self, slot: int) -> None:
        while self._slots and self._slots[0][0] <= slot - WINDOW_SECONDS // SLOT_SECONDS:
            self._slots.popleft()


def find_bucket(late: timedelta) -> int:
    """Return the smallest power of 1.05 that *late*, in milliseconds, does not exceed."""
    return math.ceil(round(math.log(max(late, SMALLEST_BUCKET) / SMALLEST_BUCKET, BUCKET_RATIO), 9))


def compute_quantile(sizes: Counter[int], share: float) -> timedelta:
    """Return the lateness that the fraction *share* of all mails does not exceed."""
    left = math.ceil(sizes.total() * share)
    for size in sorted(sizes):
        left -= sizes[size]
        if left <= 0:
            return SMALLEST_BUCKET * BUCKET_RATIO**size
    return timedelta(0)
