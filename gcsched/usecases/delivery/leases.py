"""The leases of claimed jobs: renewed until each job is concluded, and counted to limit claims."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from gcsched.domain.job import LEASE
from gcsched.errors import StoreUnavailable
from gcsched.usecases.loops import sleep_unless
from gcsched.usecases.ports import ClaimedBatch, Claims, Conclusion
from gcsched.usecases.problem_log import ProblemLog

RENEW_EVERY = timedelta(seconds=10)  # a lease survives failed renewals
AFTER_FAILURE = timedelta(seconds=1)


class Leases:
    """Counts the jobs held under each claim token, renews their leases, and computes the room left.

    It also knows when the lease of each token ends at the earliest, for the fence. The jobs that
    *exempt_count* counts take no room: they wait for something other than a session, such as a slot
    of their domain.
    """

    def __init__(
        self, claims: Claims, *, capacity: int, exempt_count: Callable[[], int] = lambda: 0
    ) -> None:
        self._claims = claims
        self._capacity = capacity
        self._exempt_count = exempt_count
        self._tokens: Counter[str] = Counter()
        self._ends: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._problem_log = ProblemLog(
            event="lease renewal failed, retrying", end_event="lease renewals resumed"
        )

    @property
    def job_count(self) -> int:
        return self._tokens.total()

    @property
    def room(self) -> int:
        return self._capacity - self.job_count + self._exempt_count()

    @property
    def is_short_of_room(self) -> bool:
        return self.room < (self._capacity + 1) // 2

    @property
    def room_for_urgent(self) -> int:
        """Return the room for urgent jobs, which do not wait until the others are done."""
        return self.room + self._capacity

    def add(self, batch: ClaimedBatch) -> None:
        if batch.jobs:
            self._tokens[batch.token] += len(batch.jobs)
            self._ends[batch.token] = batch.lease_end

    def find_end(self, token: str) -> float:
        """Return the earliest end of the lease of *token*, by ``time.monotonic()``.

        A renewal counts only if its answer came. A token without jobs has no lease: the past.
        """
        return self._ends.get(token, float("-inf"))

    def release(self, conclusion: Conclusion) -> None:
        """Stop counting one job: the store has its conclusion."""
        token = conclusion.claim
        self._tokens[token] -= 1
        if self._tokens[token] <= 0:
            del self._tokens[token]
            self._ends.pop(token, None)
        self._changed.set()

    async def wait_for_room(self) -> None:
        """Wait until half of the capacity is free, so that claims stay worth their round trips."""
        while self.is_short_of_room:
            self._changed.clear()
            await self._changed.wait()

    async def run(self, stop: asyncio.Event) -> None:
        wait = RENEW_EVERY
        while not stop.is_set():
            await sleep_unless(stop, wait.total_seconds())
            wait = RENEW_EVERY if await self.renew() else AFTER_FAILURE

    async def renew(self) -> bool:
        """Renew all leases once; return False if the store did not answer."""
        if not self._tokens:
            return True
        tokens = list(self._tokens)
        # Before the statement: the server sets the lease later, so this end is never too late.
        end = time.monotonic() + LEASE.total_seconds()
        try:
            left_out = await self._claims.renew(tokens)
        except StoreUnavailable as error:
            self._problem_log.record_failure(error.for_log, held=self.job_count)
            return False
        self._problem_log.record_success()
        self._ends |= {each: end for each in tokens if each in self._ends and each not in left_out}
        return True
