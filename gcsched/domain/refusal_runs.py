"""Detects a relay that refuses every recipient. Pure: time is an argument, in seconds."""

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
    """Return whether the relay itself refused the mail permanently."""
    return transmission.kind in PERMANENT_KINDS and transmission.reply.stage in MAIL_STAGES


def is_accepted(transmission: Transmission) -> bool:
    return isinstance(transmission, Answered) and transmission.kind is Kind.ACCEPTED


def is_permanent_or_doubted(transmission: Transmission) -> bool:
    """Return whether the relay refused the mail permanently, believed or doubted."""
    return isinstance(transmission, Answered) and (
        transmission.is_doubted or is_permanent_refusal(transmission)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalRun:
    """Permanent refusals by one relay without an acceptance between them.

    Five recipients of more than one domain are not chance: from the fifth on the relay is *held*,
    whatever its replies say, and its refusals do not count against their mails. Many recipients
    of one domain prove nothing, because that domain may be the cause. One acceptance ends the run.
    If nothing was accepted for 15 minutes, the relay may be right: its clear refusals of a
    recipient count again.

    *recipients* are the first five, *domains* the first two; *held_since* is None if not held.
    """

    recipients: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    held_since: float | None = None

    @property
    def is_held(self) -> bool:
        return self.held_since is not None

    def is_doubted(self, kind: Kind, *, accepted_at: float, now: float) -> bool:
        """Return whether a refusal of *kind* does not count.

        *accepted_at* is when any relay last accepted a mail.
        """
        if self.held_since is None:
            return False
        is_clear = kind is Kind.RECIPIENT
        return not is_clear or now - max(self.held_since, accepted_at) < BELIEVED_AFTER_SECONDS

    def refused(self, recipient: str, now: float) -> "RefusalRun":
        """Count a permanent refusal."""
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
class RefusedAddresses:
    """The recipients or senders of the mails that a relay refused since it last accepted one.

    Only refusals of Kind.RELAY are meant. A mail that is refused again may itself be the cause, so
    it counts as one failure. If nothing was accepted for a minute since the first such refusal,
    repeats count as well: with few addresses no other mails may come.
    """

    addresses: frozenset[str] = frozenset()
    start_time: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.addresses)

    def refused(self, address: str, now: float) -> "RefusedAddresses":
        start = self.start_time if self.addresses else now
        return RefusedAddresses(addresses=self.addresses | {address.lower()}, start_time=start)

    def counts_as_failure(self, address: str, now: float) -> bool:
        """Return whether one more refusal of *address* is one more failure of the relay."""
        if address.lower() not in self.addresses:
            return True
        return now - self.start_time >= REPEATS_COUNT_AFTER_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedProbes:
    """The recipient domains or senders of the probes that a relay refused.

    They are kept until its breaker closes. The next probe should be for another one, whose mails
    the relay may take. If none comes within five seconds, a mail of the same one probes again.
    """

    keys: frozenset[str] = frozenset()

    def should_wait(self, key: str, *, overdue_seconds: float) -> bool:
        """Return whether a probe of *key* should wait for one of another."""
        return key in self.keys and overdue_seconds < OTHER_DOMAIN_WITHIN_SECONDS

    def refused(self, key: str) -> "RefusedProbes":
        if key in self.keys or len(self.keys) >= MAX_DOMAINS_KEPT:
            return RefusedProbes(keys=frozenset({key}))  # all were tried: start again
        return RefusedProbes(keys=self.keys | {key})
