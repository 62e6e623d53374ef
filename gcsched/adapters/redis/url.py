"""What the URL of Redis may say. Every option is checked here, before anything opens.

redis-py hands whatever stands after the ? to its connections, which fail with it one by one, after
the service has begun to serve; and a frozen Redis would hang a client without limits for ever.
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
    ask_driver,
    ca_problem,
    decoded,
    host_and_port,
    key_problem,
    pairs,
    refuse_repeated,
    shown_option,
    take_apart,
    unusable,
)
from gcsched.domain.contradiction import Contradiction

TIMEOUT_SECONDS = 2.0
LONGEST_TIMEOUT_SECONDS = 60.0
DEFAULT_PORT = 6379
DEFAULT_HOST = "localhost"
LARGEST_NUMBER = 2**31 - 1
CONNECTIONS = {
    "redis": Connection,
    "rediss": SSLConnection,
    "unix": UnixDomainSocketConnection,
}

Reader = Callable[[str], object]


class Unfit(ValueError):
    """The value of an option is none; the text says what it must be."""


def seconds(text: str) -> float:
    """Read a limit; a longer one than a minute is a minute, as nothing may hang for longer."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise Unfit("seconds, more than 0")
    return min(value, LONGEST_TIMEOUT_SECONDS)


def whole(least: int) -> Reader:
    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,10}", text) or not least <= int(text) <= LARGEST_NUMBER:
            raise Unfit(f"a whole number from {least}")
        return int(text)

    return read


def flag(text: str) -> bool:
    value = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in value:
        raise Unfit("true or false")
    return value[text.lower()]


def only(value: str, why: str) -> Reader:
    def read(text: str) -> None:
        if text.lower() != value:
            raise Unfit(f"{value}, because {why}: leave it out")

    return read


def token(text: str) -> str:
    if not re.fullmatch("[!-~]{1,200}", text):  # CLIENT SETNAME takes nothing else
        raise Unfit("ASCII characters without blanks")
    return text


def checking(text: str) -> str:
    """Read how certificates are checked, also in the words of Python's ssl, as Celery demands."""
    value = text.lower().removeprefix("cert_")
    if value not in {"required", "optional", "none"}:
        raise Unfit("required, optional or none")
    return value


def tls_version(text: str) -> ssl.TLSVersion:
    versions = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
    value = text.lower().removeprefix("tls").removeprefix("v").replace("_", ".")
    if value not in versions:
        raise Unfit("TLSv1.2 or TLSv1.3")
    return versions[value]


READ_AS_BYTES = "the service reads bytes"
OPTIONS: dict[str, Reader] = {
    "db": whole(0),
    "username": str,
    "password": str,
    "socket_timeout": seconds,
    "socket_connect_timeout": seconds,
    "socket_keepalive": flag,
    "retry_on_timeout": flag,
    "health_check_interval": whole(0),
    "max_connections": whole(0),
    "client_name": token,
    "lib_name": token,
    "lib_version": token,
    "decode_responses": only("false", READ_AS_BYTES),
    "encoding": only("utf-8", READ_AS_BYTES),
    "protocol": only("2", "the service speaks RESP2"),
}
TLS_OPTIONS: dict[str, Reader] = {
    "ssl_cert_reqs": checking,
    "ssl_check_hostname": flag,
    "ssl_ca_certs": str,
    "ssl_ca_data": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
    "ssl_min_version": tls_version,
    "ssl_ciphers": str,
}
NEVER_SHOWN = frozenset({"username", "password", "ssl_ca_data"})
HARMLESS = (OPTIONS.keys() | TLS_OPTIONS.keys()) - NEVER_SHOWN
NOT_OF_A_SOCKET = frozenset({"socket_keepalive"})


def checked_url(url: SecretStr) -> SecretStr:
    """Check *url* as a setting; return it without blanks around it. Raises Contradiction."""
    text = url.get_secret_value().strip()
    options = pool_options(text)
    check_tls(options)
    ask_driver(partial(make_connection, options), contradicting, own=RedisError)
    return SecretStr(text)


def make_connection(options: dict[str, Any]) -> None:
    """Make what would connect; nothing opens."""
    pool: Any = ConnectionPool(**options)
    connection = pool.make_connection()
    if isinstance(connection, SSLConnection):
        connection.ssl_context.get()


def contradicting(_: Exception) -> Contradiction:
    return unusable("its options contradict each other, or the driver cannot use one")


def pool_options(url: str) -> dict[str, Any]:
    """Return what a pool for *url* is built of. Raises Contradiction."""
    parts = take_apart(url, tuple(CONNECTIONS))
    username, _, password = parts.user_info.partition(":")
    place = place_of(parts)  # first: a host that is none may be a part of the password
    given = options_of(parts)
    login = {
        "username": decoded(username, "its user") or given.get("username"),
        "password": decoded(password, "its password") or given.get("password"),
    }
    limits = {"socket_timeout": TIMEOUT_SECONDS, "socket_connect_timeout": TIMEOUT_SECONDS}
    own = {"connection_class": CONNECTIONS[parts.scheme], "parser_class": LimitedParser}
    return {**limits, **checks_of(parts, given), **place, **given, **login, **own}


def checks_of(parts: StoreUrl, given: dict[str, Any]) -> dict[str, Any]:
    """Return that a certificate must name the host: redis-py takes any name by default."""
    is_checked = parts.scheme == "rediss" and given.get("ssl_cert_reqs") != "none"
    return {"ssl_check_hostname": True} if is_checked else {}


def place_of(parts: StoreUrl) -> dict[str, Any]:
    """Return where Redis is, and the number of the database."""
    if parts.scheme == "unix":
        if parts.place not in {"", "localhost"} or not parts.path:
            raise unusable("a unix:// URL is unix:///path/of/the.sock, as unix://:password@/path")
        return {"path": decoded(f"/{parts.path}", "its path"), "db": 0}
    if "," in parts.place:
        raise unusable("it names more than one host: give the one that takes writes, or a proxy")
    # As redis-py has ever read them: `redis://:6379` is this machine, `redis://h:` the usual port.
    place = DEFAULT_HOST + parts.place if parts.place[:1] in {"", ":"} else parts.place
    host, port = host_and_port(place.removesuffix(":"), DEFAULT_PORT)
    number = decoded(parts.path, "its path").strip("/") or "0"
    try:
        return {"host": host, "port": port, "db": whole(0)(number)}
    except Unfit as error:  # not what stands there: it may be a password
        what = "the text after the / is not the number of a database"
        raise unusable(f"{what}, {error}, e.g. /0") from None


def redis_place(url: str) -> str:
    """Return where *url*, which was checked, leads to: no user, no password, no option."""
    options = pool_options(url)
    if "path" in options:
        return f"unix:{options['path']}?db={options['db']}"
    return f"{options['host']}:{options['port']}/{options['db']}"


def options_of(parts: StoreUrl) -> dict[str, Any]:
    """Read what stands after the ?; an option without a value is as if it were not there."""
    readers = OPTIONS | (TLS_OPTIONS if parts.scheme == "rediss" else {})
    given = pairs(parts.query)
    is_doubtful = "@" in parts.query  # then they may be the rest of a password
    found: dict[str, Any] = {}
    for name, text in given:
        if name in TLS_OPTIONS and name not in readers:
            raise unusable(f"its option {name} is for rediss:// only, which is Redis with TLS")
        if name not in readers or (parts.scheme == "unix" and name in NOT_OF_A_SOCKET):
            which = "such option" if is_doubtful else f"option {name}"
            raise unusable(f"there is no {which}: there are {', '.join(sorted(readers))}")
        value = decoded(text.replace("+", " "), f"its option {name}")
        try:
            found[name] = readers[name](value) if value else None
        except Unfit as error:
            told = shown_option(name, value, () if is_doubtful else HARMLESS)
            raise unusable(f"its option {f'{name} {told}'.strip()} must be {error}") from None
    refuse_repeated(name for name, _ in given)
    return {name: value for name, value in found.items() if value is not None}


def check_tls(options: dict[str, Any]) -> None:
    """Refuse certificates that cannot be read. Raises Contradiction."""
    authority = options.get("ssl_ca_certs")
    if authority and (problem := ca_problem(authority)):
        raise unusable(f"its option ssl_ca_certs {problem}")
    certificate, key = options.get("ssl_certfile"), options.get("ssl_keyfile")
    if bool(certificate) != bool(key):
        raise unusable("its options ssl_certfile and ssl_keyfile belong together: give both")
    if certificate and (problem := key_problem(certificate, key, None)):
        raise unusable(f"its option ssl_certfile {problem}")
