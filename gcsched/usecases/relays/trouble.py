"""Say what is wrong with one relay, in the same words to its health and to the log."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.masking import Letter, masked
from gcsched.domain.relay_advice import HELD, WAITING, advice_on
from gcsched.domain.relay_health import Heard, is_login_refused, is_of_session
from gcsched.domain.smtp_reply import Answered, Broken

OnHeard = Callable[[Heard], None]


def nobody_listens(_: Heard) -> None:
    """Be the *on_heard* of a relay whose health is not kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whether mails are held back from a relay after what was heard, and whether since that only.

    *is_held* is whether it refuses one recipient after the other.
    """

    is_down: bool
    is_new: bool
    is_held: bool


@dataclass(kw_only=True, eq=False)
class RelayTrouble:
    """Tells *on_heard* of every mail and check, and the log when mails begin to be held back.

    *login* says where the password comes from, *meanwhile* what happens while the relay is down.
    """

    relay: str
    login: str
    meanwhile: str
    on_heard: OnHeard = nobody_listens
    needs_mail: bool = field(default=False, init=False)
    """Whether no check disproves what is wrong: mails were refused or left unanswered."""

    def of_mail(self, trouble: Answered | Broken, letter: Letter | None, now: Standing) -> None:
        """Tell what a mail met; *letter* None: it was no single mail's."""
        if now.is_held or letter is None or not is_of_session(trouble):
            self.needs_mail = True
        self._tell(trouble, letter, now)

    def of_check(self, trouble: Answered | Broken, now: Standing) -> None:
        """Tell why a check failed; it may have been the one that opened the breaker."""
        if now.is_new:
            self.needs_mail = False  # mails are held back because no session stands
        self._tell(trouble, None, now, is_check=True)

    def mail_went_well(self) -> None:
        self.needs_mail = False
        self.on_heard(Heard())

    def mail_proved_nothing(self) -> None:
        """Tell that the relay answers; what other mails met is as it was."""
        self.on_heard(Heard(heals=False))

    def check_went_well(self, *, is_down: bool) -> None:
        self.on_heard(Heard(is_check=True, heals=not self.needs_mail, is_down=is_down))

    def ended(self, probes: int) -> None:
        structlog.get_logger().info("relay is back", relay=self.relay, probes=probes)

    def _tell(
        self,
        trouble: Answered | Broken,
        letter: Letter | None,
        now: Standing,
        *,
        is_check: bool = False,
    ) -> None:
        error = masked(words_of(trouble), letter)
        advice = self._advice_on(trouble, is_held=now.is_held)
        self.on_heard(
            Heard(
                # That mails are held back is what its state says.
                error=error if advice == WAITING else f"{error}; {advice}",
                is_check=is_check,
                is_login_refused=is_login_refused(trouble),
                heals=not self.needs_mail,
                is_down=now.is_down,
            )
        )
        if now.is_new:
            structlog.get_logger().warning(
                "relay is held" if now.is_held else "relay is down",
                relay=self.relay,
                error=error,
                advice=f"{advice}; {self.meanwhile}",
            )

    def _advice_on(self, trouble: Answered | Broken, *, is_held: bool) -> str:
        advice = advice_on(trouble, prefix=self.login.removesuffix("PASSWORD"))
        if not is_held:
            return advice
        return HELD if advice == WAITING else f"{HELD}; {advice}"


def words_of(trouble: Answered | Broken) -> str:
    if isinstance(trouble, Answered):
        return str(trouble.reply)
    return f"{trouble.stage}: {trouble.reason}"
