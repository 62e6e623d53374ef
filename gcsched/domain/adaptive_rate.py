"""The rate at which a relay takes mails: halved when it throttles us, then raised slowly. Pure.

Additive increase, multiplicative decrease, as in TCP (Chiu and Jain, 1989).
"""

from dataclasses import dataclass, replace

MIN_PER_SECOND = 0.2
REACTION_SECONDS = 1.0
RECOVERY_SECONDS = 300.0
# A relay without a configured limit is unlimited again at this multiple of the rate at which it
# first throttled us.
UNLIMITED_FACTOR = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateMeter:
    """The number of mails that a relay took in this second and in the one before."""

    second: int = 0
    count: int = 0
    previous_count: int = 0

    def counted(self, now: float) -> "RateMeter":
        if int(now) == self.second:
            return replace(self, count=self.count + 1)
        before = self.count if int(now) == self.second + 1 else 0
        return RateMeter(second=int(now), count=1, previous_count=before)

    def per_second(self, now: float) -> int:
        """Return what it took in the last full second, or in this one if that is more already."""
        match int(now) - self.second:
            case 0:
                return max(self.count, self.previous_count)
            case 1:
                return self.count
            case _:
                return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveRate:
    """Mails per second: set to *slowed_to* at *slowed_at*, growing back towards *normal*.

    *configured* is the operator's limit. 0 means no limit in each of them.
    """

    configured: float = 0.0
    normal: float = 0.0
    slowed_to: float = 0.0
    slowed_at: float = 0.0

    def per_second(self, now: float) -> float:
        if not self.slowed_to:
            return self.configured
        passed = (now - self.slowed_at) / RECOVERY_SECONDS
        grown = self.slowed_to + self.normal * passed
        if self.configured:
            return min(grown, self.configured)
        return grown if grown < self.normal * UNLIMITED_FACTOR else 0.0

    def is_slow(self, now: float) -> bool:
        return self.per_second(now) != self.configured

    def throttled(self, now: float, *, recent_rate: float) -> "AdaptiveRate":
        """Halve the rate, at most once a second.

        *recent_rate* is how many mails per second the relay took lately. A relay that took none is
        not throttling us: it is unavailable, and the circuit breaker handles that.
        """
        # Complaints in the second after a change are about mails sent at the rate before it.
        if not recent_rate or (self.slowed_to and now - self.slowed_at < REACTION_SECONDS):
            return self
        speed = self.per_second(now) or recent_rate
        return replace(
            self,
            normal=self.normal if self.is_slow(now) else speed,
            slowed_to=max(speed / 2, min(speed, MIN_PER_SECOND)),
            slowed_at=now,
        )
