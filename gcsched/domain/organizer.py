"""Who may invite to a meeting, and who does so if a request does not say it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import idna

from gcsched.domain.address import parse_new_address
from gcsched.domain.address_folding import is_same_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.caller_text import quote
from gcsched.domain.checks import Checked
from gcsched.domain.domains import is_within, parse_domain
from gcsched.domain.meeting import Person
from gcsched.domain.validation import text_violations
from gcsched.errors import Violation

MAX_PERSON_NAME_LENGTH = 256
EMAIL = "event.organizer.email"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizerRule:
    """The *sender* of the mails may invite, and so may every address of *domains*.

    A domain stands for its subdomains as well. *others* are the senders beside the default one, by
    their keys.
    """

    sender: Person = field(default_factory=lambda: Person(email=""))
    domains: frozenset[str] = frozenset()
    others: Mapping[str, Person] = field(default_factory=dict)

    def of_sender(self, key: str) -> "OrganizerRule":
        """Return the rule for mails from the sender *key*."""
        other = self.others.get(key)
        return self if other is None else replace(self, sender=other)

    @staticmethod
    def parse_domains(text: str) -> frozenset[str]:
        """Parse domains separated by commas. Raises ValueError, which names the invalid one."""
        return frozenset(map(parse_organizer_domain, text.split(","))) if text else frozenset()

    def read(
        self, organizer: Person | None, *, attendee: str, rules: AddressRules
    ) -> Checked[Person]:
        """Check who invites *attendee*, a normalised address or ""; return who does."""
        chosen = self.sender
        if organizer is not None:
            chosen = yield from self._read_given(organizer, rules)
        if attendee and is_same_mailbox(chosen.email, attendee):
            problem = "must not be the organizer of the event, whom calendars do not ask"
            yield Violation("emailID", problem)
        return chosen

    def _read_given(self, organizer: Person, rules: AddressRules) -> Checked[Person]:
        email = yield from parse_new_address(organizer.email, field=EMAIL, rules=rules)
        name = organizer.name.strip()
        yield from text_violations(
            "event.organizer.name", name, at_least=0, at_most=MAX_PERSON_NAME_LENGTH
        )
        if email and is_same_mailbox(email, self.sender.email):
            return Person(email=self.sender.email, name=name or self.sender.name)
        if email and not is_within(email.rpartition("@")[2].lower(), self.domains):
            problem = "must be the sender of the mail, or of a domain of GCSCHED_ORGANIZER_DOMAINS"
            yield Violation(EMAIL, f"{problem}, which only the operator of the service can change")
        return Person(email=email, name=name)

    def find_sent_by(self, organizer: Person) -> str:
        """Return the sender if it mails for another *organizer*, else ""."""
        return "" if is_same_mailbox(organizer.email, self.sender.email) else self.sender.email


def parse_organizer_domain(entry: str) -> str:
    """Return a domain as normalised addresses spell it. Raises ValueError."""
    entry = entry.strip()
    domain = None if "@" in entry else parse_domain(entry)
    if domain is None:
        raise ValueError(f"{quote(entry)} is not a domain")
    return domain.name


def is_same_mailbox(one: str, other: str) -> bool:
    """Return whether two addresses differ in case or in how their domains are written at most."""
    return is_same_address(one, other) or is_same_address(to_ascii(one), to_ascii(other))


def to_ascii(email: str) -> str:
    """Return *email* with its domain as A-labels, as the sender has it."""
    local, at, domain = email.rpartition("@")
    return f"{local}{at}{encode_domain(domain)}"


def encode_domain(domain: str) -> str:
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
