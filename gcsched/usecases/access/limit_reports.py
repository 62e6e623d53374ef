"""How far clients use their limits: a log line when one comes near, and numbers for metrics."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import structlog
from msgspec import Struct

from gcsched.domain.client_limits import Limit, day_of
from gcsched.usecases.ports import Clock

WARN_PERCENT = 80
RATIO_LIFETIME = timedelta(minutes=1)
"""For how long a ratio that is not of the whole day is shown after it was last known."""
MAX_SERIES = 1_000
OTHERS = "(others)"

ClientAndLimit = tuple[str, Limit]


class LatestUse(Struct, frozen=True, kw_only=True):
    """The part of a limit that was used at *time*."""

    ratio: float
    time: datetime


@dataclass(kw_only=True, eq=False)
class LimitReports:
    """The port `LimitObserver`: logs each client and limit at most twice a day, and counts.

    The names of clients are the operator's. Beyond MAX_SERIES of them, they are counted together,
    so that metrics stay few however often the clients file changes.
    """

    now: Clock
    _latest: dict[ClientAndLimit, LatestUse] = field(default_factory=dict, init=False)
    _refused: Counter[ClientAndLimit] = field(default_factory=Counter, init=False)
    _logged: dict[tuple[str, Limit, str], date] = field(default_factory=dict, init=False)

    def on_usage(self, client: str, limit: Limit, used: int, most: int) -> None:
        """Record that *client* has used *used* of *most*."""
        key = client, limit
        if key in self._latest or len(self._latest) < MAX_SERIES:
            # A limit of 0 allows nothing: it is always used up.
            ratio = used / most if most else 1.0
            self._latest[key] = LatestUse(ratio=ratio, time=self.now())
        if used * 100 >= most * WARN_PERCENT and self._is_first(client, limit, "near"):
            structlog.get_logger().warning(
                "client comes near its limit", client=client, limit=str(limit), used=used, most=most
            )

    def on_limit(self, client: str, limit: Limit) -> None:
        """Record that a call or a job of *client* was refused."""
        key = client, limit
        if key not in self._refused and len(self._refused) >= MAX_SERIES:
            key = OTHERS, limit
        self._refused[key] += 1
        if self._is_first(client, limit, "refused"):
            structlog.get_logger().warning(
                "client has reached its limit", client=client, limit=str(limit)
            )

    def _is_first(self, client: str, limit: Limit, event: str) -> bool:
        """Return whether it is the first *event* of this day."""
        today, key = day_of(self.now()), (client, limit, event)
        if self._logged.get(key) == today:
            return False
        self._logged = {each: day for each, day in self._logged.items() if day == today}
        self._logged[key] = today
        return True

    @property
    def refused(self) -> Mapping[ClientAndLimit, int]:
        """Return how many calls and jobs were refused."""
        return dict(self._refused)

    @property
    def ratios(self) -> Mapping[ClientAndLimit, float]:
        """Return the part of each limit that is used, as far as it is known for this moment."""
        now = self.now()
        return {key: use.ratio for key, use in self._latest.items() if is_current(key, use, now)}


def is_current(key: ClientAndLimit, use: LatestUse, now: datetime) -> bool:
    if key[1] is Limit.JOBS_PER_DAY:
        return day_of(use.time) == day_of(now)
    return now - use.time <= RATIO_LIFETIME
