"""A rate limit with bursts, by the generic cell rate algorithm (GCRA). Pure."""

import math
from dataclasses import dataclass

MAX_SLOT_WAIT_SECONDS = 2.0
"""The longest wait of a mail for its slot, just before its body."""
SHARED_BUCKET_TIMEOUT_SECONDS = 0.25
"""The time limit of the bucket in Redis, which all replicas share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """*per_second* mails on average, and *burst* of them at once after a pause.

    So at most ``burst + per_second`` mails leave in any second.
    """

    per_second: float
    burst: int

    @property
    def seconds_per_mail(self) -> float:
        return 1 / self.per_second

    def divided(self, share: int) -> "RateLimit":
        """Return the limit of each of *share* processes that together keep to this one."""
        return RateLimit(per_second=self.per_second / share, burst=max(1, self.burst // share))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateGrant:
    """The number of mails that may leave now, and the wait until the next one may."""

    count: int
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Each mail adds its interval to *paid_until*, which may be ahead of now by one burst."""

    paid_until: float = -math.inf

    def take(self, most: int, limit: RateLimit, *, now: float) -> tuple["Bucket", RateGrant]:
        paid_until, tolerance = max(self.paid_until, now), limit.burst * limit.seconds_per_mail
        # A tolerance of a thousandth of a mail, for rounding errors of the sums.
        room = math.floor(limit.burst - (paid_until - now) * limit.per_second + 0.001)
        count = max(0, min(most, room))
        paid_until += count * limit.seconds_per_mail
        wait = max(0.0, paid_until + limit.seconds_per_mail - tolerance - now)
        return Bucket(paid_until=paid_until), RateGrant(count=count, wait_seconds=wait)

    def give_back(self, count: int, limit: RateLimit) -> "Bucket":
        """Put back the slots of *count* mails that did not leave."""
        return Bucket(paid_until=self.paid_until - count * limit.seconds_per_mail)

    def reserve_slot(
        self, limit: RateLimit, *, max_wait: float, now: float
    ) -> tuple["Bucket", float | None]:
        """Reserve the next slot; return its wait in seconds, None if longer than *max_wait*."""
        paid_until = max(self.paid_until, now) + limit.seconds_per_mail
        wait = max(0.0, paid_until - limit.burst * limit.seconds_per_mail - now)
        return (self, None) if wait > max_wait else (Bucket(paid_until=paid_until), wait)
