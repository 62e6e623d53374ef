"""The adaptive limit on a relay's silence before it counts as failed. Pure."""

from dataclasses import dataclass, replace

MIN_SECONDS = 20.0
MAX_SECONDS = 300.0  # the greeting's limit: RFC 5321 section 4.5.3.2.1
MAX_BODY_SECONDS = 600.0  # the limit of the reply to a body: section 4.5.3.2.6
PERIOD_SECONDS = 3600.0  # longer than any session, so that each period sees new sessions
MARGIN = 2.0
BODY_MARGIN = 4.0  # many relays scan a body before they answer


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceLimit:
    """Twice the longest time that the relay needed for a mail, in this hour and the one before.

    So the limit soon adapts to a relay that is merely slow. *slowest* and *slowest_before* are
    the longest times in the two periods, in seconds; *period_start* is when the present one began.
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

    def learned(self, duration: float, *, now: float) -> "SilenceLimit":
        """Record that the relay took *duration* seconds to accept a body or to refuse the mail."""
        if now - self.period_start >= PERIOD_SECONDS:
            return replace(self, slowest=duration, slowest_before=self.slowest, period_start=now)
        return replace(self, slowest=duration) if duration > self.slowest else self

    def for_body(self) -> "SilenceLimit":
        """Return the initial limit for the reply to a body while mails wait for a session."""
        return SilenceLimit(
            min_seconds=BODY_MARGIN * self.min_seconds, max_seconds=MAX_BODY_SECONDS
        )

    def for_probe(self, number: int) -> float:
        """Return the limit of the *number*-th probe in a row if its mail can use another relay.

        Twice as long as another mail; every fourth probe twice as long as that, every eighth four
        times, and so on. So a relay that became slower than ever is found usable again, while few
        mails wait long for it: with little traffic each mail is a probe.
        """
        power = number & -number  # the largest power of two that divides it
        return min(self.max_seconds, MARGIN * self.seconds * max(1, power // 2))
