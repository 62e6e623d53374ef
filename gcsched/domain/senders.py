"""The senders of a service, and which of them the mail of a request comes from. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from gcsched.domain.access import Client
from gcsched.domain.address import parse_address
from gcsched.domain.address_folding import fold_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import Checked
from gcsched.domain.client_limits import join_some
from gcsched.errors import Violation

DEFAULT = ""
"""The default sender in requests, jobs and keys: those of before had no other."""


class Sender(NamedTuple):
    """A mailbox that mails come from; *key* is its address as requests and jobs name it.

    The domain of *address*, which is for envelopes and headers, has A-labels.
    """

    key: str
    address: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else self.address


def parse_sender_key(text: str, *, field: str = "sender") -> Checked[str]:
    """Parse the address of a sender: normalised, and in lower case."""
    address = yield from parse_address(text, field=field, rules=AddressRules.ANY)
    return fold_address(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """The keys of all senders: of the *default* one, and of *others* that a request may name."""

    default: str = DEFAULT
    others: tuple[str, ...] = ()

    def read_choice(self, named: str, client: Client) -> Checked[str]:
        """Return the sender that a request of *client* names, or DEFAULT if it names none.

        The default one is DEFAULT as well, unless the client gets another one if it names none.
        """
        allowed = client.limits.senders
        if not named:
            if allowed and allowed[0] not in self:
                yield Violation("sender", describe_missing(client))
            return DEFAULT
        key = yield from parse_sender_key(named)
        usable = [each for each in allowed or (self.default, *self.others) if each in self]
        if key and key not in usable:
            yield Violation("sender", describe_choice(usable, client))
        is_usual = key == self.default and (not allowed or allowed[0] == key)
        return DEFAULT if is_usual else key

    def choose(self, choice: str, client: Client) -> str:
        """Return the sender of the mail for a valid *choice*; DEFAULT for the default one."""
        key = choice or (client.limits.senders[0] if client.limits.senders else DEFAULT)
        return DEFAULT if key == self.default else key

    def __contains__(self, key: object) -> bool:
        return key == self.default or key in self.others


ONLY_DEFAULT = Senders()
"""The senders of a service that has one."""


def describe_choice(usable: list[str], client: Client) -> str:
    named = join_some(usable) or "none of them is configured"
    if client.limits.senders:
        return f"must be one of those that client {client.name!r} may use: {named}"
    return f"must be one of the senders of this service: {named}"


def describe_missing(client: Client) -> str:
    first = client.limits.senders[0]
    problem = f"must be named: the first sender of client {client.name!r}, {first}"
    return f"{problem}, is not a sender of this service"
