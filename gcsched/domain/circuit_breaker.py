"""When a relay is worth trying. Pure: time is an argument, in seconds of a monotonic clock."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeGuard

from gcsched.domain.smtp_reply import (
    AFTER_MAIL,
    AUTH_CODES,
    COMMAND_ERRORS,
    SERVICE_CLOSING,
    Answered,
    Broken,
    Kind,
    Stage,
    Transmission,
    Withheld,
)

SILENCE_COUNTS_AS_PROBES = 3
BEFORE_DATA = frozenset({Stage.CONNECT, Stage.TLS, Stage.AUTH, Stage.MAIL})
BEFORE_DATA_ANSWERED = BEFORE_DATA | {Stage.RCPT}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """How many troubles in a row open a breaker, and how long the waits between probes are."""

    failure_threshold: int = 5
    initial_wait: timedelta = timedelta(seconds=1)
    max_wait: timedelta = timedelta(seconds=60)

    def wait_seconds(self, probes: int, chance: float) -> float:
        """Double with each failed probe; at least half of it, so that replicas spread out."""
        doubled = self.initial_wait.total_seconds() * (1 << min(probes, 30))
        return min(doubled, self.max_wait.total_seconds()) * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Closed: mails flow. Open: nothing but a probe at *probe_at*, the next one later each time.

    *failures* counts those in a row while it is closed, *probes* those tried since it opened,
    *unanswered_probes* the latest of those: the waits double with them.
    """

    policy: BreakerPolicy
    failures: int = 0
    probes: int = 0
    unanswered_probes: int = 0
    probe_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    def seconds_until_try(self, now: float) -> float:
        """Give how long to leave the relay alone; 0 while it is closed."""
        return 0.0 if self.probe_at is None else max(0.0, self.probe_at - now)

    def overdue_seconds(self, now: float) -> float:
        """Return since when a probe is due; 0 before, and while it is closed."""
        return 0.0 if self.probe_at is None else max(0.0, now - self.probe_at)

    def succeeded(self) -> "Breaker":
        """Close: the relay answered. A mail that was on its way since before tells that as well."""
        return Breaker(policy=self.policy) if self.failures or self.is_open else self

    def failed(self, now: float, *, chance: float) -> "Breaker":
        """Count one trouble. Open already: no probe before a whole wait from now."""
        wait = self.policy.wait_seconds(self.unanswered_probes, chance)
        if self.probe_at is not None:
            return replace(self, probe_at=max(self.probe_at, now + wait))
        troubles = self.failures + 1
        is_enough = troubles >= self.policy.failure_threshold
        return replace(self, failures=troubles, probe_at=now + wait if is_enough else None)

    def opened(
        self, now: float, *, chance: float, failed_probes: int = SILENCE_COUNTS_AS_PROBES
    ) -> "Breaker":
        """Open at once, however few the troubles were, and wait as *failed_probes* so many probes in vain.

        A probe of a relay that is silent costs its mail more than one that is refused.
        """
        wait = self.policy.wait_seconds(max(self.unanswered_probes, failed_probes), chance)
        probe_at = max(self.probe_at or now, now + wait)
        return replace(self, failures=self.policy.failure_threshold, probe_at=probe_at)

    def probed(self, now: float, *, chance: float) -> "Breaker":
        """Note that a probe sets out; it learns `succeeded`, `answered` or `failed`."""
        unanswered = self.unanswered_probes + 1
        wait = self.policy.wait_seconds(unanswered, chance)
        return replace(
            self, probes=self.probes + 1, unanswered_probes=unanswered, probe_at=now + wait
        )

    def answered(self, now: float, *, chance: float) -> "Breaker":
        """Stay open, and probe again after the second wait: the relay answers, and loses no time.

        A relay whose next mail it would accept must not be kept waiting by refusals before it.
        """
        wait = self.policy.wait_seconds(1, chance)
        return replace(self, unanswered_probes=0, probe_at=now + wait)


def is_relay_failure(transmission: Transmission) -> TypeGuard[Answered | Broken]:
    """Tell whether *transmission* speaks against the relay; what it says of a mail does not.

    A session that broke does, also after the body began: a relay that loses its replies should not
    be fed. Withheld does not: the relay was waiting for the body by then.
    """
    if isinstance(transmission, Answered):
        return transmission.kind is Kind.RELAY
    return isinstance(transmission, Broken)


def is_failure_before_body(transmission: Transmission) -> bool:
    """Tell whether a session failed before the relay could wait for a body: another may try.

    So it is with a recipient that was refused, and with a mail that waits for another probe.
    """
    if isinstance(transmission, Answered):
        return transmission.reply.stage in BEFORE_DATA_ANSWERED and is_relay_failure(transmission)
    if isinstance(transmission, Withheld):
        return transmission.wait is not None
    return transmission.stage in BEFORE_DATA


def may_be_caused_by_mail(transmission: Answered | Broken) -> bool:
    """Return whether a relay that is troubled so by one mail may take another all the same."""
    if not isinstance(transmission, Answered):
        return False
    reply = transmission.reply
    is_of_session = reply.code == SERVICE_CLOSING or reply.code in AUTH_CODES | COMMAND_ERRORS
    return reply.stage in AFTER_MAIL and not is_of_session
