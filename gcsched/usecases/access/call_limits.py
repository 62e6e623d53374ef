"""The calls per second of clients, shared by all processes without waiting for any of them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from gcsched.domain.access import Client, ClientLimits
from gcsched.domain.client_limits import Limit, call_limit_error, find_call_limit
from gcsched.domain.token_bucket import Bucket, RateLimit
from gcsched.errors import RedisUnavailable
from gcsched.usecases.loops import run_until
from gcsched.usecases.ports import LimitObserver, NullLimitObserver, SharedCalls
from gcsched.usecases.problem_log import ProblemLog

EXCHANGE_SECONDS = 0.1
MAX_EXCHANGE_DELAY_SECONDS = 1.0
URGENT_PART = 10
"""A tenth of a burst: after so many calls, the others hear of them at once."""
BACK_OFF_SECONDS = 2.0
FORGET_SECONDS = 60.0


@dataclass(slots=True, kw_only=True, eq=False)
class ClientCalls:
    """The calls of one client, as far as this process knows.

    *bucket* has its own calls and those of the others up to the latest exchange, *unreported* are
    the calls since then. *processes* have calls of the client, this one included.
    """

    limits: ClientLimits
    limit: RateLimit
    bucket: Bucket = field(default_factory=Bucket)
    unreported: int = 0
    unreported_since: float = 0.0
    processes: int = 1
    exchange_time: float = 0.0
    call_time: float = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether the others should hear of these calls."""
        is_urgent = self.unreported * URGENT_PART >= self.limit.burst
        is_old = now - self.exchange_time >= MAX_EXCHANGE_DELAY_SECONDS
        return bool(self.unreported) and (is_urgent or is_old)


@dataclass(kw_only=True, eq=False)
class CallLimits:
    """Checks each call of a client against a bucket of this process.

    Ten times a second, while there are calls, it reports them to Redis and takes over those of the
    other processes. So a client may have its whole rate at one process. At several it may have up
    to a burst more at each of them, once; the calls beyond the rate are paid for before others are
    accepted. While Redis is away, each process allows its part of the rate, as many processes as
    had calls of the client.
    """

    shared: SharedCalls
    observer: LimitObserver = field(default_factory=NullLimitObserver)
    clock: Callable[[], float] = time.monotonic
    by_client: dict[str, ClientCalls] = field(default_factory=dict, init=False)
    _last_calls: dict[str, float] = field(default_factory=dict, init=False)
    _has_calls: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _away_until: float = field(default=0.0, init=False)
    _is_away: bool = field(default=False, init=False)
    _problem_log: ProblemLog = field(
        default_factory=partial(
            ProblemLog,
            event="calls of clients no longer shared",
            end_event="calls of clients shared again",
        ),
        init=False,
    )

    def check_call(self, client: Client) -> None:
        """Count a call of *client*. Raises ClientLimit if it has made too many."""
        if client.name:
            self._last_calls[client.name] = self.clock()
        if client.limits.calls_per_second is None:
            return
        calls = self._find(client)
        limit = calls.limit
        if self._is_away and calls.processes > 1:
            limit = limit.divided(calls.processes)
        calls.call_time = now = self.clock()
        calls.bucket, grant = calls.bucket.take(1, limit, now=now)
        if not grant.count:
            self.observer.on_limit(client.name, Limit.CALLS_PER_SECOND)
            raise call_limit_error(client, wait_seconds=grant.wait_seconds)
        if not calls.unreported:
            calls.unreported_since = now
        calls.unreported += 1
        self._has_calls.set()

    def find_idle_time(self, client: str) -> timedelta | None:
        """Return how long ago the client of that name called this process; None: not yet."""
        called_at = self._last_calls.get(client)
        return None if called_at is None else timedelta(seconds=self.clock() - called_at)

    def _find(self, client: Client) -> ClientCalls:
        calls = self.by_client.get(client.name)
        if calls is not None and calls.limits is client.limits:
            return calls
        limit = find_call_limit(client.limits)
        if calls is None:
            self.by_client[client.name] = calls = ClientCalls(limits=client.limits, limit=limit)
        # The clients file was read again.
        calls.limits, calls.limit = client.limits, limit
        return calls

    async def run(self, stop: asyncio.Event) -> None:
        await run_until(stop, self._exchange_forever(), name="exchange of calls")

    async def _exchange_forever(self) -> None:
        while True:
            await self._has_calls.wait()
            self._has_calls.clear()
            await asyncio.sleep(EXCHANGE_SECONDS)
            await self.exchange()

    async def exchange(self) -> None:
        """Report the calls of this process to the others, and take over theirs, once."""
        now = self.clock()
        self._forget_idle(now)
        if now >= self._away_until:
            for name, calls in list(self.by_client.items()):
                if calls.is_due(now) and not await self._exchange_one(name, calls):
                    break
        if any(calls.unreported for calls in self.by_client.values()):
            self._has_calls.set()

    async def _exchange_one(self, name: str, calls: ClientCalls) -> bool:
        """Return whether Redis answered."""
        reported, calls.unreported = calls.unreported, 0
        age_seconds = self.clock() - calls.unreported_since
        try:
            together = await self.shared.add(name, reported, calls.limit, age_seconds=age_seconds)
        except RedisUnavailable as error:
            # What was accepted meanwhile is not lost, but no more than the others could know.
            calls.unreported = min(calls.unreported + reported, calls.limit.burst)
            self._is_away, self._away_until = True, self.clock() + BACK_OFF_SECONDS
            self._problem_log.record_failure(error.for_log)
            return False
        self._is_away = False
        self._problem_log.record_success()
        calls.exchange_time = now = self.clock()
        calls.processes = together.processes
        ahead = together.ahead_seconds + calls.unreported * calls.limit.seconds_per_mail
        # Its own calls count in any case: Redis may have lost its data.
        calls.bucket = Bucket(paid_until=max(calls.bucket.paid_until, now + ahead))
        return True

    def _forget_idle(self, now: float) -> None:
        """Drop the clients that have not called lately, as those do whose name was removed."""
        for name in [name for name, calls in self.by_client.items() if is_idle(calls, now)]:
            del self.by_client[name]


def is_idle(calls: ClientCalls, now: float) -> bool:
    is_paid = calls.bucket.paid_until <= now
    return is_paid and not calls.unreported and now - calls.call_time > FORGET_SECONDS
