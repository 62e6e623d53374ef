"""Which service a client command speaks to, and how long it waits for the answer."""

import math
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from contextlib import suppress

from gcsched.proxies import own_target

PORT = 50051
DEFAULT = f"127.0.0.1:{PORT}"
DEFAULT_TIMEOUT_SECONDS = 5.0
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
WITHOUT_PORTS = re.compile(r"(unix|unix-abstract|vsock|xds|google-c2p):", re.IGNORECASE)
NAMED = re.compile(r"(dns:(?://[^/]*/)?|ipv4:|ipv6:)(.*)", re.IGNORECASE)
"""gRPC's names of addresses, and what stands behind the scheme."""


def add_arguments(
    parser: ArgumentParser,
    environ: Mapping[str, str],
    *,
    timeout: float = DEFAULT_TIMEOUT_SECONDS,
) -> None:
    parser.add_argument(
        "--target",
        metavar="HOST:PORT",
        type=with_port,
        default=target(environ),
        help="where the service is (GCSCHED_TARGET, else where GCSCHED_GRPC_LISTEN says,"
        f" else {DEFAULT}); without a port: {PORT}",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=timeout,
        help="how long to wait for its answer (%(default)g)",
    )


def target(environ: Mapping[str, str]) -> str:
    """Return what the environment says; a service that listens everywhere is asked on loopback."""
    if chosen := environ.get("GCSCHED_TARGET"):
        return chosen
    return own_target(environ) or DEFAULT


def with_port(text: str) -> str:
    """Return *text* with our port where it has none: a host, or any of gRPC's names of addresses.

    Source: gRPC's naming document. Without this gRPC takes 443.
    """
    if not text or not text.isprintable() or " " in text:
        raise ArgumentTypeError(f"{text!r} is not an address; write host:port, e.g. {DEFAULT}")
    if WITHOUT_PORTS.match(text):
        return text
    if named := NAMED.fullmatch(text):
        scheme, places = named.groups()
        return scheme + ",".join(place_with_port(each, text) for each in places.split(","))
    if scheme_there := SCHEME.match(text):
        rest = text[scheme_there.end() :].rstrip("/")
        raise ArgumentTypeError(
            f"{text!r} is a URL; write host:port, e.g. {rest if '/' not in rest else DEFAULT}"
        )
    return place_with_port(text, text)


def place_with_port(place: str, text: str) -> str:
    """Return ``host:port`` of ``host``, ``host:port``, ``[address]``, or a bare IPv6 address."""
    if place.count(":") > 1 and not place.startswith("["):
        return f"[{place}]:{PORT}"
    host, bracket, rest = place.partition("]") if place.startswith("[") else ("", "", place)
    name, colon, port = rest.partition(":")
    if not (host + name) or (bracket and name):
        raise ArgumentTypeError(f"{text!r} has no host; write host:port, e.g. {DEFAULT}")
    if not colon:
        return f"{place}:{PORT}"
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise ArgumentTypeError(f"{text!r} has no valid port; write host:port, e.g. {DEFAULT}")
    return place


def seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0; write e.g. 2.5")
