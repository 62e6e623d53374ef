"""When a relay is worth trying. Pure: time is an argument, in seconds of a monotonic clock."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeGuard

from gcsched.domain.replies import (
    TRANSIENT,
    Answered,
    Broken,
    Kind,
    Stage,
    Transmission,
    kind_of,
)

AFTER_SILENCE = 3
BEFORE_DATA = frozenset({Stage.CONNECT, Stage.TLS, Stage.AUTH, Stage.MAIL})


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """How many troubles in a row open a breaker, and how long the waits between probes are."""

    troubles: int = 5
    first_wait: timedelta = timedelta(seconds=1)
    longest_wait: timedelta = timedelta(seconds=60)

    def wait_seconds(self, probes: int, chance: float) -> float:
        """Double with each failed probe; at least half of it, so that replicas spread out."""
        doubled = self.first_wait.total_seconds() * (1 << min(probes, 30))
        return min(doubled, self.longest_wait.total_seconds()) * (0.5 + chance / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Closed: mails flow. Open: nothing but a probe at *probe_at*, the next one later each time.

    *troubles* counts those in a row while it is closed, *probes* those tried since it opened.
    """

    policy: BreakerPolicy
    troubles: int = 0
    probes: int = 0
    probe_at: float | None = None

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    def seconds_until_try(self, now: float) -> float:
        """Give how long to leave the relay alone; 0 while it is closed."""
        return 0.0 if self.probe_at is None else max(0.0, self.probe_at - now)

    def succeeded(self) -> "Breaker":
        """Close: the relay answered. A mail that was on its way since before tells that as well."""
        return Breaker(policy=self.policy) if self.troubles or self.is_open else self

    def failed(self, now: float, *, chance: float) -> "Breaker":
        """Count one trouble. Open already: no probe before a whole wait from now."""
        wait = self.policy.wait_seconds(self.probes, chance)
        if self.probe_at is not None:
            return replace(self, probe_at=max(self.probe_at, now + wait))
        troubles = self.troubles + 1
        is_enough = troubles >= self.policy.troubles
        return replace(self, troubles=troubles, probe_at=now + wait if is_enough else None)

    def opened(self, now: float, *, chance: float) -> "Breaker":
        """Open at once, however few the troubles were, and wait as after three probes in vain.

        A probe of a relay that is silent costs its mail more than one that is refused.
        """
        wait = self.policy.wait_seconds(max(self.probes, AFTER_SILENCE), chance)
        probe_at = max(self.probe_at or now, now + wait)
        return replace(self, troubles=self.policy.troubles, probe_at=probe_at)

    def probed(self, now: float, *, chance: float) -> "Breaker":
        """Note that a probe sets out; what it learns comes as `succeeded` or `failed`."""
        wait = self.policy.wait_seconds(self.probes + 1, chance)
        return replace(self, probes=self.probes + 1, probe_at=now + wait)


def is_trouble(transmission: Transmission) -> TypeGuard[Answered | Broken]:
    """Tell whether *transmission* speaks against the relay; what it says of a mail does not.

    A session that broke does, also after the body began: a relay that loses its replies should not
    be fed. Withheld does not: the relay was waiting for the body by then.
    """
    if isinstance(transmission, Answered):
        return kind_of(transmission.reply) is Kind.OURS
    return isinstance(transmission, Broken)


def is_early_trouble(transmission: Transmission) -> bool:
    """Tell whether a session failed before the relay could wait for a body: another may try."""
    if isinstance(transmission, Answered):
        return transmission.reply.stage in BEFORE_DATA and is_trouble(transmission)
    return isinstance(transmission, Broken) and transmission.stage in BEFORE_DATA


def refuses_login(trouble: Answered | Broken) -> bool:
    """Tell whether somebody has to correct the login; a 4xx goes away by itself."""
    if not isinstance(trouble, Answered):
        return False
    reply = trouble.reply
    return reply.stage is Stage.AUTH and reply.code not in TRANSIENT
