"""How many mails one relay may get now: as many as the operator allows, fewer if it complains."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.bucket import Speed
from gcsched.domain.pace import Meter, Pace
from gcsched.domain.replies import Answered, Kind, Transmission, is_throttling, kind_of
from gcsched.usecases.ports import Allowance

WORTH_A_CLAIM_SECONDS = 0.05


@dataclass(kw_only=True, eq=False)
class Pacer:
    """Grants mails for *relay*: *per_second* over the long run (0: no limit), *burst* at once.

    A relay that complains is slowed down by this process alone: each hears its own complaints.
    """

    relay: str
    per_second: float
    burst: int
    allowance: Allowance
    clock: Callable[[], float] = time.monotonic
    _pace: Pace = field(init=False)
    _meter: Meter = field(default_factory=Meter, init=False)
    _reserved_at: Speed | None = field(default=None, init=False)
    _next_at: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(configured=self.per_second)

    def seconds_until_next(self) -> float:
        return max(0.0, self._next_at - self.clock())

    async def reserve(self, most: int) -> int:
        """Give how many of *most* mails may leave now."""
        now = self.clock()
        per_second = self._pace.per_second(now)
        if not per_second:
            self._reserved_at = None
            return most
        self._reserved_at = speed = Speed(per_second=per_second, burst=self.burst)
        grant = await self.allowance.reserve(most, speed)
        if grant.count < most:
            self._next_at = now + max(grant.wait_seconds, worth_a_claim(speed))
        return grant.count

    async def refund(self, count: int) -> None:
        """Take back what the last reservation gave and nobody used."""
        if count and self._reserved_at is not None:
            await self.allowance.refund(count, self._reserved_at)

    def learn(self, transmission: Transmission) -> None:
        """Count what the relay took; slow down when it complains."""
        if not isinstance(transmission, Answered):
            return
        now = self.clock()
        if kind_of(transmission.reply) is Kind.ACCEPTED:
            self._meter = self._meter.counted(now)
        elif is_throttling(transmission.reply):
            self._slow_down(now, str(transmission.reply))

    def _slow_down(self, now: float, complaint: str) -> None:
        before = self._pace
        self._pace = before.throttled(now, took=self._meter.per_second(now))
        if self._pace is not before and not before.is_slow(now):
            structlog.get_logger().warning(
                "relay throttles",
                relay=self.relay,
                error=complaint,
                per_second=round(self._pace.per_second(now), 1),
            )


def worth_a_claim(speed: Speed) -> float:
    """Wait for a few mails rather than for one; not so long that a full burst goes to waste."""
    return min(WORTH_A_CLAIM_SECONDS, speed.burst * speed.seconds_per_mail / 2)
