"""The rate limit of one relay: as the operator allows, and slower while the relay throttles."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.adaptive_rate import AdaptiveRate, RateMeter
from gcsched.domain.masking import PersonalTexts, mask
from gcsched.domain.smtp_reply import Answered, Reply, Transmission, is_throttling
from gcsched.domain.token_bucket import MAX_SLOT_WAIT_SECONDS, RateLimit
from gcsched.usecases.ports import RateAllowance

CLAIM_WAIT_SECONDS = 0.05  # claims for one mail each would cost more than their mails


@dataclass(kw_only=True, eq=False)
class RateLimiter:
    """Grants mails for *relay*: *per_second* over the long run (0: no limit), *burst* at once.

    Mails that are claimed at the rate may bunch up on their way to the relay, so each mail also
    gets a slot just before its body. If the relay throttles, only this process slows down: each
    process hears about its own mails. *share* returns the fraction of the rate that *allowance*
    grants.
    """

    relay: str
    per_second: float
    burst: int
    allowance: RateAllowance
    share: Callable[[], float] = lambda: 1.0
    clock: Callable[[], float] = time.monotonic
    _rate: AdaptiveRate = field(init=False)
    _meter: RateMeter = field(default_factory=RateMeter, init=False)
    _reserved_limit: RateLimit | None = field(default=None, init=False)
    _next_at: float = field(default=0.0, init=False)
    _is_full_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._rate = AdaptiveRate(configured=self.per_second)

    @property
    def effective_per_second(self) -> float:
        """The number of mails per second that are aimed at now; 0: no limit."""
        return self._rate.per_second(self.clock()) * self.share()

    def seconds_until_next(self) -> float:
        return max(0.0, self._next_at - self.clock())

    async def reserve(self, most: int) -> int:
        """Return how many of *most* mails may leave now, and reserve them."""
        now = self.clock()
        per_second = self._rate.per_second(now)
        if not per_second:
            self._reserved_limit = None
            return most
        self._reserved_limit = limit = RateLimit(per_second=per_second, burst=self.burst)
        grant = await self.allowance.reserve(most, limit)
        if grant.count < most:
            self._next_at = now + max(grant.wait_seconds, compute_claim_wait(limit))
        return grant.count

    async def refund(self, count: int) -> None:
        """Undo the latest reservation for *count* mails."""
        if count and self._reserved_limit is not None:
            await self.allowance.refund(count, self._reserved_limit)

    @property
    def is_full(self) -> bool:
        """Whether a mail got no slot lately: another one would not get one either."""
        return self.clock() < self._is_full_until

    async def wait_for_slot(self) -> bool:
        """Wait until this mail may leave; return False if that would take too long."""
        per_second = self._rate.per_second(self.clock())
        if not per_second:
            return True
        limit = RateLimit(per_second=per_second, burst=self.burst)
        wait = await self.allowance.reserve_slot(limit, max_wait=MAX_SLOT_WAIT_SECONDS)
        if wait is None:
            # The next mail would wait as long: it is refused without a round trip to Redis.
            self._is_full_until = self.clock() + limit.seconds_per_mail
            return False
        await asyncio.sleep(wait)
        return True

    def record_acceptance(self) -> None:
        """Count an accepted mail."""
        self._meter = self._meter.counted(self.clock())

    def record_failure(
        self, transmission: Transmission, personal_texts: PersonalTexts | None = None
    ) -> None:
        """Slow down if the relay throttles.

        *personal_texts* are those of the mail, which the log must not repeat.
        """
        if isinstance(transmission, Answered) and is_throttling(transmission.reply):
            self._slow_down(self.clock(), transmission.reply, personal_texts)

    def _slow_down(self, now: float, reply: Reply, personal_texts: PersonalTexts | None) -> None:
        before = self._rate
        self._rate = before.throttled(now, recent_rate=self._meter.per_second(now))
        if self._rate is not before and not before.is_slow(now):
            structlog.get_logger().warning(
                "relay throttles",
                relay=self.relay,
                error=mask(str(reply), personal_texts),
                per_second=round(self._rate.per_second(now), 1),
            )


def compute_claim_wait(limit: RateLimit) -> float:
    """Return how long to wait for a few mails, but not so long that a full burst is wasted."""
    return min(CLAIM_WAIT_SECONDS, limit.burst * limit.seconds_per_mail / 2)
