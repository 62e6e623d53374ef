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

from gcsched.domain.contradiction import Contradiction

SPECIAL = (
    "write special characters of user and password as %XX"
    " (# is %23, / is %2F, : is %3A, ? is %3F, @ is %40)"
)
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
PORTS = range(1, 65_536)
MOST_DIGITS = 5
LONGEST_SHOWN = 100
REPEATABLE = re.compile(r"[\w.,:+/ -]*")  # not what may be the next option, or a host
LONGEST_CLAUSE = 200
CLAUSE_ENDS = re.compile(
    r" \(configured timeouts| \(_ssl\.c|,? ?full error|, Timeout: |, with args|\. Hint|[\r\n]"
)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrl:
    """The parts of a URL as they are written, still percent-encoded."""

    scheme: str
    user_info: str
    place: str
    path: str
    query: str


def unusable(why: str) -> Contradiction:
    """Make the error of a setting; *why* holds no secret."""
    return Contradiction(f"cannot be used: {why}")


def ask_driver(
    ask: Callable[[], Answer], refused: Callable[[Exception], Exception], *, own: type[Exception]
) -> Answer:
    """Call *ask*, which uses a driver; where it fails, raise what *refused* makes of its error.

    *own* is what the driver's errors are; beside them it raises whatever it meets in a URL. The
    error goes no further, because its text may hold the password; warnings are left out.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ask()
        except (
            *(own, ValueError, TypeError, LookupError, AttributeError),
            *(OSError, ImportError, RuntimeError),  # of a file, a module, a loop
        ) as error:
            raise refused(error) from None


def take_apart(url: str, schemes: Collection[str]) -> StoreUrl:
    """Split *url*; raise Contradiction where its parts cannot be told from a password."""
    if not url.isprintable():
        raise unusable("it holds a line break or another control character: write it as %XX")
    scheme, is_url, rest = url.partition("://")
    if not is_url or scheme not in schemes:
        allowed = " or ".join(f"{each}://" for each in schemes)
        raise unusable(f"it does not begin with {allowed}")
    if "#" in rest:
        raise unusable(f"it holds a bare #: {SPECIAL}")
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    of_socket = scheme == "unix" and not authority
    # An @ among the options is the first one where a password with a bare ? stands before it.
    if ("@" in path and not of_socket) or ("@" in query and "@" not in authority and not of_socket):
        raise unusable(f"it holds a bare / or ? before an @: {SPECIAL}, also in options")
    user_info, _, place = authority.rpartition("@")
    return StoreUrl(scheme=scheme, user_info=user_info, place=place, path=path, query=query)


def host_and_port(place: str, default_port: int) -> tuple[str, int]:
    """Read `host`, `host:port` or `[IPv6]:port`; raise Contradiction."""
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([^:]*))?", place)
    if found is None:
        raise unusable(f"its host is not a name or an address, IPv6 as [::1]; {SPECIAL}")
    host, port = found[1], found[2]
    if not host:
        raise unusable("it names no host")
    if port is not None and not (port.isascii() and port.isdigit() and len(port) <= MOST_DIGITS):
        raise unusable(f"its port is not a number from 1 to 65535; {SPECIAL}")
    if port is not None and int(port) not in PORTS:
        raise unusable("its port is not a number from 1 to 65535")
    return checked_host(host), default_port if port is None else int(port)


def checked_host(host: str) -> str:
    """Return *host* without the brackets of an IPv6 address; raise Contradiction."""
    if host.startswith("["):
        address = unquote(host[1:-1])
        number, _, zone = address.partition("%")
        try:
            IPv6Address(number)
        except ValueError:
            raise unusable("what stands in [] is not an IPv6 address") from None
        if not re.fullmatch("[A-Za-z0-9_.-]*", zone):
            raise unusable("what stands in [] is not an IPv6 address")
        return address
    try:
        # As a look-up will: it makes an @ and a / of characters that are their likes.
        meant = host.encode("idna").decode()
    except UnicodeError:
        raise unusable("its host is not a host name: a label is empty or too long") from None
    if re.search(r"[\s%/\\<>\"'^`{|}=&;:@?#\[\]]", host + meant):
        raise unusable(f"its host is not a host name; {SPECIAL}")
    return host


def decoded(text: str, what: str) -> str:
    """Decode %XX; raise Contradiction where that gives no text, or text with a NUL."""
    try:
        found = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise unusable(f"the %XX of {what} are not UTF-8") from None
    if "\0" in found:
        raise unusable(f"{what} holds %00, which no server takes")
    return found


def pairs(query: str, separator: str = "&") -> list[tuple[str, str]]:
    """Split options, still encoded; raise Contradiction where one is no pair or comes twice."""
    found: list[tuple[str, str]] = []
    for text in filter(None, query.split(separator)):
        name, equals, value = text.partition("=")
        if not equals or not NAME.fullmatch(name):
            raise unusable("after the ? only options as name=value, joined by &, are understood")
        found.append((name, value))
    return found


def refuse_repeated(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise unusable(f"its option {name} is given twice: give it once")
        seen.add(name.lower())


def shown(value: str) -> str:
    """Quote *value* on one line, shortened."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…'"


def shown_option(name: str, value: str, harmless: Collection[str]) -> str:
    """Quote *value* where option *name* is one of the *harmless*; else return an empty text."""
    is_told = name.lower() in harmless and REPEATABLE.fullmatch(value)
    return shown(value) if is_told else ""


def first_clause(text: str) -> str:
    """Return what a driver's *text* begins with, on one line: its details are of no use here."""
    clause = CLAUSE_ENDS.split(text, maxsplit=1)[0].strip(" .,:;")
    line = "".join(c if c.isprintable() else " " for c in clause)
    return line if len(line) <= LONGEST_CLAUSE else f"{line[:LONGEST_CLAUSE]}…"


def ca_problem(file: str | Path) -> str | None:
    """Say why no certificates can be read from *file*; None: they can."""
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:
        return f"{shown(str(file))}: {file_words(error, 'it holds no certificate as PEM')}"
    return None


def key_problem(certificate: str, key: str | None, password: str | None) -> str | None:
    """Say why no certificate with its key can be read; None: they can."""
    for file in filter(None, (certificate, key)):
        if not Path(file).exists():
            return f"{shown(file)}: file not found"
    try:
        # Without an answer of ours OpenSSL asks at the terminal for a password, and waits.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=lambda: password or "")
    except (OSError, ValueError) as error:
        pem = "it holds no certificate with its key as PEM, or the key needs another password"
        return f"{shown(certificate)}: {file_words(error, pem)}"
    return None


def file_words(error: OSError | ValueError, otherwise: str) -> str:
    """Say what is wrong with a file of certificates."""
    if isinstance(error, FileNotFoundError):
        return "file not found"
    if isinstance(error, ssl.SSLError | ValueError) or error.strerror is None:
        return otherwise
    return error.strerror.lower()
