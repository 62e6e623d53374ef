"""The domains that addresses may have beside those of the public internet. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import ClassVar

from gcsched.domain.domains import parse_domain

ANY_DOMAIN = "*"
IPV6 = "ipv6:"  # RFC 5321, section 4.1.3

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class AddressRules:
    """The reserved domains that an operator allows: none, all (*allows_any*), or a list.

    Each of *names* allows itself and its subdomains, each of *parents* only its subdomains;
    *networks* allow address literals. Names are spelled as ``parse_domain`` returns them.
    """

    PUBLIC: ClassVar["AddressRules"]
    ANY: ClassVar["AddressRules"]

    names: frozenset[str] = frozenset()
    parents: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    allows_any: bool = False

    @classmethod
    def parse(cls, text: str) -> "AddressRules":
        """Parse domains separated by commas. Raises ValueError, which names the invalid one.

        ``corp.local`` or ``mailhost``, ``.corp.local`` or ``*.corp.local``, ``[192.0.2.1]``,
        ``[10.0.0.0/8]``, ``[IPv6:fd00::/8]``, or ``*``.
        """
        names, parents, networks = set[str](), set[str](), list[Network]()
        entries = [entry.strip() for entry in text.split(",")]
        for entry in entries:
            if entry.startswith("["):
                networks.append(parse_network(entry))
            elif entry != ANY_DOMAIN:
                bare = entry.removeprefix("*").removeprefix(".")
                (names if bare == entry else parents).add(parse_name(entry, bare))
        return cls(frozenset(names), frozenset(parents), tuple(networks), ANY_DOMAIN in entries)

    def allows(self, domain: str) -> bool:
        """Return whether an address may have *domain*, which is reserved and normalised."""
        if self.allows_any:
            return True
        if domain.startswith("["):
            address = parse_literal(domain)
            return any(address in network for network in self.networks)
        if domain in self.names:
            return True
        return any(name in self.names or name in self.parents for name in parent_domains(domain))


AddressRules.PUBLIC = AddressRules()
AddressRules.ANY = AddressRules(allows_any=True)


def parent_domains(domain: str) -> Iterator[str]:
    """Yield `b.c` and `c` for `a.b.c`."""
    while "." in domain:
        domain = domain.partition(".")[2]
        yield domain


def parse_name(entry: str, bare: str) -> str:
    known = parse_domain(bare) if entry.removesuffix(bare) in {"", ".", "*."} else None
    if known is None or "[" in known.name:
        raise ValueError(f"{entry!r} is not a domain")
    return known.name


def parse_network(entry: str) -> Network:
    """Return the network of `[192.0.2.1]`, `[10.0.0.0/8]` or `[IPv6:fd00::/8]`."""
    inner = entry[1:-1]
    is_ipv6 = inner.lower().startswith(IPV6)
    try:
        network = ip_network(inner[len(IPV6) :] if is_ipv6 else inner)
    except ValueError as error:
        raise ValueError(f"{entry!r} is not an address literal: {error}") from error
    if not entry.endswith("]") or is_ipv6 != isinstance(network, IPv6Network):
        raise ValueError(f"{entry!r} is not an address literal such as [192.0.2.1] or [IPv6:::1]")
    return network


def parse_literal(literal: str) -> IPv4Address | IPv6Address:
    inner = literal[1:-1]
    return ip_address(inner[len(IPV6) :] if inner.lower().startswith(IPV6) else inner)
