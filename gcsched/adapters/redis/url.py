"""Parse the URL of Redis. Every option is checked here, before any connection opens.

redis-py hands everything after the ? to its connections, which would fail one by one once the
service serves. Without the time limits set here, a frozen Redis would block a client permanently.
"""

import math
import re
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import SecretStr
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import RedisError

from gcsched.adapters.redis.replies import LimitedParser
from gcsched.adapters.store_url import (
    StoreUrl,
    call_driver,
    decode_part,
    find_ca_problem,
    find_key_problem,
    make_url_error,
    parse_host_and_port,
    parse_pairs,
    parse_url,
    quote_option,
    refuse_repeated,
)
from gcsched.domain.invalid_setting import InvalidSetting

TIMEOUT_SECONDS = 2.0
MAX_TIMEOUT_SECONDS = 60.0
DEFAULT_PORT = 6379
DEFAULT_HOST = "localhost"
MAX_NUMBER = 2**31 - 1
CONNECTIONS = {
    "redis": Connection,
    "rediss": SSLConnection,
    "unix": UnixDomainSocketConnection,
}

OptionParser = Callable[[str], object]


class InvalidOption(ValueError):
    """The value of an option is invalid; the text says what it must be."""


def parse_seconds(text: str) -> float:
    """Parse a time limit in seconds; more than a minute counts as a minute."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise InvalidOption("seconds, more than 0")
    return min(value, MAX_TIMEOUT_SECONDS)


def make_integer_parser(least: int) -> OptionParser:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,10}", text) or not least <= int(text) <= MAX_NUMBER:
            raise InvalidOption(f"a whole number from {least}")
        return int(text)

    return parse


def parse_flag(text: str) -> bool:
    value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in value:
        raise InvalidOption("true or false")
    return value[text.lower()]


def make_literal_parser(value: str, why: str) -> OptionParser:
    def parse(text: str) -> None:
        if text.lower() != value:
            raise InvalidOption(f"{value}, because {why}: leave it out")

    return parse


def parse_token(text: str) -> str:
    if not re.fullmatch("[!-~]{1,200}", text):  # CLIENT SETNAME takes nothing else
        raise InvalidOption("ASCII characters without blanks")
    return text


def parse_cert_reqs(text: str) -> str:
    """Parse how certificates are checked; accept the names of Python's ssl too, as Celery does."""
    value = text.lower().removeprefix("cert_")
    if value not in {"required", "optional", "none"}:
        raise InvalidOption("required, optional or none")
    return value


def parse_tls_version(text: str) -> ssl.TLSVersion:
    versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    value = text.lower().removeprefix("tls").removeprefix("v").replace("_", ".")
    if value not in versions:
        raise InvalidOption("TLSv1.2 or TLSv1.3")
    return versions[value]


READ_AS_BYTES = "the service reads bytes"
OPTIONS: dict[str, OptionParser] = {
    "db": make_integer_parser(0),
    "username": str,
    "password": str,
    "socket_timeout": parse_seconds,
    "socket_connect_timeout": parse_seconds,
    "socket_keepalive": parse_flag,
    "retry_on_timeout": parse_flag,
    "health_check_interval": make_integer_parser(0),
    "max_connections": make_integer_parser(0),
    "client_name": parse_token,
    "lib_name": parse_token,
    "lib_version": parse_token,
    "decode_responses": make_literal_parser("false", READ_AS_BYTES),
    "encoding": make_literal_parser("utf-8", READ_AS_BYTES),
    "protocol": make_literal_parser("2", "the service speaks RESP2"),
}
TLS_OPTIONS: dict[str, OptionParser] = {
    "ssl_cert_reqs": parse_cert_reqs,
    "ssl_check_hostname": parse_flag,
    "ssl_ca_certs": str,
    "ssl_ca_data": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_min_version": parse_tls_version,
    "ssl_ciphers": str,
}
SECRET_OPTIONS = frozenset({"username", "password", "ssl_ca_data"})
SHOWN_OPTIONS = (OPTIONS.keys() | TLS_OPTIONS.keys()) - SECRET_OPTIONS
TCP_ONLY_OPTIONS = frozenset({"socket_keepalive"})


def validate_url(url: SecretStr) -> SecretStr:
    """Check *url* and return it without surrounding blanks. Raises InvalidSetting."""
    text = url.get_secret_value().strip()
    options = pool_options(text)
    check_tls(options)
    call_driver(partial(make_connection, options), make_conflict_error, driver_error=RedisError)
    return SecretStr(text)


def make_connection(options: dict[str, Any]) -> None:
    """Make a connection object and its TLS context; nothing connects."""
    pool: Any = ConnectionPool(**options)
    connection = pool.make_connection()
    if isinstance(connection, SSLConnection):
        connection.ssl_context.get()


def make_conflict_error(_: Exception) -> InvalidSetting:
    return make_url_error("its options contradict each other, or the driver cannot use one")


def pool_options(url: str) -> dict[str, Any]:
    """Return the arguments of a pool for *url*. Raises InvalidSetting."""
    parts = parse_url(url, tuple(CONNECTIONS))
    username, _, password = parts.user_info.partition(":")
    location = parse_location(parts)  # first: an invalid host may be a part of the password
    given = parse_options(parts)
    login = {
        "username": decode_part(username, "its user") or given.get("username"),
        "password": decode_part(password, "its password") or given.get("password"),
    }
    limits = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    own = {"connection_class": CONNECTIONS[parts.scheme], "parser_class": LimitedParser}
    return {**limits, **tls_defaults(parts, given), **location, **given, **login, **own}


def tls_defaults(parts: StoreUrl, given: dict[str, Any]) -> dict[str, Any]:
    """Return the option that a certificate must name the host; redis-py accepts any name."""
    is_checked = parts.scheme == "rediss" and given.get("ssl_cert_reqs") != "none"
    return {"ssl_check_hostname": True} if is_checked else {}


def parse_location(parts: StoreUrl) -> dict[str, Any]:
    """Return the address of Redis, and the number of the database."""
    if parts.scheme == "unix":
        if parts.hosts not in {"", "localhost"} or not parts.path:
            raise make_url_error(
                "a unix:// URL is unix:///path/of/the.sock, as unix://:password@/path"
            )
        return {"path": decode_part(f"/{parts.path}", "its path"), "db": 0}
    if "," in parts.hosts:
        raise make_url_error(
            "it names more than one host: give the one that takes writes, or a proxy"
        )
    # As redis-py reads them: `redis://:6379` is this machine, `redis://h:` the default port.
    address = DEFAULT_HOST + parts.hosts if parts.hosts[:1] in {"", ":"} else parts.hosts
    host, port = parse_host_and_port(address.removesuffix(":"), DEFAULT_PORT)
    number = decode_part(parts.path, "its path").strip("/") or "0"
    try:
        return {"host": host, "port": port, "db": make_integer_parser(0)(number)}
    except InvalidOption as error:  # the text is not repeated: it may be a password
        what = "the text after the / is not the number of a database"
        raise make_url_error(f"{what}, {error}, e.g. /0") from None


def format_redis_location(url: str) -> str:
    """Return the address in *url*, which is valid, without user, password and options."""
    options = pool_options(url)
    if "path" in options:
        return f"unix:{options['path']}?db={options['db']}"
    return f"{options['host']}:{options['port']}/{options['db']}"


def parse_options(parts: StoreUrl) -> dict[str, Any]:
    """Parse the options after the ?; one without a value is ignored."""
    parsers = OPTIONS | (TLS_OPTIONS if parts.scheme == "rediss" else {})
    given = parse_pairs(parts.query)
    is_doubtful = "@" in parts.query  # then the options may be the rest of a password
    found: dict[str, Any] = {}
    for name, text in given:
        if name in TLS_OPTIONS and name not in parsers:
            raise make_url_error(
                f"its option {name} is for rediss:// only, which is Redis with TLS"
            )
        if name not in parsers or (parts.scheme == "unix" and name in TCP_ONLY_OPTIONS):
            which = "such option" if is_doubtful else f"option {name}"
            raise make_url_error(f"there is no {which}: use one of {', '.join(sorted(parsers))}")
        value = decode_part(text.replace("+", " "), f"its option {name}")
        try:
            found[name] = parsers[name](value) if value else None
        except InvalidOption as error:
            quoted = quote_option(name, value, () if is_doubtful else SHOWN_OPTIONS)
            raise make_url_error(
                f"its option {f'{name} {quoted}'.strip()} must be {error}"
            ) from None
    refuse_repeated(name for name, _ in given)
    return {name: value for name, value in found.items() if value is not None}


def check_tls(options: dict[str, Any]) -> None:
    """Raise InvalidSetting if a certificate or its key cannot be read."""
    authority = options.get("ssl_ca_certs")
    if authority and (problem := find_ca_problem(authority)):
        raise make_url_error(f"its option ssl_ca_certs {problem}")
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if bool(certificate) != bool(key):
        raise make_url_error("its options ssl_certfile and ssl_keyfile belong together: give both")
    if certificate and (problem := find_key_problem(certificate, key, None)):
        raise make_url_error(f"its option ssl_certfile {problem}")
