"""What a connection string of MongoDB may say: what the driver refuses is found before it opens.

The driver refuses some things at once, only warns of options that it leaves out, finds missing
modules when it logs in, and its words may repeat a password.
"""

import re
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import partial
from importlib import import_module
from typing import Any
from urllib.parse import unquote, unquote_plus

from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import split_options

from gcsched.adapters.store_url import (
    ESCAPING_ADVICE,
    StoreUrl,
    call_driver,
    decode_part,
    find_ca_problem,
    find_key_problem,
    first_clause,
    make_url_error,
    parse_host_and_port,
    parse_pairs,
    parse_url,
    quote_option,
    refuse_repeated,
)
from gcsched.domain.invalid_setting import InvalidSetting

DEFAULT_DATABASE = "gcsched"

SCHEMES = ("mongodb", "mongodb+srv")
DEFAULT_PORT = 27017
RESERVED_DATABASES = frozenset({"config", "local"})  # the second is not replicated
PUBLIC_OPTIONS = frozenset(
    (
        *("appname", "authsource", "compressors", "connecttimeoutms"),
        *("datetime_conversion", "directconnection", "heartbeatfrequencyms", "journal"),
        *("loadbalanced", "localthresholdms", "maxconnecting", "maxidletimems", "maxpoolsize"),
        *("maxstalenessseconds", "minpoolsize", "readconcernlevel", "readpreference"),
        *("readpreferencetags", "replicaset", "retryreads", "retrywrites"),
        *("servermonitoringmode", "serverselectiontimeoutms", "sockettimeoutms", "srvmaxhosts"),
        *("srvservicename", "ssl", "timeoutms", "tls", "tlsallowinvalidcertificates"),
        *("tlsallowinvalidhostnames", "tlsdisableocspendpointcheck", "tlsinsecure", "tz_aware"),
        *("uuidrepresentation", "w", "waitqueuetimeoutms", "wtimeoutms"),
        "zlibcompressionlevel",
    )
)
"""The options whose values may be repeated: no slip of the pen makes one of them a password."""

NEEDED_MODULES = {
    "GSSAPI": (("winkerberos", "kerberos"), "gssapi"),
    "MONGODB-AWS": (("pymongo_auth_aws",), "aws"),
}
"""One of these modules is needed for a mechanism, and the extra of PyMongo that brings it."""

KEY_PASSWORD_OPTION = "tlscertificatekeyfilepassword"
REPEATABLE_OPTION = "readpreferencetags"
LOGIN_OPTIONS = frozenset({"authmechanism", "authmechanismproperties", "authsource"})
DEPLOYMENT_OPTIONS = frozenset({"replicaset", "loadbalanced", "directconnection"})
NOT_FOR_SEEDS = LOGIN_OPTIONS | DEPLOYMENT_OPTIONS | {"serverselectiontimeoutms", "minpoolsize"}


def parse_database(uri: str) -> str | None:
    """Return the database that *uri* names, or ours; None where its path is no name of one."""
    path = uri.partition("://")[2].partition("?")[0].partition("/")[2]
    name = unquote(path) or DEFAULT_DATABASE
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,63}", name) else None


def validate_uri(uri: SecretStr) -> SecretStr:
    """Check *uri* as a setting; return it without blanks around it. Raises Contradiction."""
    text = uri.get_secret_value().strip()
    parts = parse_url(text, SCHEMES)
    check_login(parts.user_info)
    check_hosts(parts)
    if (name := parse_database(text)) is None or name.lower() in RESERVED_DATABASES:
        raise make_url_error(
            "its path is not the name of a database: up to 63 letters, digits, _ and -, and"
            f" neither config nor local; {ESCAPING_ADVICE}"
        )
    options = parse_options(parts)
    check_options(options, is_doubtful="@" in parts.query)
    check_construction(text, collect_secrets(parts.user_info, options))
    check_modules(options)
    return SecretStr(text)


def mongo_location(uri: str) -> str:
    """Return the hosts and the database of *uri*, which was checked: no user, no option."""
    return f"{parse_url(uri, SCHEMES).hosts}/{parse_database(uri)}"


def check_login(user_info: str) -> None:
    user, _, password = user_info.partition(":")
    if "@" in user_info or ":" in password or "[" in user_info or "]" in user_info:
        raise make_url_error(f"its user or password holds a bare : @ [ or ]: {ESCAPING_ADVICE}")
    for text, what in ((user, "its user"), (password, "its password")):
        decode_part(text, what)
        if any(unquote_plus(f"%{each[:2]}") == f"%{each[:2]}" for each in text.split("%")[1:]):
            raise make_url_error(f"{what} holds a bare %: {ESCAPING_ADVICE}, and % is %25")


def check_hosts(parts: StoreUrl) -> None:
    hosts = parts.hosts.split(",")
    if parts.scheme == "mongodb+srv" and (len(hosts) > 1 or ":" in parts.hosts):
        raise make_url_error(
            "with mongodb+srv:// it names one host and no port: DNS knows the others"
        )
    if parts.scheme == "mongodb+srv" and re.fullmatch(r"[0-9.]+", parts.hosts):
        raise make_url_error("with mongodb+srv:// it names a host, not an IP address")
    for host in hosts:
        if host.endswith(".sock"):
            decode_part(host, "the path of its socket")
        else:
            parse_host_and_port(host, DEFAULT_PORT)


def parse_options(parts: StoreUrl) -> list[tuple[str, str]]:
    """Split the options, still encoded. Raises Contradiction."""
    if ";" in parts.query and "&" in parts.query:
        raise make_url_error("its options are joined by & and by ; in turn: join all of them by &")
    return parse_pairs(parts.query, ";" if ";" in parts.query else "&")


def check_options(options: list[tuple[str, str]], *, is_doubtful: bool = False) -> None:
    """Ask the driver about each option by itself; *is_doubtful*: they may be part of a password.

    Raises Contradiction.
    """
    files: dict[str, str] = {}
    for name, value in options:
        what = "one of its options" if is_doubtful else f"its option {name}"
        text = decode_part(value.replace("+", " "), what)
        if name.lower().startswith("tls") and name.lower().endswith("file"):
            files[name.lower()] = text
        elif name.lower() == KEY_PASSWORD_OPTION:
            files[KEY_PASSWORD_OPTION] = text
        else:
            check_option(name, value, text, is_doubtful=is_doubtful)
    refuse_repeated(name for name, _ in options if name.lower() != REPEATABLE_OPTION)
    check_files(files)


def check_option(name: str, value: str, text: str, *, is_doubtful: bool) -> None:
    def make_option_error(_: Exception) -> InvalidSetting:
        is_known = name.lower() in PUBLIC_OPTIONS
        given = quote_option(name, text, () if is_doubtful else PUBLIC_OPTIONS) or "what is given"
        named = f"its option {name}" if is_known or not is_doubtful else "one of its options"
        otherwise = "" if is_known else ", or MongoDB's driver has no such option"
        return make_url_error(f"{named} cannot be {given}{otherwise}")

    split = partial(split_options, f"{name}={value}", warn=False)
    call_driver(split, make_option_error, driver_error=PyMongoError)


def check_files(files: dict[str, str]) -> None:
    """Refuse files of certificates that cannot be read. Raises Contradiction."""
    for option, name in (("tlscafile", "tlsCAFile"), ("tlscrlfile", "tlsCRLFile")):
        if option in files and (problem := find_ca_problem(files[option])):
            raise make_url_error(f"its option {name} {problem}")
    pair = files.get("tlscertificatekeyfile")
    if pair is not None and (
        problem := find_key_problem(pair, None, files.get(KEY_PASSWORD_OPTION))
    ):
        raise make_url_error(f"its option tlsCertificateKeyFile {problem}")


def check_modules(options: Iterable[tuple[str, str]]) -> None:
    """Refuse a login for which a module is missing. Raises Contradiction."""
    for name, value in options:
        if name.lower() == "authmechanism" and (needed := NEEDED_MODULES.get(unquote_plus(value))):
            modules, extra = needed
            if not any(map(is_importable, modules)):
                raise make_url_error(
                    f"its option {name}={value} needs a Python module that is not installed:"
                    f" install pymongo[{extra}] where the service is, or choose another mechanism"
                )


def is_importable(module: str) -> bool:
    with suppress(ImportError, OSError):  # the second: a library that it loads is missing
        import_module(module)
        return True
    return False


def collect_secrets(user_info: str, options: Iterable[tuple[str, str]]) -> set[str]:
    """Return what no text may repeat, encoded and decoded: not the user, who may be called `a`."""
    _, _, password = user_info.partition(":")
    texts = [password, *(value for name, value in options if name.lower() not in PUBLIC_OPTIONS)]
    return {way(text) for text in texts if text for way in (str, unquote, unquote_plus)}


def check_construction(uri: str, secrets: set[str]) -> None:
    """Build the client, which opens nothing yet: options may contradict each other.

    Its warnings are of no interest: whether it takes each option has been asked.
    """

    def build() -> None:
        with closing(MongoClient[dict[str, Any]](uri, connect=False)):
            pass

    def make_driver_error(error: Exception) -> InvalidSetting:
        words = str(error)
        is_safe = words and not any(secret in words for secret in secrets)
        why = first_clause(words) if is_safe else "its options contradict each other or its hosts"
        return make_url_error(f"MongoDB's driver does not take it: {why}")

    call_driver(build, make_driver_error, driver_error=PyMongoError)


def build_seed_uris(uri: str) -> list[str]:
    """Return for each host of *uri* a string that asks it alone, with TLS but without a login."""
    parts = parse_url(uri, SCHEMES)
    if parts.scheme == "mongodb+srv":
        return []
    kept = [
        f"{name}={value}"
        for name, value in parse_options(parts)
        if name.lower() not in NOT_FOR_SEEDS
    ]
    query = "&".join([*kept, "directConnection=true", "serverSelectionTimeoutMS=1000"])
    return [f"mongodb://{host}/?{query}" for host in parts.hosts.split(",")]
