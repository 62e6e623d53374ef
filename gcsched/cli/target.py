"""The service that a client command calls, and how long it waits for the answer."""

import math
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import unquote

from gcsched.cli.failure import WrongUsage
from gcsched.proxies import own_target

DEFAULT_PORT = 50051
DEFAULT_TARGET = f"127.0.0.1:{DEFAULT_PORT}"
DEFAULT_TIMEOUT_SECONDS = 5.0
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
PORTLESS_NAME = re.compile(r"(unix|unix-abstract|vsock|xds|google-c2p):", re.IGNORECASE)
GRPC_NAME = re.compile(r"(dns:(?://[^/]*/)?|ipv4:|ipv6:)(.*)", re.IGNORECASE)
"""A gRPC name: the scheme, and the addresses behind it."""
ENCODED_COMMA = re.compile("%2c", re.IGNORECASE)


def add_arguments(parser: ArgumentParser, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
    parser.add_argument(
        "--target",
        metavar="HOST:PORT",
        type=add_default_port,
        help="the address of the service (GCSCHED_TARGET, else GCSCHED_GRPC_LISTEN,"
        f" else {DEFAULT_TARGET}); the default port is {DEFAULT_PORT}",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=parse_seconds,
        default=timeout,
        help="how long to wait for an answer (%(default)g)",
    )


def choose_target(given: str | None, environ: Mapping[str, str]) -> str:
    """Return *given*, else the target in *environ*, with a port; raise WrongUsage.

    A service that listens on all addresses is called on loopback.
    """
    if given is not None:
        return given
    name = "GCSCHED_TARGET" if environ.get("GCSCHED_TARGET") else "GCSCHED_GRPC_LISTEN"
    value = environ.get(name, "")
    try:
        if name == "GCSCHED_TARGET":
            return add_default_port(value)
        return add_default_port(own_target(environ) or DEFAULT_TARGET)
    except ArgumentTypeError as error:
        # The error shows the value of the variable, not the loopback address made from it.
        why = str(error).replace(repr(own_target(environ)), repr(value))
        raise WrongUsage(f"{name}: {why}") from error


def add_default_port(text: str) -> str:
    """Return *text*, a host or a gRPC name, with the default port if it has none.

    gRPC's own default is 443. Source: gRPC Name Resolution.
    """
    if not text or not text.isprintable() or " " in text:
        raise ArgumentTypeError(f"invalid address {text!r}: write host:port, e.g. {DEFAULT_TARGET}")
    # First: a Unix socket may be written as unix:///path, which is not a URL.
    if PORTLESS_NAME.match(text):
        return text
    if named := GRPC_NAME.fullmatch(text):
        scheme, addresses = named.groups()
        each_address = ENCODED_COMMA.sub(",", addresses).split(",")
        return scheme + ",".join(add_port_to_address(each, text) for each in each_address)
    if url := SCHEME.match(text):
        rest = text[url.end() :].rstrip("/")
        example = rest if "/" not in rest else DEFAULT_TARGET
        raise ArgumentTypeError(
            f"invalid address {text!r}, which is a URL: write host:port, e.g. {example}"
        )
    return add_port_to_address(text, text)


def add_port_to_address(address: str, text: str) -> str:
    """Return ``host:port`` of ``host``, ``host:port``, ``[address]``, or a bare IPv6 address.

    The address may be percent-encoded, as gRPC prints ``[``, and stays so.
    """
    plain = unquote(address)
    # More than one colon and no brackets: a bare IPv6 address has no port.
    if plain.count(":") > 1 and not plain.startswith("["):
        return f"[{address}]:{DEFAULT_PORT}"
    host, bracket, rest = plain.partition("]") if plain.startswith("[") else ("", "", plain)
    name, colon, port = rest.partition(":")
    if not (host + name) or (bracket and name):
        raise ArgumentTypeError(
            f"invalid address {text!r}, which has no host: write host:port, e.g. {DEFAULT_TARGET}"
        )
    if not colon:
        return f"{address}:{DEFAULT_PORT}"
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise ArgumentTypeError(
            f"invalid address {text!r}, which has no valid port: write host:port,"
            f" e.g. {DEFAULT_TARGET}"
        )
    return address


def parse_seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise ArgumentTypeError(f"invalid seconds {text!r}: expected a number > 0, e.g. 2.5")
