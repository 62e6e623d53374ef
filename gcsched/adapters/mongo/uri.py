"""What a connection string of MongoDB may say: what the driver refuses is found before it opens.

The driver refuses some things at once, only warns of others, which it then leaves out, and its
words may repeat a password.
"""

import re
import warnings
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import unquote, unquote_plus

from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.uri_parser import split_options

from gcsched import formats
from gcsched.store_urls import (
    SPECIAL,
    StoreUrl,
    ca_problem,
    decoded,
    first_clause,
    host_and_port,
    key_problem,
    pairs,
    refuse_repeated,
    shown,
    take_apart,
    unusable,
)

SCHEMES = ("mongodb", "mongodb+srv")
DEFAULT_PORT = 27017
NOT_FOR_JOBS = frozenset({"config", "local"})  # the second is not replicated
SECRET_OPTIONS = frozenset({"authmechanismproperties", "proxypassword", "proxyusername"})
UNLOCKS_KEY = "tlscertificatekeyfilepassword"
REPEATABLE = "readpreferencetags"
COSTS_NOTHING = "Wire protocol compression"  # how a warning begins that costs nothing
LOGIN_OPTIONS = frozenset({"authmechanism", "authmechanismproperties", "authsource"})
OF_ITS_SET = frozenset({"replicaset", "loadbalanced", "directconnection"})
LEFT_OUT = LOGIN_OPTIONS | OF_ITS_SET | {"serverselectiontimeoutms"}


class Complaint(Exception):
    """The driver does not take something; the text may repeat what the connection string says."""


def checked_uri(uri: SecretStr) -> SecretStr:
    """Check *uri* as a setting; return it without blanks around it. Raises Contradiction."""
    text = uri.get_secret_value().strip()
    parts = take_apart(text, SCHEMES)
    check_login(parts.user_info)
    check_hosts(parts)
    if (name := formats.mongo_database(text)) is None or name.lower() in NOT_FOR_JOBS:
        raise unusable(
            "its path is not the name of a database: up to 63 letters, digits, _ and -, and"
            f" neither config nor local; {SPECIAL}"
        )
    check_options(options_of(parts))
    check_construction(text, parts.user_info)
    return SecretStr(text)


def check_login(user_info: str) -> None:
    user, _, password = user_info.partition(":")
    if "@" in user_info or ":" in password or "[" in user_info or "]" in user_info:
        raise unusable(f"its user or password holds a bare : @ [ or ]: {SPECIAL}")
    for text, what in ((user, "its user"), (password, "its password")):
        decoded(text, what)
        if any(unquote_plus(f"%{each[:2]}") == f"%{each[:2]}" for each in text.split("%")[1:]):
            raise unusable(f"{what} holds a bare %: {SPECIAL}, and % is %25")


def check_hosts(parts: StoreUrl) -> None:
    hosts = parts.place.split(",")
    if parts.scheme == "mongodb+srv" and (len(hosts) > 1 or ":" in parts.place):
        raise unusable("with mongodb+srv:// it names one host and no port: DNS knows the others")
    if parts.scheme == "mongodb+srv" and re.fullmatch(r"[0-9.]+", parts.place):
        raise unusable("with mongodb+srv:// it names a host, not an IP address")
    for host in hosts:
        if host.endswith(".sock"):
            decoded(host, "the path of its socket")
        else:
            host_and_port(host, DEFAULT_PORT)


def options_of(parts: StoreUrl) -> list[tuple[str, str]]:
    is_old = ";" in parts.query and "&" not in parts.query
    return pairs(parts.query, ";" if is_old else "&")


def check_options(options: list[tuple[str, str]]) -> None:
    """Ask the driver about each option by itself. Raises Contradiction."""
    refuse_repeated(name for name, _ in options if name.lower() != REPEATABLE)
    files: dict[str, str] = {}
    for name, value in options:
        text = decoded(value.replace("+", " "), f"its option {name}")
        if name.lower().startswith("tls") and name.lower().endswith("file"):
            files[name.lower()] = text
        elif name.lower() == UNLOCKS_KEY:
            files[UNLOCKS_KEY] = text
        else:
            check_option(name, value, text)
    check_files(files)


def check_option(name: str, value: str, text: str) -> None:
    try:
        ask_driver(partial(split_options, f"{name}={value}", warn=False))
    except Complaint as error:
        given = "what is given" if name.lower() in SECRET_OPTIONS else shown(text)
        why = f"its option {name} cannot be {given}, or MongoDB's driver has no such option"
        raise unusable(why) from error


def check_files(files: dict[str, str]) -> None:
    """Refuse files of certificates that cannot be read. Raises Contradiction."""
    for option, name in (("tlscafile", "tlsCAFile"), ("tlscrlfile", "tlsCRLFile")):
        if option in files and (problem := ca_problem(files[option])):
            raise unusable(f"its option {name} {problem}")
    pair = files.get("tlscertificatekeyfile")
    if pair is not None and (problem := key_problem(pair, None, files.get(UNLOCKS_KEY))):
        raise unusable(f"its option tlsCertificateKeyFile {problem}")


def check_construction(uri: str, user_info: str) -> None:
    """Build the client, which opens nothing yet: options may contradict each other."""

    def build() -> None:
        with closing(MongoClient[dict[str, Any]](uri, connect=False)):
            pass

    try:
        ask_driver(build)
    except Complaint as error:
        words = str(error)
        secrets = {*user_info.split(":"), *map(unquote, user_info.split(":"))} - {""}
        is_safe = words and not any(secret in words for secret in secrets)
        why = first_clause(words) if is_safe else "its options contradict each other or its hosts"
        raise unusable(f"MongoDB's driver does not take it: {why}") from error


def ask_driver(ask: Callable[[], object]) -> None:
    """Call *ask*; raise Complaint when the driver refuses, or warns of what it leaves out."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            ask()
        except Exception as error:  # the driver raises whatever it meets
            raise Complaint(str(error)) from error
    for each in told:
        is_passing = issubclass(each.category, DeprecationWarning)
        if not is_passing and not str(each.message).startswith(COSTS_NOTHING):
            raise Complaint(str(each.message))


def seeds(uri: str) -> list[str]:
    """Return for each host of *uri* a string that asks it alone, with TLS but without a login."""
    parts = take_apart(uri, SCHEMES)
    if parts.scheme == "mongodb+srv":
        return []
    kept = [f"{name}={value}" for name, value in options_of(parts) if name.lower() not in LEFT_OUT]
    query = "&".join([*kept, "directConnection=true", "serverSelectionTimeoutMS=1000"])
    return [f"mongodb://{host}/?{query}" for host in parts.place.split(",")]
