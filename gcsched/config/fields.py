"""Declare a setting, and parse its text: a parser returns the value or raises ValueError."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo

from gcsched.domain.address import parse_address
from gcsched.domain.address_rules import AddressRules
from gcsched.domain.checks import require_valid
from gcsched.domain.invalid_setting import InvalidSetting
from gcsched.errors import InvalidRequest

EXAMPLE_DOMAINS = "corp.local,localhost,[10.0.0.0/8]"
MAX_WAIT_SECONDS = 86_400
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_host(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_.-]+", name) else str(ip_address(name))


def is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def parse_internal_domains(text: str) -> AddressRules:
    try:
        return AddressRules.parse(text) if text else AddressRules.PUBLIC
    except ValueError as error:
        problem = (
            f"cannot be used: {error}; give domains separated by commas, e.g. {EXAMPLE_DOMAINS}"
        )
        raise InvalidSetting(problem) from error


def parse_mail_address(address: str, info: ValidationInfo) -> str:
    """Return the sender's address; it may be internal if `internal_domains` allows that."""
    # If that setting is invalid, report only that one.
    rules = info.data.get("internal_domains", AddressRules.ANY)
    try:
        return require_valid(parse_address(address, rules=rules))
    except InvalidRequest as error:
        if is_address(address):
            raise InvalidSetting(error.violations[0].problem) from error
        raise ValueError from error


def is_address(text: str) -> bool:
    return not list(parse_address(text, rules=AddressRules.ANY))


def parse_listen_address(address: str) -> str:
    parts = urlsplit(f"//{address}")
    if parts.port is None or not parts.hostname or parts.netloc != address or "@" in address:
        raise ValueError
    return address


def parse_http_listen(address: str, info: ValidationInfo) -> str:
    """Return *address*, unless gRPC listens there as well."""
    return parse_other_listen(address, info, {"grpc_listen": "gRPC"}, example="127.0.0.1:8080")


def parse_console_listen(address: str, info: ValidationInfo) -> str:
    """Return *address*, unless gRPC or HTTP listens there as well."""
    others = {"grpc_listen": "gRPC", "http_listen": "HTTP"}
    return parse_other_listen(address, info, others, example="127.0.0.1:8090")


def parse_other_listen(
    address: str, info: ValidationInfo, others: Mapping[str, str], *, example: str
) -> str:
    """Return *address*, unless one of *others* listens there as well."""
    own = urlsplit(f"//{parse_listen_address(address)}")
    for field, listener in others.items():
        other = urlsplit(f"//{info.data.get(field, '')}")
        hosts = {str(own.hostname), str(other.hostname)}
        is_same = len(hosts) == 1 or any(map(is_wildcard, hosts))
        if is_same and own.port and own.port == other.port:
            problem = f"{address!r} is where {listener} listens: give another port, e.g. {example}"
            raise InvalidSetting(f"cannot be used: {problem}")
    return address


def is_wildcard(name: str) -> bool:
    try:
        return ip_address(name).is_unspecified
    except ValueError:
        return False


def parse_duration(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip().lower())
    if found is None:
        raise ValueError
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def parse_time_of_day(text: str) -> time:
    if not re.fullmatch(r"[0-9]{2}:[0-9]{2}", text):
        raise ValueError
    return time.fromisoformat(text)


def parse_waits(text: str) -> tuple[float, ...]:
    seconds = tuple(float(part) for part in text.split(","))
    if not all(0 < each <= MAX_WAIT_SECONDS for each in seconds):
        raise ValueError
    return seconds


PREFIX = "GCSCHED_"


def setting(description: str, advice: str, *, default: Any = ..., **more: Any) -> Any:
    """Declare a field: *description* is its row in docs/settings.md, *advice* ends its errors."""
    return Field(default, description=description, json_schema_extra={"advice": advice}, **more)


def variable_name(field: str) -> str:
    return PREFIX + field.upper()
