"""How long a relay may be silent before its mails go elsewhere. Pure: time is an argument."""

from dataclasses import dataclass, replace

MIN_SECONDS = 20.0
MAX_SECONDS = 300.0  # the greeting's limit: RFC 5321 section 4.5.3.2.1
MAX_BODY_SECONDS = 600.0  # the limit of the reply to a body: section 4.5.3.2.6
PERIOD_SECONDS = 3600.0  # longer than any session: in each, one is opened if mails flow
MARGIN = 2.0
BODY_MARGIN = 4.0  # many relays look into a body before they answer: a minute late is not silent


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceLimit:
    """Twice what the relay needed at most until it took a body, in this hour and the one before.

    So a relay that is merely slow is soon known to be so. *slowest* and *slowest_before* are
    seconds in the two periods, *period_start* is when the present one began.
    """

    min_seconds: float = MIN_SECONDS
    max_seconds: float = MAX_SECONDS
    slowest: float = 0.0
    slowest_before: float = 0.0
    period_start: float = 0.0

    @property
    def seconds(self) -> float:
        needed = max(self.slowest, self.slowest_before)
        return min(self.max_seconds, max(self.min_seconds, MARGIN * needed))

    def learned(self, took: float, *, now: float) -> "SilenceLimit":
        """Note that the relay needed *took* seconds until it took a body, or refused the mail."""
        if now - self.period_start >= PERIOD_SECONDS:
            return replace(self, slowest=took, slowest_before=self.slowest, period_start=now)
        return replace(self, slowest=took) if took > self.slowest else self

    def for_body(self) -> "SilenceLimit":
        """Return how long, at first, no body may be answered while mails wait for a session."""
        return SilenceLimit(
            min_seconds=BODY_MARGIN * self.min_seconds, max_seconds=MAX_BODY_SECONDS
        )

    def for_probe(self, number: int) -> float:
        """Return for how long the *number*-th probe in a row may wait if its mail can go elsewhere.

        Twice as long as another mail; every fourth waits twice as long as that, every eighth four
        times, and so on. So a relay that became slower than it ever was is found usable again,
        while few mails wait for it long: where mails are rare, each of them is a probe.
        """
        fourths = number & -number  # the largest power of two that divides it
        return min(self.max_seconds, MARGIN * self.seconds * max(1, fourths // 2))
