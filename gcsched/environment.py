"""The variables of callers: which service to call, with which certificates and which token.

The command line and the client library read the same ones. Pure.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

TARGET, TLS_SWITCH, TOKEN_FILE = (f"GCSCHED_{each}" for each in ("TARGET", "TLS", "TOKEN_FILE"))
CA_FILE, CERT_FILE, KEY_FILE = (f"{TLS_SWITCH}_{each}_FILE" for each in ("CA", "CERT", "KEY"))

DEFAULT_PORT = 50051
DEFAULT_TARGET = f"127.0.0.1:{DEFAULT_PORT}"
TLS_SWITCH_VALUES = {"": False, "0": False, "1": True}
SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
PORTLESS_NAME = re.compile(r"(unix|unix-abstract|vsock|xds|google-c2p):", re.IGNORECASE)
GRPC_NAME = re.compile(r"(dns:(?://[^/]*/)?|ipv4:|ipv6:)(.*)", re.IGNORECASE)
"""A gRPC name: the scheme, and the addresses behind it."""
ENCODED_COMMA = re.compile("%2c", re.IGNORECASE)


def read_target(environ: Mapping[str, str]) -> str:
    """Return the target that the environment names, else the default. Raises ValueError."""
    try:
        return add_default_port(environ.get(TARGET) or DEFAULT_TARGET)
    except ValueError as error:
        raise ValueError(f"{TARGET}: {error}") from error


def read_tls_switch(environ: Mapping[str, str]) -> bool:
    """Return whether the environment asks for TLS by its switch. Raises ValueError."""
    value = environ.get(TLS_SWITCH, "")
    if value not in TLS_SWITCH_VALUES:
        raise ValueError(f"{TLS_SWITCH}: invalid value {value!r}; give 1 or 0")
    return TLS_SWITCH_VALUES[value]


def add_default_port(text: str) -> str:
    """Return *text*, a host or a gRPC name, with the default port if it has none.

    gRPC's own default is 443. Source: gRPC Name Resolution. Raises ValueError.
    """
    if not text or not text.isprintable() or " " in text:
        raise ValueError(f"invalid address {text!r}: write host:port, e.g. {DEFAULT_TARGET}")
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
        raise ValueError(
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
        raise ValueError(
            f"invalid address {text!r}, which has no host: write host:port, e.g. {DEFAULT_TARGET}"
        )
    if not colon:
        return f"{address}:{DEFAULT_PORT}"
    if not (port.isascii() and port.isdecimal() and 0 < int(port) < 2**16):
        raise ValueError(
            f"invalid address {text!r}, which has no valid port: write host:port,"
            f" e.g. {DEFAULT_TARGET}"
        )
    return address
