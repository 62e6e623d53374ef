"""The health of a relay by its mails and checks, and the next check. Pure: waits in seconds."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from gcsched.domain.circuit_breaker import BreakerPolicy
from gcsched.domain.relay_advice import stage_of
from gcsched.domain.smtp_reply import TRANSIENT, Answered, Broken, Stage

SESSION_STAGES = frozenset({Stage.CONNECT, Stage.TLS, Stage.AUTH})
IDLE_SECONDS = 60.0
LOGIN_REFUSED_SECONDS = 300.0  # relays lock accounts after some wrong logins in a few minutes


class RelayState(StrEnum):
    """Whether a relay can be used, as far as a process knows."""

    UNKNOWN = "UNKNOWN"  # no mail and no check has ended yet
    UP = "UP"  # it answered
    FAILED = "FAILED"  # the last check could not open a session; mails are still tried
    DOWN = "DOWN"  # its breaker is open: mails are held back from it


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """The *state* of a relay since *state_time*.

    *error* is the latest failure that nothing has disproved since; "" if there is none. At
    *check_time* the relay is checked next, unless a mail shows its state before; None: not known.
    """

    state: RelayState = RelayState.UNKNOWN
    error: str = ""
    state_time: datetime | None = None
    check_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The end of a check: *failure* is why no session could be opened; None: one could."""

    failure: Answered | Broken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayObservation:
    """The finding of a mail or a check about its relay; *error* is "" if nothing is wrong.

    *clears_error* is False for a check that passed while mails were refused: only an accepted mail
    disproves that. *is_down* is whether the breaker is open after it.
    """

    error: str = ""
    is_check: bool = False
    is_login_refused: bool = False
    clears_error: bool = True
    is_down: bool = False


NOTHING_WRONG = RelayObservation()


def next_state(state: RelayState, observation: RelayObservation) -> RelayState:
    """Return the state after *observation* of a relay that was in *state*."""
    if observation.is_down:
        return RelayState.DOWN
    if not observation.error:
        return RelayState.UP
    # One failed mail proves little: a check follows soon, and the breaker counts failures.
    is_proven = observation.is_check or state is RelayState.UNKNOWN
    return RelayState.FAILED if is_proven else state


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSchedule:
    """The schedule of a relay's checks: at once, then while it is idle, and sooner while it fails.

    *failed_checks* counts the failed checks in a row; *is_suspect*: a mail or a check has failed.
    """

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    is_new: bool = True
    failed_checks: int = 0
    is_suspect: bool = False
    is_login_refused: bool = False

    def after(self, observation: RelayObservation) -> "CheckSchedule":
        if not observation.error:
            is_settled = not (self.is_new or self.is_suspect or self.is_login_refused)
            return self if is_settled else CheckSchedule(policy=self.policy, is_new=False)
        return replace(
            self,
            is_new=False,
            failed_checks=self.failed_checks + observation.is_check,
            is_suspect=True,
            is_login_refused=observation.is_login_refused,
        )

    def wait_seconds(self, chance: float) -> float:
        """Return how long a relay must be idle before a check; *chance* spreads the replicas."""
        if self.is_new:
            return 0.0
        if self.is_login_refused:
            return LOGIN_REFUSED_SECONDS * (1.0 + chance / 4)
        if self.is_suspect:
            return self.policy.wait_seconds(max(self.failed_checks - 1, 0), chance)
        return IDLE_SECONDS * (0.75 + chance / 2)


def is_session_failure(failure: Answered | Broken) -> bool:
    """Return whether no session could be opened, so that the next open session disproves it."""
    return stage_of(failure) in SESSION_STAGES


def is_login_refused(failure: Answered | Broken) -> bool:
    """Return whether the relay refused the login, so that another try is another wrong login."""
    if not isinstance(failure, Answered):
        return False
    return failure.reply.stage is Stage.AUTH and failure.reply.code not in TRANSIENT
