"""A relay that refuses one recipient after the other. Pure: time is an argument, in seconds."""

from dataclasses import dataclass, replace

from gcsched.domain.smtp_reply import Answered, Kind, Stage, Transmission

MAX_REFUSED = 5
MIN_DOMAINS = 2
BELIEVED_AFTER_SECONDS = 15 * 60.0
OTHER_DOMAIN_WITHIN_SECONDS = 5.0
REPEATS_COUNT_AFTER_SECONDS = 60.0
MAX_DOMAINS_KEPT = 1_000
PERMANENT_KINDS = frozenset({Kind.RECIPIENT, Kind.CONTENT, Kind.POLICY})
MAIL_STAGES = frozenset({Stage.RCPT, Stage.DATA, Stage.BODY})


def domain_of(recipient: str) -> str:
    return recipient.rpartition("@")[2].lower()


def is_permanent_refusal(transmission: Answered) -> bool:
    """Return whether the relay refuses the mail for good; our own refusals in its name do not."""
    return transmission.kind in PERMANENT_KINDS and transmission.reply.stage in MAIL_STAGES


def is_accepted(transmission: Transmission) -> bool:
    return isinstance(transmission, Answered) and transmission.kind is Kind.ACCEPTED


def is_permanent_or_doubted(transmission: Transmission) -> bool:
    """Return whether the relay answered at once and refused for good, believed or doubted."""
    return isinstance(transmission, Answered) and (
        transmission.is_doubted or is_permanent_refusal(transmission)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRun:
    """What a relay has refused for good without accepting anything between.

    Five recipients of more than one domain are too many to be chance: from the fifth on the relay
    is *held*, whatever its words are, and no refusal counts against its mail. Many recipients of
    one domain are that domain's affair. One acceptance ends it. Where nothing was accepted for 15
    minutes, the relay may be right: what it is sure of counts again.

    *recipients* are the first five, *domains* the first two; *held_since* is None: not held.
    """

    recipients: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    held_since: float | None = None

    @property
    def is_held(self) -> bool:
        return self.held_since is not None

    def is_doubted(self, kind: Kind, *, accepted_at: float, now: float) -> bool:
        """Return whether a refusal of *kind* does not count; *accepted_at*: by any relay, last."""
        if self.held_since is None:
            return False
        is_sure = kind is Kind.RECIPIENT
        return not is_sure or now - max(self.held_since, accepted_at) < BELIEVED_AFTER_SECONDS

    def refused(self, recipient: str, now: float) -> "RefusalRun":
        """Count a refusal for good."""
        if self.is_held:
            return self
        recipients, domains = self.recipients, self.domains
        if len(recipients) < MAX_REFUSED:
            recipients |= {recipient.lower()}
        if len(domains) < MIN_DOMAINS:
            domains |= {domain_of(recipient)}
        is_enough = len(recipients) >= MAX_REFUSED and len(domains) >= MIN_DOMAINS
        return replace(
            self, recipients=recipients, domains=domains, held_since=now if is_enough else None
        )

    def accepted(self) -> "RefusalRun":
        return RefusalRun() if self.recipients else self


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRecipients:
    """The recipients whose mails a relay refused for a reason of ours since it accepted one.

    A mail that is refused so again may be to blame itself, so it is one trouble. Where nothing was
    accepted for a minute since the first such refusal, its repeats count as well: where few
    recipients wait, no others would come.
    """

    recipients: frozenset[str] = frozenset()
    start_time: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.recipients)

    def refused(self, recipient: str, now: float) -> "RefusedRecipients":
        since = self.start_time if self.recipients else now
        return RefusedRecipients(recipients=self.recipients | {recipient.lower()}, start_time=since)

    def counts_as_failure(self, recipient: str, now: float) -> bool:
        """Return whether one more refusal of *recipient* is one more trouble of the relay."""
        if recipient.lower() not in self.recipients:
            return True
        return now - self.start_time >= REPEATS_COUNT_AFTER_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedDomains:
    """The recipient domains whose mails a relay refused since it is left alone.

    The next probe is to be for another domain: what one domain refuses, another may take. Where no
    other comes within five seconds, the same one is as good.
    """

    domains: frozenset[str] = frozenset()

    def should_wait(self, recipient: str, *, overdue_seconds: float) -> bool:
        """Return whether a probe with *recipient* is to wait for one of another domain."""
        is_known = domain_of(recipient) in self.domains
        return is_known and overdue_seconds < OTHER_DOMAIN_WITHIN_SECONDS

    def refused(self, recipient: str) -> "ProbedDomains":
        domain = domain_of(recipient)
        if domain in self.domains or len(self.domains) >= MAX_DOMAINS_KEPT:
            return ProbedDomains(domains=frozenset({domain}))  # all were tried: from the beginning
        return ProbedDomains(domains=self.domains | {domain})
