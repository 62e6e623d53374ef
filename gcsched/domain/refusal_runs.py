"""A relay that refuses one recipient after the other. Pure: time is an argument, in seconds."""

from dataclasses import dataclass, replace

from gcsched.domain.smtp_reply import Answered, Kind, Stage, Transmission

MOST_FAILED = 5
FEWEST_DOMAINS = 2
BELIEVED_AFTER_SECONDS = 15 * 60.0
OTHER_DOMAIN_WITHIN_SECONDS = 5.0
REPEATS_COUNT_AFTER_SECONDS = 60.0
MOST_DOMAINS_KEPT = 1_000
FINAL = frozenset({Kind.RECIPIENT, Kind.CONTENT, Kind.POLICY})
OF_A_MAIL = frozenset({Stage.RCPT, Stage.DATA, Stage.BODY})


def domain_of(recipient: str) -> str:
    return recipient.rpartition("@")[2].lower()


def is_final(transmission: Answered) -> bool:
    """Return whether the relay refuses the mail for good; our own refusals in its name do not."""
    return transmission.kind in FINAL and transmission.reply.stage in OF_A_MAIL


def is_accepted(transmission: Transmission) -> bool:
    return isinstance(transmission, Answered) and transmission.kind is Kind.ACCEPTED


def is_answer_for_good(transmission: Transmission) -> bool:
    """Return whether the relay answered at once and refused for good, believed or doubted."""
    return isinstance(transmission, Answered) and (
        transmission.is_doubted or is_final(transmission)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
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

    def doubts(self, kind: Kind, *, accepted_at: float, now: float) -> bool:
        """Return whether a refusal of *kind* does not count; *accepted_at*: by any relay, last."""
        if self.held_since is None:
            return False
        is_sure = kind is Kind.RECIPIENT
        return not is_sure or now - max(self.held_since, accepted_at) < BELIEVED_AFTER_SECONDS

    def refused(self, recipient: str, now: float) -> "Refusals":
        """Count a refusal for good."""
        if self.is_held:
            return self
        recipients, domains = self.recipients, self.domains
        if len(recipients) < MOST_FAILED:
            recipients |= {recipient.lower()}
        if len(domains) < FEWEST_DOMAINS:
            domains |= {domain_of(recipient)}
        is_enough = len(recipients) >= MOST_FAILED and len(domains) >= FEWEST_DOMAINS
        return replace(
            self, recipients=recipients, domains=domains, held_since=now if is_enough else None
        )

    def accepted(self) -> "Refusals":
        return Refusals() if self.recipients else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwanted:
    """The recipients whose mails a relay refused for a reason of ours since it accepted one.

    A mail that is refused so again may be to blame itself, so it is one trouble. Where nothing was
    accepted for a minute since the first such refusal, its repeats count as well: where few
    recipients wait, no others would come.
    """

    recipients: frozenset[str] = frozenset()
    since: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.recipients)

    def refused(self, recipient: str, now: float) -> "Unwanted":
        since = self.since if self.recipients else now
        return Unwanted(recipients=self.recipients | {recipient.lower()}, since=since)

    def counts(self, recipient: str, now: float) -> bool:
        """Return whether one more refusal of *recipient* is one more trouble of the relay."""
        if recipient.lower() not in self.recipients:
            return True
        return now - self.since >= REPEATS_COUNT_AFTER_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbedDomains:
    """The recipient domains whose mails a relay refused since it is left alone.

    The next probe is to be for another domain: what one domain refuses, another may take. Where no
    other comes within five seconds, the same one is as good.
    """

    domains: frozenset[str] = frozenset()

    def bars(self, recipient: str, *, overdue_seconds: float) -> bool:
        """Return whether a probe with *recipient* is to wait for one of another domain."""
        is_known = domain_of(recipient) in self.domains
        return is_known and overdue_seconds < OTHER_DOMAIN_WITHIN_SECONDS

    def refused(self, recipient: str) -> "ProbedDomains":
        domain = domain_of(recipient)
        if domain in self.domains or len(self.domains) >= MOST_DOMAINS_KEPT:
            return ProbedDomains(domains=frozenset({domain}))  # all were tried: from the beginning
        return ProbedDomains(domains=self.domains | {domain})
