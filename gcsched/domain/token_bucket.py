"""How many mails may leave now, at a speed with bursts: the generic cell rate algorithm. Pure."""

import math
from dataclasses import dataclass

MAX_SLOT_WAIT_SECONDS = 2.0
"""How long a mail waits for its slot, just before its body."""
SHARED_BUCKET_TIMEOUT_SECONDS = 0.25
"""How long the bucket that all replicas share may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """So many mails *per_second* over the long run, and *burst* of them at once after a pause.

    So any second sees ``burst + per_second`` at most.
    """

    per_second: float
    burst: int

    @property
    def seconds_per_mail(self) -> float:
        return 1 / self.per_second

    def divided(self, share: int) -> "RateLimit":
        """Give the speed of one of *share* that together keep to this one."""
        return RateLimit(per_second=self.per_second / share, burst=max(1, self.burst // share))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateGrant:
    """How many mails may leave now, and how long it is until another one may."""

    count: int
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Each mail pays for its time; *paid_until* may run ahead of now by a burst, not by more."""

    paid_until: float = -math.inf

    def take(self, most: int, limit: RateLimit, *, now: float) -> tuple["Bucket", RateGrant]:
        paid_until, ahead = max(self.paid_until, now), limit.burst * limit.seconds_per_mail
        # A thousandth of a mail more, because the fractions do not add up exactly.
        room = math.floor(limit.burst - (paid_until - now) * limit.per_second + 0.001)
        count = max(0, min(most, room))
        paid_until += count * limit.seconds_per_mail
        wait = max(0.0, paid_until + limit.seconds_per_mail - ahead - now)
        return Bucket(paid_until=paid_until), RateGrant(count=count, wait_seconds=wait)

    def give_back(self, count: int, limit: RateLimit) -> "Bucket":
        """Undo the taking of *count* mails that did not leave."""
        return Bucket(paid_until=self.paid_until - count * limit.seconds_per_mail)

    def reserve_slot(
        self, limit: RateLimit, *, max_wait: float, now: float
    ) -> tuple["Bucket", float | None]:
        """Give the next mail its slot: in how many seconds; None if later than *max_wait*."""
        paid_until = max(self.paid_until, now) + limit.seconds_per_mail
        wait = max(0.0, paid_until - limit.burst * limit.seconds_per_mail - now)
        return (self, None) if wait > max_wait else (Bucket(paid_until=paid_until), wait)
