"""How many jobs of each client wait to be sent, counted at most once a second."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from msgspec import Struct

from gcsched.domain.access import Client
from gcsched.domain.client_limits import Limit
from gcsched.usecases.ports import LimitObserver, NullLimitObserver, UsageStore

COUNT_INTERVAL_SECONDS = 1.0
# Counting many jobs takes long: it may use a twentieth of the time, and no more.
COUNT_SHARE = 20


class WaitingCount(Struct, frozen=True, kw_only=True):
    """A count, with the jobs that were admitted since; it is valid until *end*."""

    jobs: int
    end: float


@dataclass(kw_only=True, eq=False)
class WaitingJobs:
    """The limit `jobs_waiting`, as far as this process knows.

    Between two counts it knows only of the jobs that it has admitted itself. So clients may exceed
    the limit by what the other processes admit in that second.
    """

    usage: UsageStore
    observer: LimitObserver = field(default_factory=NullLimitObserver)
    clock: Callable[[], float] = time.monotonic
    _counts: dict[str, WaitingCount] = field(default_factory=dict, init=False)

    async def find_room(self, client: Client, *, within: timedelta) -> int | None:
        """Return how many jobs may be admitted; None: as many as there are."""
        most = client.limits.jobs_waiting
        if most is None:
            return None
        known = self._counts.get(client.name)
        if known is None or self.clock() >= known.end:
            known = await self._count(client.name, most, within)
        return max(0, most - known.jobs)

    def record_admitted(self, client: Client, count: int) -> None:
        known, most = self._counts.get(client.name), client.limits.jobs_waiting
        if known is not None and most is not None:
            self._counts[client.name] = WaitingCount(jobs=known.jobs + count, end=known.end)
            self.observer.on_usage(client.name, Limit.JOBS_WAITING, known.jobs + count, most)

    async def _count(self, client: str, most: int, within: timedelta) -> WaitingCount:
        start = self.clock()
        jobs = await self.usage.count_waiting(client, most=most, within=within)
        end = self.clock()
        pause = max(COUNT_INTERVAL_SECONDS, COUNT_SHARE * (end - start))
        self._counts[client] = known = WaitingCount(jobs=jobs, end=start + pause)
        self.observer.on_usage(client, Limit.JOBS_WAITING, jobs, most)
        return known
