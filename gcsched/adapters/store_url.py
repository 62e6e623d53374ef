"""Parsing of store URLs, with errors that never contain a secret. Independent of any driver.

The drivers misread a URL whose password has an unescaped special character: a part of the password
becomes a host, a port or an option, and then appears in an error text and in the log.
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
QUOTABLE = re.compile(r"[\w.,:+/ -]*")  # no character that separates options or hosts
MAX_CLAUSE_LENGTH = 200
CLAUSE_ENDS = re.compile(
    r" \(configured timeouts| \(_ssl\.c|,? ?full error|, Timeout: |, with args|\. Hint|[\r\n]"
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrl:
    """The parts of a URL, still percent-encoded."""

    scheme: str
    user_info: str
    hosts: str
    path: str
    query: str


def make_url_error(why: str) -> InvalidSetting:
    """Return the error for a setting; *why* must not contain a secret."""
    return InvalidSetting(f"cannot be used: {why}")


def call_driver(
    call: Callable[[], Result],
    make_error: Callable[[Exception], Exception],
    *,
    driver_error: type[Exception],
) -> Result:
    """Return the result of *call*, which uses a driver; if it fails, raise what *make_error* makes.

    *driver_error* is the base class of the driver's errors; a malformed URL also raises built-in
    ones. The original error is dropped and warnings are ignored, because their texts may contain
    the password.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return call()
        except (
            *(driver_error, ValueError, TypeError, LookupError, AttributeError),
            *(OSError, ImportError, RuntimeError),  # a file, a module, an event loop
        ) as error:
            raise make_error(error) from None


def parse_url(url: str, schemes: Collection[str]) -> StoreUrl:
    """Split *url*; raise InvalidSetting if a part may belong to a password."""
    if not url.isprintable():
        raise make_url_error(
            "it contains a line break or another control character: write it as %XX"
        )
    scheme, is_url, rest = url.partition("://")
    if not is_url or scheme not in schemes:
        allowed = " or ".join(f"{each}://" for each in schemes)
        raise make_url_error(f"it does not start with {allowed}")
    if "#" in rest:
        raise make_url_error(f"it contains an unescaped #: {ESCAPING_ADVICE}")
    before, _, query = rest.partition("?")
    authority, _, path = before.partition("/")
    is_socket = scheme == "unix" and not authority
    # A password with an unescaped / or ? moves the @ after it into the path or the options.
    if ("@" in path and not is_socket) or ("@" in query and "@" not in authority and not is_socket):
        raise make_url_error(
            f"it contains an unescaped / or ? before an @: {ESCAPING_ADVICE}, also in options"
        )
    user_info, _, hosts = authority.rpartition("@")
    return StoreUrl(scheme=scheme, user_info=user_info, hosts=hosts, path=path, query=query)


def parse_host_and_port(text: str, default_port: int) -> tuple[str, int]:
    """Parse `host`, `host:port` or `[IPv6]:port`; raise InvalidSetting if it is none of them."""
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::([^:]*))?", text)
    if found is None:
        raise make_url_error(
            f"its host is not a name or an address; write IPv6 as [::1]; {ESCAPING_ADVICE}"
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
    """Return *host* without the brackets of an IPv6 address; raise InvalidSetting."""
    if host.startswith("["):
        address = unquote(host[1:-1])
        number, _, zone = address.partition("%")
        try:
            IPv6Address(number)
        except ValueError:
            raise make_url_error("the host in [] is not an IPv6 address") from None
        if not re.fullmatch("[A-Za-z0-9_.-]*", zone):
            raise make_url_error("the host in [] is not an IPv6 address")
        return address
    try:
        # A lookup encodes the name like this; characters such as a fullwidth @ become a plain one.
        encoded = host.encode("idna").decode()
    except UnicodeError:
        raise make_url_error("its host is not a host name: a label is empty or too long") from None
    if re.search(r"[\s%/\\<>\"'^`{|}=&;:@?#\[\]]", host + encoded):
        raise make_url_error(f"its host is not a host name; {ESCAPING_ADVICE}")
    return host


def decode_part(text: str, what: str) -> str:
    """Decode %XX in *text*; raise InvalidSetting if the result is not UTF-8 or has a NUL.

    *what* names the part in the error.
    """
    try:
        found = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise make_url_error(f"the %XX of {what} are not UTF-8") from None
    if "\0" in found:
        raise make_url_error(f"{what} contains %00, which no server accepts")
    return found


def parse_pairs(query: str, separator: str = "&") -> list[tuple[str, str]]:
    """Split the options, still encoded; raise InvalidSetting if one is not name=value."""
    found: list[tuple[str, str]] = []
    for text in filter(None, query.split(separator)):
        name, equals, value = text.partition("=")
        if not equals or not OPTION_NAME.fullmatch(name):
            raise make_url_error(
                "after the ? only options as name=value, joined by &, are accepted"
            )
        found.append((name, value))
    return found


def refuse_repeated(names: Iterable[str]) -> None:
    """Raise InvalidSetting if an option is given twice: the drivers use one of them silently."""
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
    """Quote *value* if option *name* is one of the *harmless* ones; otherwise return ""."""
    is_quotable = name.lower() in harmless and QUOTABLE.fullmatch(value)
    return quote_value(value) if is_quotable else ""


def first_clause(text: str) -> str:
    """Return the start of a driver's error *text*, on one line and without its details."""
    clause = CLAUSE_ENDS.split(text, maxsplit=1)[0].strip(" .,:;")
    line = "".join(c if c.isprintable() else " " for c in clause)
    return line if len(line) <= MAX_CLAUSE_LENGTH else f"{line[:MAX_CLAUSE_LENGTH]}…"


def find_ca_problem(file: str | Path) -> str | None:
    """Describe why no certificates can be read from *file*; None if they can."""
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:
        problem = describe_file_error(error, "it contains no certificate in PEM format")
        return f"{quote_value(str(file))}: {problem}"
    return None


def find_key_problem(certificate: str, key: str | None, password: str | None) -> str | None:
    """Describe why a certificate with its key cannot be read; None if it can."""
    for file in filter(None, (certificate, key)):
        if not Path(file).exists():
            return f"{quote_value(file)}: file not found"
    try:
        # Without a callback, OpenSSL asks for the password on the terminal and waits.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password=lambda: password or "")
    except (OSError, ValueError) as error:
        pem = (
            "it contains no certificate with its key in PEM format, or the key's password is wrong"
        )
        return f"{quote_value(certificate)}: {describe_file_error(error, pem)}"
    return None


def describe_file_error(error: OSError | ValueError, content_problem: str) -> str:
    """Describe the problem with a file of certificates; *content_problem* if it can be read."""
    if isinstance(error, FileNotFoundError):
        return "file not found"
    if isinstance(error, ssl.SSLError | ValueError) or error.strerror is None:
        return content_problem
    return error.strerror.lower()
