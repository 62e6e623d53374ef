"""Rate allowances of a relay: a bucket of this process, or one that all replicas share."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.token_bucket import SHARED_BUCKET_TIMEOUT_SECONDS, Bucket, RateGrant, RateLimit
from gcsched.errors import RedisUnavailable
from gcsched.usecases.ports import RateAllowance

REPLICAS_ASSUMED = 4  # while Redis is away
BACK_OFF_SECONDS = 2.0


@dataclass(kw_only=True, eq=False)
class LocalRateAllowance:
    """A token bucket of this process alone."""

    clock: Callable[[], float] = time.monotonic
    _bucket: Bucket = field(default_factory=Bucket, init=False)
    _slots: Bucket = field(default_factory=Bucket, init=False)

    def share(self) -> float:
        """Return the fraction of the rate that this allowance grants."""
        return 1.0

    async def reserve(self, most: int, limit: RateLimit) -> RateGrant:
        self._bucket, grant = self._bucket.take(most, limit, now=self.clock())
        return grant

    async def refund(self, count: int, limit: RateLimit) -> None:
        self._bucket = self._bucket.give_back(count, limit)

    async def reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        return self.reserve_slot_after(0.0, limit, max_wait=max_wait)

    def reserve_slot_after(self, wait: float, limit: RateLimit, *, max_wait: float) -> float | None:
        """Return the wait for a slot, at least *wait* seconds; None if above *max_wait*."""
        now, left = self.clock() + wait, max_wait - wait
        self._slots, slot_wait = self._slots.reserve_slot(limit, max_wait=left, now=now)
        return None if slot_wait is None else wait + slot_wait


@dataclass(kw_only=True, eq=False)
class SharedRateAllowance:
    """The bucket that all replicas share; while Redis is away, a local one at a quarter rate.

    A quarter, because no process knows then what the others send: up to four replicas together stay
    below the limit. After a failure Redis is tried again in two seconds, not before each claim.

    This process also keeps to the whole rate by itself, whatever the shared bucket grants: a bucket
    that is emptied, restored, or read by a clock that jumps would let a burst through each time.
    """

    shared: RateAllowance
    clock: Callable[[], float] = time.monotonic
    _fallback: LocalRateAllowance = field(init=False)
    _local: LocalRateAllowance = field(init=False)
    _fallback_until: float = field(default=0.0, init=False)
    _is_fallback: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._fallback = LocalRateAllowance(clock=self.clock)
        self._local = LocalRateAllowance(clock=self.clock)

    def share(self) -> float:
        """Return the fraction of the rate that is granted: a quarter while Redis is away."""
        return 1 / REPLICAS_ASSUMED if self._is_fallback else 1.0

    async def reserve(self, most: int, limit: RateLimit) -> RateGrant:
        # The local bucket comes first: a claim that it refuses costs no round trip to Redis.
        own = await self._local.reserve(most, limit)
        if own.count == 0:
            return own
        grant = RateGrant(count=0, wait_seconds=0.0)
        try:
            grant = await self._reserve(own.count, limit)
        finally:
            # Also after a cancellation: what Redis did not grant is free in the local bucket again.
            await self._local.refund(own.count - grant.count, limit)
        return grant if grant.count < own.count else own

    async def _reserve(self, most: int, limit: RateLimit) -> RateGrant:
        if self.clock() >= self._fallback_until:
            try:
                grant = await self.shared.reserve(most, limit)
            except RedisUnavailable as error:
                self._fall_back(error)
            else:
                self._rejoin()
                return grant
        return await self._fallback.reserve(most, limit.divided(REPLICAS_ASSUMED))

    async def reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        wait = await self._reserve_slot(limit, max_wait=max_wait)
        if wait is None:
            return None
        # Replies of Redis differ in how long they take, so the slots may come as much later.
        return self._local.reserve_slot_after(
            wait, limit, max_wait=max_wait + SHARED_BUCKET_TIMEOUT_SECONDS
        )

    async def _reserve_slot(self, limit: RateLimit, *, max_wait: float) -> float | None:
        if self.clock() >= self._fallback_until:
            try:
                return await self.shared.reserve_slot(limit, max_wait=max_wait)
            except RedisUnavailable as error:
                self._fall_back(error)
        return await self._fallback.reserve_slot(limit.divided(REPLICAS_ASSUMED), max_wait=max_wait)

    async def refund(self, count: int, limit: RateLimit) -> None:
        await self._local.refund(count, limit)
        if self._is_fallback:
            await self._fallback.refund(count, limit.divided(REPLICAS_ASSUMED))
            return
        try:
            await self.shared.refund(count, limit)
        except RedisUnavailable as error:
            # The reservation stays in the shared bucket and delays the next mails a little.
            self._fall_back(error)

    def _fall_back(self, error: RedisUnavailable) -> None:
        self._fallback_until = self.clock() + BACK_OFF_SECONDS
        if not self._is_fallback:
            structlog.get_logger().warning("rate limit no longer shared", error=error.for_log)
        self._is_fallback = True

    def _rejoin(self) -> None:
        if self._is_fallback:
            structlog.get_logger().info("rate limit shared again")
        self._is_fallback = False
