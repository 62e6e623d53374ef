"""How browsers may reach the console: its own addresses, where changes come from, headers. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD"})
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
DEFAULT_PORTS = {"http": 80, "https": 443}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "gcsched",
}
"""The headers of each response that has none of its own by that name."""

PLAIN_REFERRER = "same-origin"
"""The Referrer-Policy where a browser sends no Sec-Fetch-Site, which is over plain HTTP beyond
loopback: with no-referrer it would send `Origin: null` with each form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAddresses:
    """The addresses by which browsers reach the console.

    *origin* is that of a proxy, "" without one. *certificate_hosts* returns the names of the
    certificate with which the console serves TLS itself, None without TLS.
    """

    origin: str
    listen: str
    port: int
    certificate_hosts: Callable[[], Sequence[str] | None]

    @property
    def _scheme(self) -> str:
        return "http" if self.certificate_hosts() is None else "https"

    @property
    def _proxy_host(self) -> str:
        return urlsplit(self.origin).netloc

    def is_own(self, host: str) -> bool:
        """Return whether *host*, the value of a Host header, names this console.

        Another name is that of an attacker, who has it resolve to this machine: a page of theirs
        would have the same origin as the console.
        """
        host = host.lower()
        if host and host == self._proxy_host:
            return True
        name, port = split_host(host, DEFAULT_PORTS[self._scheme])
        if port != self.port:
            return False
        own = urlsplit(f"//{self.listen}").hostname or ""
        names = [*LOOPBACK_HOSTS, bracket(own), *map(bracket, self.certificate_hosts() or ())]
        return any(matches(name, each.lower()) for each in names)

    def origin_of(self, host: str) -> str:
        """Return the origin of our pages for a browser that sends the own *host*."""
        if host.lower() == self._proxy_host:
            place = urlsplit(self.origin)
            return f"{place.scheme}://{place.netloc}"
        return f"{self._scheme}://{host.lower()}"

    def is_encrypted(self, host: str) -> bool:
        """Return whether a browser that sends *host* reaches the console by HTTPS."""
        return self.origin_of(host).startswith("https:")

    def is_trustworthy(self, host: str) -> bool:
        """Return whether browsers trust the connection: only then do they send Sec-Fetch-Site."""
        name, _ = split_host(host.lower(), 0)
        return self.is_encrypted(host) or name in LOOPBACK_HOSTS


def split_host(host: str, default_port: int) -> tuple[str, int]:
    """Return the name and the port in a Host header; the port is 0 if it is not a number."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]"):
        return host, default_port
    return name, int(port) if port.isascii() and port.isdigit() else 0


def bracket(name: str) -> str:
    """Return *name* as it stands in a Host header: IPv6 addresses in their short form, in []."""
    try:
        address = ip_address(name)
    except ValueError:
        return name
    if address.is_unspecified:
        return ""
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


def matches(name: str, own: str) -> bool:
    """Return whether *name* is *own*, whose first label may be `*`, as in a certificate."""
    if own.startswith("*."):
        first, _, rest = name.partition(".")
        return bool(first) and rest == own[2:]
    return bool(name) and name == own


def is_same_origin(
    sites: Sequence[str], origins: Sequence[str], *, own_origin: str, has_cookie: bool
) -> bool:
    """Return whether a request that changes something comes from a page of ours.

    *sites* and *origins* are the values of Sec-Fetch-Site and of Origin. A request without either
    is not one of a browser, unless it has a cookie.
    """
    if sites:
        return list(sites) == ["same-origin"]
    if origins:
        return list(origins) == [own_origin]
    return not has_cookie
