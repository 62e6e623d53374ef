"""Decides whether calls may use the HTTP proxy that the environment names."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import unquote

DIRECT = [("grpc.enable_http_proxy", 0)]
"""The options of a channel that uses no proxy."""

SOCKETS = ("unix", "unix-abstract", "vsock")
NO_PROXY_VARIABLES = ("no_grpc_proxy", "no_proxy", "NO_PROXY")
LOOPBACK_NAMES = frozenset(
    {
        *("localhost", "localhost.localdomain", "localhost4", "localhost4.localdomain4"),
        *("localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback"),
    }
)

Address = IPv4Address | IPv6Address


def proxy_options(target: str, environ: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return the options that a channel to *target* needs: no proxy for this machine.

    There is no proxy for the exceptions in *environ* either. gRPC itself reads those more narrowly:
    neither `NO_PROXY` nor `*`, `*.example.org`, `host:port` or `[::1]`. For any other target gRPC
    decides by `grpc_proxy`, `https_proxy` or `http_proxy`.
    """
    places = list(parse_target(target))
    exceptions = read_no_proxy(environ)
    is_own = target == own_target(environ)
    is_direct = (
        is_own
        or not places
        or any(
            is_local(host) or any(covers(entry, host, port) for entry in exceptions)
            for host, port in places
        )
    )
    return DIRECT if is_direct else []


def own_target(environ: Mapping[str, str]) -> str | None:
    """Return the target of a service with this environment, as in one container; or None."""
    listen = environ.get("GCSCHED_GRPC_LISTEN")
    if not listen:
        return None
    host, _, port = listen.rpartition(":")
    return f"{callable_host(host)}:{port}"


def callable_host(host: str) -> str:
    """Return the host to call for a service that listens on *host*; loopback for a wildcard."""
    address = parse_ip(host.strip("[]"))
    if address is None or not address.is_unspecified:
        return host
    return "[::1]" if isinstance(address, IPv6Address) else "127.0.0.1"


def parse_target(target: str) -> Iterator[tuple[str, str]]:
    """Yield host and port of each address in *target*, in any form of gRPC; none for a socket.

    Source: gRPC's naming document, e.g. `dns:///host:port` or `ipv4:10.0.0.1:50051,10.0.0.2:50051`.
    """
    scheme, colon, rest = target.partition(":")
    if colon and scheme.lower() in SOCKETS:
        return
    if colon and (rest.startswith("//") or scheme.lower() in {"dns", "ipv4", "ipv6"}):
        target = rest.partition("//")[2].partition("/")[2] if rest.startswith("//") else rest
    for each in unquote(target).strip("/").split(","):  # gRPC reads a URI
        yield split_host_port(each)


def split_host_port(place: str) -> tuple[str, str]:
    """Split ``host:port`` or ``[address]:port``; the port is "" if it is missing."""
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        return host, port.removeprefix(":")
    if place.count(":") > 1:
        return place, ""
    host, _, port = place.partition(":")
    return host, port


def is_local(host: str) -> bool:
    """Return whether *host* is a loopback or wildcard address of this machine."""
    name = host.lower().rstrip(".")
    if name in LOOPBACK_NAMES or name.endswith(".localhost") or not name:  # RFC 6761 section 6.3
        return True
    address = parse_ip(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def parse_ip(host: str) -> Address | None:
    """Parse *host* as an address, also `127.1` and `::ffff:127.0.0.1`; None if it is a name."""
    host, scoped, scope = host.partition("%")  # an interface of this machine, as in fe80::1%eth0
    if scoped and not scope:
        return None
    with suppress(ValueError):
        address = ip_address(host)
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return mapped or address
    with suppress(OSError, UnicodeError):
        return IPv4Address(socket.inet_aton(host))  # the short forms that getaddrinfo accepts
    return None


def read_no_proxy(environ: Mapping[str, str]) -> list[str]:
    """Return the entries of the first variable that is set, in the order of gRPC."""
    text = next(
        (text for name in NO_PROXY_VARIABLES if (text := environ.get(name, "").strip())), ""
    )
    return [entry for part in text.split(",") if (entry := part.strip())]


def covers(entry: str, host: str, port: str) -> bool:
    """Return whether *entry* of `no_proxy` covers *host*; a name covers its subdomains too."""
    if entry == "*":
        return True
    if "/" in entry:
        return is_in_network(entry, host)
    entry_host, entry_port = split_host_port(entry)
    if entry_port not in {"", port}:
        return False
    address = parse_ip(entry_host)
    if address is not None:
        return address == parse_ip(host)
    name = entry_host.lower().removeprefix("*").strip(".")
    target = host.lower().rstrip(".")
    return bool(name) and (target == name or target.endswith(f".{name}"))


def is_in_network(entry: str, host: str) -> bool:
    address = parse_ip(host)
    with suppress(ValueError):
        return address is not None and address in ip_network(entry.strip("[]"), strict=False)
    return False
