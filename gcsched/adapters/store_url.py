"""Take the URL of a store apart, and say what is wrong with it without repeating a secret.

Knows no driver. Both drivers read a URL with a special character in its password in ways of their
own: a part of the password becomes a host, a port or an option, and then a line of log.
"""

import re
import ssl
import warnings
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from gcsched.domain.invalid_setting import InvalidSetting

ESCAPING_ADVICE = (
    "write special characters of user and password as %XX"
    " (# is %23, / is %2F, : is %3A, ? is %3F, @ is %40)"
)
OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
PORTS = range(1, 65_536)
MAX_PORT_DIGITS = 5
MAX_QUOTED_LENGTH = 100
QUOTABLE = re.compile(r"[\w.,:+/ -]*")  # not what may be the next option, or a host
MAX_CLAUSE_LENGTH = 200
CLAUSE_ENDS = re.compile(
    r" \(configured timeouts| \(_ssl\.c|,? ?full error|, Timeout: |, with args|\. Hint|[\r\n]"
)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrl:
    """The parts of a URL as they are written, still percent-encoded."""

    scheme: str
    user_info: str
    hosts: str
    path: str
    query: str


def make_url_error(why: str) -> InvalidSetting:
    """Make the error of a setting; *why* holds no secret."""
    return InvalidSetting(f"cannot be used: {why}")


def call_driver(
    ask: Callable[[], Answer],
    refused: Callable[[Exception], Exception],
    *,
    driver_error: type[Exception],
) -> Answer:
    """Call *ask*, which uses a driver; where it fails, raise what *refused* makes of its error.

    *driver_error* is what the driver's errors are; beside them it raises whatever it meets in a URL. The
    error goes no further, because its text may hold the password; warnings are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ask()
        except (
            *(driver_error, ValueError, TypeError, LookupError, AttributeError),
            *(OSError, ImportError, RuntimeError),  # of a file, a module, a loop
        ) as error:
            raise refused(error) from None


def parse_url(url: str, schemes: Collection[str]) -> StoreUrl:
    """Split *url*; raise Contradiction where its parts cannot be told from a password."""
    if not url.isprintable():
        raise make_url_error("it holds a line break or another control character: write it as %XX")
    scheme, is_url, rest = url.partition("://")
    if not is_url or scheme not in schemes:
        allowed = " or ".join(f"{each}://" for each in schemes)
        raise make_url_error(f"it does not begin with {allowed}")
    if "#" in rest:
        raise make_url_error(f"it holds a bare #: {ESCAPING_ADVICE}")
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    of_socket = scheme == "unix" and not authority
    # An @ among the options is the first one where a password with a bare ? stands before it.
    if ("@" in path and not of_socket) or ("@" in query and "@" not in authority and not of_socket):
        raise make_url_error(
            f"it holds a bare / or ? before an @: {ESCAPING_ADVICE}, also in options"
        )
    user_info, _, place = authority.rpartition("@")
    return StoreUrl(scheme=scheme, user_info=user_info, hosts=place, path=path, query=query)


def parse_host_and_port(place: str, default_port: int) -> tuple[str, int]:
    """Read `host`, `host:port` or `[IPv6]:port`; raise Contradiction."""
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([^:]*))?", place)
    if found is None:
        raise make_url_error(
            f"its host is not a name or an address, IPv6 as [::1]; {ESCAPING_ADVICE}"
        )
    host, port = found[1], found[2]
    if not host:
        raise make_url_error("it names no host")
    if port is not None and not (
        port.isascii() and port.isdigit() and len(port) <= MAX_PORT_DIGITS
    ):
        raise make_url_error(f"its port is not a number from 1 to 65535; {ESCAPING_ADVICE}")
    if port is not None and int(port) not in PORTS:
        raise make_url_error("its port is not a number from 1 to 65535")
    return check_host(host), default_port if port is None else int(port)


def check_host(host: str) -> str:
    """Return *host* without the brackets of an IPv6 address; raise Contradiction."""
    if host.startswith("["):
        address = unquote(host[1:-1])
        number, _, zone = address.partition("%")
        try:
            IPv6Address(number)
        except ValueError:
            raise make_url_error("what stands in [] is not an IPv6 address") from None
        if not re.fullmatch("[A-Za-z0-9_.-]*", zone):
            raise make_url_error("what stands in [] is not an IPv6 address")
        return address
    try:
        # As a look-up will: it makes an @ and a / of characters that are their likes.
        meant = host.encode("idna").decode()
    except UnicodeError:
        raise make_url_error("its host is not a host name: a label is empty or too long") from None
    if re.search(r"[\s%/\\<>\"'^`{|}=&;:@?#\[\]]", host + meant):
        raise make_url_error(f"its host is not a host name; {ESCAPING_ADVICE}")
    return host


def decode_part(text: str, what: str) -> str:
    """Decode %XX; raise Contradiction where that gives no text, or text with a NUL."""
    try:
        found = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise make_url_error(f"the %XX of {what} are not UTF-8") from None
    if "\0" in found:
        raise make_url_error(f"{what} holds %00, which no server takes")
    return found


def parse_pairs(query: str, separator: str = "&") -> list[tuple[str, str]]:
    """Split options, still encoded; raise Contradiction where one is no pair or comes twice."""
    found: list[tuple[str, str]] = []
    for text in filter(None, query.split(separator)):
        name, equals, value = text.partition("=")
        if not equals or not OPTION_NAME.fullmatch(name):
            raise make_url_error(
                "after the ? only options as name=value, joined by &, are understood"
            )
        found.append((name, value))
    return found


def refuse_repeated(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise make_url_error(f"its option {name} is given twice: give it once")
        seen.add(name.lower())


def quote_value(value: str) -> str:
    """Quote *value* on one line, shortened."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED_LENGTH else f"{text[:MAX_QUOTED_LENGTH]}…'"


def quote_option(name: str, value: str, harmless: Collection[str]) -> str:
    """Quote *value* where option *name* is one of the *harmless*; else return an empty text."""
    is_told = name.lower() in harmless and QUOTABLE.fullmatch(value)
    return quote_value(value) if is_told else ""


def first_clause(text: str) -> str:
    """Return what a driver's *text* begins with, on one line: its details are of no use here."""
    clause = CLAUSE_ENDS.split(text, maxsplit=1)[0].strip(" .,:;")
    line = "".join(c if c.isprintable() else " " for c in clause)
    return line if len(line) <= MAX_CLAUSE_LENGTH else f"{line[:MAX_CLAUSE_LENGTH]}…"


def find_ca_problem(file: str | Path) -> str | None:
    """Say why no certificates can be read from *file*; None: they can."""
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:
        return f"{quote_value(str(file))}: {describe_file_error(error, 'it holds no certificate as PEM')}"
    return None


def find_key_problem(certificate: str, key: str | None, password: str | None) -> str | None:
    """Say why no certificate with its key can be read; None: they can."""
    for file in filter(None, (certificate, key)):
        if not Path(file).exists():
            return f"{quote_value(file)}: file not found"
    try:
        # Without an answer of ours OpenSSL asks at the terminal for a password, and waits.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=lambda: password or "")
    except (OSError, ValueError) as error:
        pem = "it holds no certificate with its key as PEM, or the key needs another password"
        return f"{quote_value(certificate)}: {describe_file_error(error, pem)}"
    return None


def describe_file_error(error: OSError | ValueError, otherwise: str) -> str:
    """Say what is wrong with a file of certificates."""
    if isinstance(error, FileNotFoundError):
        return "file not found"
    if isinstance(error, ssl.SSLError | ValueError) or error.strerror is None:
        return otherwise
    return error.strerror.lower()
