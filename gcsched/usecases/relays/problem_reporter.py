"""Reports what is wrong with one relay, in the same words to its health and to the log."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.masking import PersonalTexts, mask
from gcsched.domain.relay_advice import DEFAULT_ADVICE, HELD_ADVICE, find_advice
from gcsched.domain.relay_health import (
    NOTHING_WRONG,
    RelayObservation,
    is_login_refused,
    is_session_failure,
)
from gcsched.domain.smtp_reply import Answered, Broken

OnObservation = Callable[[RelayObservation], None]


def ignore_observation(_: RelayObservation) -> None:
    """Do nothing: the *on_observation* of a relay whose health is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """The state of a breaker after a result: *is_new* is whether this result has opened it.

    *is_held* is whether the relay refuses one recipient after the other.
    """

    is_down: bool
    is_new: bool
    is_held: bool


@dataclass(kw_only=True, eq=False)
class RelayProblemReporter:
    """Passes every result to *on_observation*, and logs when mails begin to be held back.

    *password_variable* names the environment variable of the password, *while_down* says what
    happens while the relay is down.
    """

    relay: str
    password_variable: str
    while_down: str
    on_observation: OnObservation = ignore_observation
    needs_mail: bool = field(default=False, init=False)
    """Whether only a mail can show a recovery: mails were refused or got no reply."""

    def report_mail_failure(
        self,
        failure: Answered | Broken,
        personal_texts: PersonalTexts | None,
        status: BreakerStatus,
    ) -> None:
        """Report the failure of a mail; *personal_texts* is None if several mails met it."""
        if status.is_held or personal_texts is None or not is_session_failure(failure):
            self.needs_mail = True
        self._report_failure(failure, personal_texts, status)

    def report_check_failure(self, failure: Answered | Broken, status: BreakerStatus) -> None:
        """Report the failure of a check; it may be the one that opened the breaker."""
        if status.is_new:
            self.needs_mail = False  # mails are held back because no session can be opened
        self._report_failure(failure, None, status, is_check=True)

    def report_mail_success(self) -> None:
        self.needs_mail = False
        self.on_observation(NOTHING_WRONG)

    def report_answer(self) -> None:
        """Report that the relay replies; the error that other mails met stays."""
        self.on_observation(RelayObservation(clears_error=False))

    def report_check_success(self, *, is_down: bool) -> None:
        self.on_observation(
            RelayObservation(is_check=True, clears_error=not self.needs_mail, is_down=is_down)
        )

    def report_recovery(self, probes: int) -> None:
        structlog.get_logger().info("relay is back", relay=self.relay, probes=probes)

    def _report_failure(
        self,
        failure: Answered | Broken,
        personal_texts: PersonalTexts | None,
        status: BreakerStatus,
        *,
        is_check: bool = False,
    ) -> None:
        error = mask(describe_failure(failure), personal_texts)
        advice = self._advice_on(failure, is_held=status.is_held)
        self.on_observation(
            RelayObservation(
                # The default advice says that mails are held back, as the state does.
                error=error if advice == DEFAULT_ADVICE else f"{error}; {advice}",
                is_check=is_check,
                is_login_refused=is_login_refused(failure),
                clears_error=not self.needs_mail,
                is_down=status.is_down,
            )
        )
        if status.is_new:
            structlog.get_logger().warning(
                "relay is held" if status.is_held else "relay is down",
                relay=self.relay,
                error=error,
                advice=f"{advice}; {self.while_down}",
            )

    def _advice_on(self, failure: Answered | Broken, *, is_held: bool) -> str:
        advice = find_advice(failure, prefix=self.password_variable.removesuffix("PASSWORD"))
        if not is_held:
            return advice
        return HELD_ADVICE if advice == DEFAULT_ADVICE else f"{HELD_ADVICE}; {advice}"


def describe_failure(failure: Answered | Broken) -> str:
    if isinstance(failure, Answered):
        return str(failure.reply)
    return f"{failure.stage}: {failure.reason}"
