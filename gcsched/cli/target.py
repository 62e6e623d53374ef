"""Which service a client command speaks to, and how long it waits for the answer."""

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
"""gRPC's names of addresses, and what stands behind the scheme."""
ENCODED_COMMA = re.compile("%2c", re.IGNORECASE)


def add_arguments(parser: ArgumentParser, *, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:
    parser.add_argument(
        "--target",
        metavar="HOST:PORT",
        type=add_default_port,
        help="where the service is (GCSCHED_TARGET, else where GCSCHED_GRPC_LISTEN says,"
        f" else {DEFAULT_TARGET}); without a port: {DEFAULT_PORT}",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=parse_seconds,
        default=timeout,
        help="how long to wait for its answer (%(default)g)",
    )


def choose_target(given: str | None, environ: Mapping[str, str]) -> str:
    """Return *given*, else what the environment says, with a port; raises WrongUsage.

    A service that listens everywhere is asked on loopback.
    """
    if given is not None:
        return given
    name = "GCSCHED_TARGET" if environ.get("GCSCHED_TARGET") else "GCSCHED_GRPC_LISTEN"
    said = environ.get(name, "")
    try:
        if name == "GCSCHED_TARGET":
            return add_default_port(said)
        return add_default_port(own_target(environ) or DEFAULT_TARGET)
    except ArgumentTypeError as error:
        why = str(error).replace(repr(own_target(environ)), repr(said))
        raise WrongUsage(f"{name}: {why}") from error


def add_default_port(text: str) -> str:
    """Return *text* with our port where it has none: a host, or any of gRPC's names of addresses.

    Source: gRPC's naming document. Without this gRPC takes 443.
    """
    if not text or not text.isprintable() or " " in text:
        raise ArgumentTypeError(
            f"{text!r} is not an address; write host:port, e.g. {DEFAULT_TARGET}"
        )
    if PORTLESS_NAME.match(text):
        return text
    if named := GRPC_NAME.fullmatch(text):
        scheme, places = named.groups()
        each_place = ENCODED_COMMA.sub(",", places).split(",")
        return scheme + ",".join(add_port_to_address(each, text) for each in each_place)
    if scheme_there := SCHEME.match(text):
        rest = text[scheme_there.end() :].rstrip("/")
        raise ArgumentTypeError(
            f"{text!r} is a URL; write host:port, e.g. {rest if '/' not in rest else DEFAULT_TARGET}"
        )
    return add_port_to_address(text, text)


def add_port_to_address(place: str, text: str) -> str:
    """Return ``host:port`` of ``host``, ``host:port``, ``[address]``, or a bare IPv6 address.

    It may be percent-encoded, as gRPC prints ``[``, and stays so.
    """
    plain = unquote(place)
    if plain.count(":") > 1 and not plain.startswith("["):
        return f"[{place}]:{DEFAULT_PORT}"
    host, bracket, rest = plain.partition("]") if plain.startswith("[") else ("", "", plain)
    name, colon, port = rest.partition(":")
    if not (host + name) or (bracket and name):
        raise ArgumentTypeError(f"{text!r} has no host; write host:port, e.g. {DEFAULT_TARGET}")
    if not colon:
        return f"{place}:{DEFAULT_PORT}"
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise ArgumentTypeError(
            f"{text!r} has no valid port; write host:port, e.g. {DEFAULT_TARGET}"
        )
    return place


def parse_seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0; write e.g. 2.5")
