"""Validation of MongoDB connection strings, before the client is opened.

The driver alone is not enough: it only warns about options that it ignores, finds missing modules
when it logs in, and its texts may contain a password.
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
"""The options whose values may appear in an error text: none of them is a secret."""

NEEDED_MODULES = {
    "GSSAPI": (("winkerberos", "kerberos"), "gssapi"),
    "MONGODB-AWS": (("pymongo_auth_aws",), "aws"),
}
"""By authentication mechanism: the modules of which one is needed, and the extra of PyMongo."""

KEY_UNLOCK_OPTION = "tlscertificatekeyfilepassword"
REPEATABLE_OPTION = "readpreferencetags"
LOGIN_OPTIONS = frozenset({"authmechanism", "authmechanismproperties", "authsource"})
DEPLOYMENT_OPTIONS = frozenset({"replicaset", "loadbalanced", "directconnection"})
NOT_FOR_SEEDS = LOGIN_OPTIONS | DEPLOYMENT_OPTIONS | {"serverselectiontimeoutms", "minpoolsize"}


def parse_database(uri: str) -> str | None:
    """Return the database that *uri* names, or the default; None if the name is not valid."""
    path = uri.partition("://")[2].partition("?")[0].partition("/")[2]
    name = unquote(path) or DEFAULT_DATABASE
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,63}", name) else None


def validate_uri(uri: SecretStr) -> SecretStr:
    """Check *uri* and return it without surrounding blanks. Raises InvalidSetting."""
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


def format_mongo_location(uri: str) -> str:
    """Return the hosts and the database of a checked *uri*, without user and options."""
    return f"{parse_url(uri, SCHEMES).hosts}/{parse_database(uri)}"


def check_login(user_info: str) -> None:
    user, _, password = user_info.partition(":")
    if "@" in user_info or ":" in password or "[" in user_info or "]" in user_info:
        raise make_url_error(
            f"its user or password contains an unescaped : @ [ or ]: {ESCAPING_ADVICE}"
        )
    for text, what in ((user, "its user"), (password, "its password")):
        decode_part(text, what)
        if any(unquote_plus(f"%{each[:2]}") == f"%{each[:2]}" for each in text.split("%")[1:]):
            raise make_url_error(f"{what} contains an unescaped %: {ESCAPING_ADVICE}, and % is %25")


def check_hosts(parts: StoreUrl) -> None:
    hosts = parts.hosts.split(",")
    if parts.scheme == "mongodb+srv" and (len(hosts) > 1 or ":" in parts.hosts):
        raise make_url_error(
            "with mongodb+srv:// it must name one host and no port: DNS has the others"
        )
    if parts.scheme == "mongodb+srv" and re.fullmatch(r"[0-9.]+", parts.hosts):
        raise make_url_error("with mongodb+srv:// it must name a host, not an IP address")
    for host in hosts:
        if host.endswith(".sock"):
            decode_part(host, "the path of its socket")
        else:
            parse_host_and_port(host, DEFAULT_PORT)


def parse_options(parts: StoreUrl) -> list[tuple[str, str]]:
    """Split the options, still encoded. Raises InvalidSetting."""
    if ";" in parts.query and "&" in parts.query:
        raise make_url_error("its options are joined by both & and ;: join all of them by &")
    return parse_pairs(parts.query, ";" if ";" in parts.query else "&")


def check_options(options: list[tuple[str, str]], *, is_doubtful: bool = False) -> None:
    """Check each option with the driver. Raises InvalidSetting.

    If *is_doubtful*, the options may be a part of a password, so no error names them.
    """
    files: dict[str, str] = {}
    for name, value in options:
        what = "one of its options" if is_doubtful else f"its option {name}"
        text = decode_part(value.replace("+", " "), what)
        if name.lower().startswith("tls") and name.lower().endswith("file"):
            files[name.lower()] = text
        elif name.lower() == KEY_UNLOCK_OPTION:
            files[KEY_UNLOCK_OPTION] = text
        else:
            check_option(name, value, text, is_doubtful=is_doubtful)
    refuse_repeated(name for name, _ in options if name.lower() != REPEATABLE_OPTION)
    check_files(files)


def check_option(name: str, value: str, text: str, *, is_doubtful: bool) -> None:
    def make_option_error(_: Exception) -> InvalidSetting:
        is_known = name.lower() in PUBLIC_OPTIONS
        given = quote_option(name, text, () if is_doubtful else PUBLIC_OPTIONS) or "the given value"
        option = f"its option {name}" if is_known or not is_doubtful else "one of its options"
        unknown = "" if is_known else ", or MongoDB's driver has no such option"
        return make_url_error(f"{option} cannot be {given}{unknown}")

    split = partial(split_options, f"{name}={value}", warn=False)
    call_driver(split, make_option_error, driver_error=PyMongoError)


def check_files(files: dict[str, str]) -> None:
    """Check that the certificate files can be read. Raises InvalidSetting."""
    for option, name in (("tlscafile", "tlsCAFile"), ("tlscrlfile", "tlsCRLFile")):
        if option in files and (problem := find_ca_problem(files[option])):
            raise make_url_error(f"its option {name} {problem}")
    pair = files.get("tlscertificatekeyfile")
    if pair is not None and (problem := find_key_problem(pair, None, files.get(KEY_UNLOCK_OPTION))):
        raise make_url_error(f"its option tlsCertificateKeyFile {problem}")


def check_modules(options: Iterable[tuple[str, str]]) -> None:
    """Check that the modules for the login are installed. Raises InvalidSetting."""
    for name, value in options:
        if name.lower() == "authmechanism" and (needed := NEEDED_MODULES.get(unquote_plus(value))):
            modules, extra = needed
            if not any(map(is_importable, modules)):
                raise make_url_error(
                    f"its option {name}={value} needs a Python module that is not installed:"
                    f" install pymongo[{extra}] where the service is, or choose another mechanism"
                )


def is_importable(module: str) -> bool:
    with suppress(ImportError, OSError):  # OSError: a library that it loads is missing
        import_module(module)
        return True
    return False


def collect_secrets(user_info: str, options: Iterable[tuple[str, str]]) -> set[str]:
    """Return what no error may contain, encoded and decoded.

    Without the user: a name such as `a` is part of most texts.
    """
    _, _, password = user_info.partition(":")
    texts = [password, *(value for name, value in options if name.lower() not in PUBLIC_OPTIONS)]
    return {way(text) for text in texts if text for way in (str, unquote, unquote_plus)}


def check_construction(uri: str, secrets: set[str]) -> None:
    """Build a client without connecting: options may contradict each other.

    Its warnings are ignored, because `check_options` has checked every option. Raises
    InvalidSetting.
    """

    def build() -> None:
        with closing(MongoClient[dict[str, Any]](uri, connect=False)):
            pass

    def make_driver_error(error: Exception) -> InvalidSetting:
        text = str(error)
        is_safe = text and not any(secret in text for secret in secrets)
        why = first_clause(text) if is_safe else "its options contradict each other or its hosts"
        return make_url_error(f"MongoDB's driver does not accept it: {why}")

    call_driver(build, make_driver_error, driver_error=PyMongoError)


def build_seed_uris(uri: str) -> list[str]:
    """Return a URI for each host of *uri* alone, with the options for TLS but without a login."""
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
