"""How many mails one relay may get now: as many as the operator allows, fewer if it complains."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.adaptive_rate import Meter, Pace
from gcsched.domain.masking import Letter, masked
from gcsched.domain.smtp_reply import Answered, Kind, Reply, Transmission, is_throttling, kind_of
from gcsched.domain.token_bucket import SLOT_PATIENCE_SECONDS, Speed
from gcsched.usecases.ports import Allowance

WORTH_A_CLAIM_SECONDS = 0.05


@dataclass(kw_only=True, eq=False)
class Pacer:
    """Grants mails for *relay*: *per_second* over the long run (0: no limit), *burst* at once.

    What is claimed at the rate may bunch up on its way to the relay: so each mail also gets a slot
    just before its body. A relay that complains is slowed down by this process alone: each hears
    its own complaints. *share* tells which part of the speed the allowance keeps to.
    """

    relay: str
    per_second: float
    burst: int
    allowance: Allowance
    share: Callable[[], float] = lambda: 1.0
    clock: Callable[[], float] = time.monotonic
    _pace: Pace = field(init=False)
    _meter: Meter = field(default_factory=Meter, init=False)
    _reserved_at: Speed | None = field(default=None, init=False)
    _next_at: float = field(default=0.0, init=False)
    _is_full_until: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(configured=self.per_second)

    @property
    def effective_per_second(self) -> float:
        """How many mails a second are aimed at now; 0: no limit."""
        return self._pace.per_second(self.clock()) * self.share()

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

    @property
    def is_full(self) -> bool:
        """Tell whether a mail was refused a slot lately: another one would be, too."""
        return self.clock() < self._is_full_until

    async def wait_for_slot(self) -> bool:
        """Wait until this mail may leave; False if its session would have to wait for too long."""
        per_second = self._pace.per_second(self.clock())
        if not per_second:
            return True
        speed = Speed(per_second=per_second, burst=self.burst)
        wait = await self.allowance.slot(speed, patience=SLOT_PATIENCE_SECONDS)
        if wait is None:
            self._is_full_until = self.clock() + speed.seconds_per_mail
            return False
        await asyncio.sleep(wait)
        return True

    def learn(self, transmission: Transmission, letter: Letter | None = None) -> None:
        """Count what the relay took; slow down when it complains, of the mail with *letter*."""
        if not isinstance(transmission, Answered):
            return
        now = self.clock()
        if kind_of(transmission.reply) is Kind.ACCEPTED:
            self._meter = self._meter.counted(now)
        elif is_throttling(transmission.reply):
            self._slow_down(now, transmission.reply, letter)

    def _slow_down(self, now: float, complaint: Reply, letter: Letter | None) -> None:
        before = self._pace
        self._pace = before.throttled(now, took=self._meter.per_second(now))
        if self._pace is not before and not before.is_slow(now):
            structlog.get_logger().warning(
                "relay throttles",
                relay=self.relay,
                error=masked(str(complaint), letter),
                per_second=round(self._pace.per_second(now), 1),
            )


def worth_a_claim(speed: Speed) -> float:
    """Wait for a few mails rather than for one; not so long that a full burst goes to waste."""
    return min(WORTH_A_CLAIM_SECONDS, speed.burst * speed.seconds_per_mail / 2)
