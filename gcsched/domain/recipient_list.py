"""The addresses and domains that an operator lists as recipients of mails. Pure."""

from dataclasses import dataclass
from typing import Self

from gcsched.domain.address import parse_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.caller_text import quote
from gcsched.domain.checks import require_valid
from gcsched.domain.domains import is_within, parse_domain
from gcsched.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientList:
    """Addresses, and domains with their subdomains; *entries* are both, in the order of the text.

    Upper and lower case are the same. Local parts are not case-folded further, as they are to
    compare suppressions: `straße` and `strasse` may be two mailboxes, and only one is listed.
    """

    entries: tuple[str, ...]
    addresses: frozenset[str]
    domains: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse entries separated by commas. Raises ValueError, which names the invalid one."""
        entries = tuple(dict.fromkeys(parse_entry(each.strip()) for each in text.split(",")))
        addresses = frozenset(each.lower() for each in entries if "@" in each)
        domains = frozenset(each for each in entries if "@" not in each)
        return cls(entries=entries, addresses=addresses, domains=domains)

    def allows(self, email: str) -> bool:
        """Return whether *email*, a normalised address, is listed, or its domain is."""
        folded = email.lower()
        local, _, domain = folded.rpartition("@")
        return folded in self.addresses or (bool(local) and is_within(domain, self.domains))


def parse_entry(entry: str) -> str:
    """Return an address or a domain as normalised addresses spell it. Raises ValueError."""
    if "@" in entry:
        try:
            return require_valid(parse_address(entry, rules=AddressRules.ANY))
        except InvalidRequest as error:
            raise ValueError(f"{quote(entry)} is not an address") from error
    known = parse_domain(entry)
    if known is None:
        raise ValueError(f"{quote(entry)} is neither an address nor a domain")
    return known.name
