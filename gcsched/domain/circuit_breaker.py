"""The circuit breaker of a relay. Pure: time is an argument, in seconds of a monotonic clock."""

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
    Reply,
    Stage,
    Transmission,
    Withheld,
    blames_sender,
)

SILENCE_COUNTS_AS_PROBES = 3
BEFORE_DATA = frozenset({Stage.CONNECT, Stage.TLS, Stage.AUTH, Stage.MAIL})
BEFORE_DATA_ANSWERED = BEFORE_DATA | {Stage.RCPT}


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """The number of failures in a row that open a breaker, and the waits between probes."""

    failure_threshold: int = 5
    initial_wait: timedelta = timedelta(seconds=1)
    max_wait: timedelta = timedelta(seconds=60)

    def wait_seconds(self, probes: int, chance: float) -> float:
        """Return the wait after *probes* probes: it doubles, with jitter to spread replicas."""
        doubled = self.initial_wait.total_seconds() * (1 << min(probes, 30))
        return min(doubled, self.max_wait.total_seconds()) * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Closed: mails flow. Open (*probe_at* is set): one mail at a time probes the relay.

    *failures* counts the failures in a row while it is closed, *probes* the probes since it
    opened, *unanswered_probes* the latest of them without a reply: the waits double with these.
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
        """Return how long to leave the relay alone; 0 while the breaker is closed."""
        return 0.0 if self.probe_at is None else max(0.0, self.probe_at - now)

    def overdue_seconds(self, now: float) -> float:
        """Return for how long a probe has been due; 0 before, and while the breaker is closed."""
        return 0.0 if self.probe_at is None else max(0.0, now - self.probe_at)

    def succeeded(self) -> "Breaker":
        """Close: the relay works, as a probe or a mail from before the breaker opened has shown."""
        return Breaker(policy=self.policy) if self.failures or self.is_open else self

    def failed(self, now: float, *, chance: float) -> "Breaker":
        """Count one failure; while open, put off the next probe by a whole wait from now."""
        wait = self.policy.wait_seconds(self.unanswered_probes, chance)
        if self.probe_at is not None:
            return replace(self, probe_at=max(self.probe_at, now + wait))
        failures = self.failures + 1
        is_enough = failures >= self.policy.failure_threshold
        return replace(self, failures=failures, probe_at=now + wait if is_enough else None)

    def opened(
        self, now: float, *, chance: float, failed_probes: int = SILENCE_COUNTS_AS_PROBES
    ) -> "Breaker":
        """Open at once, after any number of failures, and wait as after *failed_probes*.

        A silent relay gets the longer wait, because its probe holds a mail up until a time limit.
        """
        wait = self.policy.wait_seconds(max(self.unanswered_probes, failed_probes), chance)
        probe_at = max(self.probe_at or now, now + wait)
        return replace(self, failures=self.policy.failure_threshold, probe_at=probe_at)

    def probed(self, now: float, *, chance: float) -> "Breaker":
        """Note that a probe starts; `succeeded`, `answered` or `failed` reports how it ended."""
        unanswered = self.unanswered_probes + 1
        wait = self.policy.wait_seconds(unanswered, chance)
        return replace(
            self, probes=self.probes + 1, unanswered_probes=unanswered, probe_at=now + wait
        )

    def answered(self, now: float, *, chance: float) -> "Breaker":
        """Stay open after a probe that the relay refused, and probe again soon.

        The relay answers and may accept the next mail, so the wait does not go on doubling.
        """
        wait = self.policy.wait_seconds(1, chance)
        return replace(self, unanswered_probes=0, probe_at=now + wait)


def is_relay_failure(transmission: Transmission) -> TypeGuard[Answered | Broken]:
    """Return whether *transmission* counts against the relay; a refusal of one mail does not.

    A broken session counts, also after the body began: a relay that loses its replies should get
    no more mails. Withheld does not: the relay was ready for the body.
    """
    if isinstance(transmission, Answered):
        return transmission.kind is Kind.RELAY
    return isinstance(transmission, Broken)


def is_failure_before_body(transmission: Transmission) -> bool:
    """Return whether the mail failed before its body could begin, so that another relay may try.

    This includes a refused recipient, and a mail that was held back for another probe.
    """
    if isinstance(transmission, Answered):
        return transmission.reply.stage in BEFORE_DATA_ANSWERED and is_relay_failure(transmission)
    if isinstance(transmission, Withheld):
        return transmission.wait is not None
    return transmission.stage in BEFORE_DATA


def may_be_caused_by_mail(transmission: Answered | Broken) -> bool:
    """Return whether this failure may be about the mail, so that the relay may take another."""
    if not isinstance(transmission, Answered):
        return False
    reply = transmission.reply
    return reply.stage in AFTER_MAIL and not is_of_session(reply)


def may_be_caused_by_sender(transmission: Answered | Broken) -> bool:
    """Return whether the relay may refuse this sender alone, and take the mails of others."""
    if not isinstance(transmission, Answered) or is_of_session(transmission.reply):
        return False
    return transmission.kind is Kind.RELAY and blames_sender(transmission.reply)


def is_of_session(reply: Reply) -> bool:
    return reply.code == SERVICE_CLOSING or reply.code in AUTH_CODES | COMMAND_ERRORS
