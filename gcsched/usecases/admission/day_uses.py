"""What this process knows of the jobs that clients have had today, and what it has in reserve."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

# While so many jobs of the day are left, they are reserved without looking for duplicates first:
# what other processes reserve and give back again cannot matter. It is two of the largest groups.
PLENTY = 2_000
FULL_SECONDS = 1.0
"""For how long a day that was full is not asked about again."""
# A reserve saves most groups a round trip. What a process has in reserve is lost to the others.
MAX_RESERVE = 100
RESERVE_PART = 100


class DayUse(Struct, frozen=True, kw_only=True):
    """How many jobs of *day* were reserved at *at*, by the monotonic clock.

    *reserve* of them have no job yet: they are for the next ones of this process.
    """

    day: date
    used: int
    at: float
    reserve: int = 0


@dataclass(kw_only=True, eq=False)
class DayUses:
    """The latest use of each client; other processes may have gone on since."""

    clock: Callable[[], float] = time.monotonic
    _uses: dict[str, DayUse] = field(default_factory=dict, init=False)

    def _find(self, client: str, day: date) -> DayUse | None:
        use = self._uses.get(client)
        return use if use is not None and use.day == day else None

    def record(self, client: str, day: date, *, used: int, reserve: int) -> None:
        """Record the answer to a reservation."""
        self._uses[client] = DayUse(day=day, used=used, at=self.clock(), reserve=reserve)

    def has_plenty(self, client: str, day: date, needed: int, *, most: int) -> bool:
        """Return whether *needed* jobs fit without doubt."""
        use = self._find(client, day)
        if use is None or use.used > most:  # the limit may be lower now
            return False
        return use.reserve >= needed or use.used - use.reserve + needed + PLENTY <= most

    def is_full(self, client: str, day: date, *, most: int) -> bool:
        """Return whether nothing was left a moment ago.

        A client at its limit may go on calling: that must not cost a write each.
        """
        use = self._find(client, day)
        return use is not None and use.used >= most and self.clock() < use.at + FULL_SECONDS

    def choose_reserve(self, client: str, day: date, needed: int, *, most: int) -> int:
        """Return how many jobs to reserve for later, together with *needed* ones."""
        use = self._find(client, day)
        if use is None or use.used + needed + PLENTY > most:
            return 0
        return min(MAX_RESERVE, (most - use.used - needed) // RESERVE_PART)

    def read_reserve(self, client: str, day: date) -> int:
        use = self._find(client, day)
        return use.reserve if use is not None else 0

    def take(self, client: str, day: date, count: int, *, most: int) -> int:
        """Take up to *count* jobs out of the reserve; return how many."""
        use = self._find(client, day)
        if use is None or not use.reserve or use.used > most:
            return 0
        taken = min(use.reserve, count)
        self._uses[client] = replace(use, reserve=use.reserve - taken)
        return taken

    def keep(self, client: str, day: date, count: int) -> None:
        """Keep *count* jobs in reserve, whatever it has: MongoDB cannot take them back now."""
        use = self._find(client, day)
        if use is not None:
            self._uses[client] = replace(use, reserve=use.reserve + count)

    def empty(self) -> list[tuple[str, date, int]]:
        """Empty all reserves; return client, day and jobs of each that had some."""
        found = [(name, use.day, use.reserve) for name, use in self._uses.items() if use.reserve]
        self._uses.clear()
        return found

    def put_back(self, client: str, day: date, count: int, *, most: int) -> int:
        """Put *count* jobs that were not needed into the reserve.

        Returns how many must be given back in the store: beyond the largest reserve, or near the
        limit all that there are.
        """
        use = self._find(client, day)
        if use is None:
            return count
        all_unused = use.reserve + count
        kept = min(all_unused, MAX_RESERVE) if use.used + PLENTY <= most else 0
        returned = all_unused - kept
        if count or returned:
            self._uses[client] = replace(use, reserve=kept, used=use.used - returned)
        return returned
