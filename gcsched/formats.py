"""What the text of a setting may look like; each function returns the value or a ValueError."""

import re
from datetime import time, timedelta
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from email_validator import validate_email

DEFAULT_DATABASE = "gcsched"
LONGEST_WAIT_SECONDS = 86_400
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def mongo_database(uri: str) -> str | None:
    """Return the database that *uri* names, or ours; None where its path is no name of one."""
    path = uri.partition("://")[2].partition("?")[0].partition("/")[2]
    name = unquote(path) or DEFAULT_DATABASE
    return name if re.fullmatch(r"[A-Za-z0-9_-]{1,63}", name) else None


def host(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_.-]+", name) else str(ip_address(name))


def is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def mail_address(address: str) -> str:
    return validate_email(address, check_deliverability=False).normalized


def listen_address(address: str) -> str:
    parts = urlsplit(f"//{address}")
    if parts.port is None or not parts.hostname or parts.netloc != address or "@" in address:
        raise ValueError
    return address


def span(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip().lower())
    if found is None:
        raise ValueError
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def time_of_day(text: str) -> time:
    if not re.fullmatch(r"[0-9]{2}:[0-9]{2}", text):
        raise ValueError
    return time.fromisoformat(text)


def waits(text: str) -> tuple[float, ...]:
    seconds = tuple(float(part) for part in text.split(","))
    if not all(0 < each <= LONGEST_WAIT_SECONDS for each in seconds):
        raise ValueError
    return seconds
