"""Decides what a refusal that is not the mail's fault says about the relay, and who probes next."""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from gcsched.domain.circuit_breaker import may_be_caused_by_mail, may_be_caused_by_sender
from gcsched.domain.mail import Mail
from gcsched.domain.masking import mask
from gcsched.domain.refusal_runs import RefusedAddresses, RefusedProbes, domain_of
from gcsched.domain.smtp_reply import Answered, Broken
from gcsched.usecases.relays.problem_reporter import describe_failure

LOG_INTERVAL_SECONDS = 300.0
NONE_REFUSED, NONE_PROBED = RefusedAddresses(), RefusedProbes()


@dataclass(kw_only=True, eq=False)
class RefusedMails:
    """Remembers the recipients and senders that *relay* refused since it last accepted a mail.

    With *has_several_senders* a refused sender counts once, like a refused recipient: the mails of
    the others must not wait for it. *clock* is monotonic.
    """

    relay: str
    clock: Callable[[], float]
    has_several_senders: bool = False
    _recipients: RefusedAddresses = field(default=NONE_REFUSED, init=False)
    _senders: RefusedAddresses = field(default=NONE_REFUSED, init=False)
    _probed_domains: RefusedProbes = field(default=NONE_PROBED, init=False)
    _probed_senders: RefusedProbes = field(default=NONE_PROBED, init=False)
    _logged_at: dict[str, float] = field(default_factory=dict, init=False)

    def __bool__(self) -> bool:
        return bool(self._recipients or self._senders)

    def forget(self) -> None:
        """Forget who was refused: a mail was accepted."""
        self._recipients = self._senders = NONE_REFUSED

    def forget_probes(self) -> None:
        """Forget who was refused as a probe: the breaker closes."""
        self._probed_domains = self._probed_senders = NONE_PROBED

    def count(self, mail: Mail, failure: Answered | Broken) -> bool:
        """Record that *mail* was refused; return whether that is one more failure of the relay."""
        now = self.clock()
        if self._blames_sender(failure):
            self._warn(mail, failure, now)
            senders, self._senders = self._senders, self._senders.refused(mail.sender, now)
            return senders.counts_as_failure(mail.sender, now)
        if not may_be_caused_by_mail(failure):
            return True
        recipients = self._recipients
        self._recipients = recipients.refused(mail.recipient, now)
        return recipients.counts_as_failure(mail.recipient, now)

    def should_wait(self, mail: Mail, *, overdue_seconds: float) -> bool:
        """Return whether *mail* should wait for a probe of another domain or sender."""
        return self._probed_domains.should_wait(
            domain_of(mail.recipient), overdue_seconds=overdue_seconds
        ) or self._probed_senders.should_wait(mail.sender, overdue_seconds=overdue_seconds)

    def record_probe(self, mail: Mail, failure: Answered | Broken) -> None:
        """Record that *mail* was refused while the breaker is open."""
        if self._blames_sender(failure):
            self._probed_senders = self._probed_senders.refused(mail.sender)
        elif may_be_caused_by_mail(failure):
            self._probed_domains = self._probed_domains.refused(domain_of(mail.recipient))

    def _blames_sender(self, failure: Answered | Broken) -> bool:
        return self.has_several_senders and may_be_caused_by_sender(failure)

    def _warn(self, mail: Mail, failure: Answered | Broken, now: float) -> None:
        """Log the refused sender once in five minutes: the breaker may never open for it."""
        if now - self._logged_at.get(mail.sender, -LOG_INTERVAL_SECONDS) < LOG_INTERVAL_SECONDS:
            return
        self._logged_at[mail.sender] = now
        structlog.get_logger().warning(
            "sender refused",
            relay=self.relay,
            sender=mail.sender,
            error=mask(describe_failure(failure), mail.personal_texts),
            effect="its mails wait and are tried again; those of other senders go on",
        )
