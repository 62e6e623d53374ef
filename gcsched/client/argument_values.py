"""Check the types of the client's arguments; an error says what to give instead. Pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from operator import index
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.client.suggestions import suggest_name
from gcsched.client.values import Daily

ScheduleTime = datetime | int | Daily
"""When to send a mail: an aware datetime, Unix seconds, or DAILY."""
TIMES = "an aware datetime, whole Unix seconds"

MAX_SECONDS = 2**63 - 1  # an int64 on the wire
MAX_TIMEOUT_SECONDS = 365 * 86_400  # gRPC counts nanoseconds, and overflows at 292 years


def check_text(name: str, given: object) -> str:
    """Return *given*, or "" for None. Raises TypeError, ValueError."""
    return "" if given is None else decode_text(name, given)


def decode_text(name: str, given: object) -> str:
    """Return *given*, which may be bytes in UTF-8. Raises TypeError, ValueError."""
    if not isinstance(given, str | bytes):
        raise TypeError(f"{name} is {given!r}; give a str")
    try:
        return str(given, "utf-8") if isinstance(given, bytes) else str(given.encode(), "utf-8")
    except UnicodeError as error:
        raise ValueError(f"{name} is {given!r}; give text that UTF-8 can encode: {error}") from None


def check_text_mapping(name: str, given: object) -> dict[str, str]:
    """Return *given* as a dict, empty for None. Raises TypeError, ValueError."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is {given!r}; give a dict of str to str")
    key_name = f"a key of {name}"
    return {
        decode_text(key_name, key): decode_text(f"{name}[{key!r}]", value)
        for key, value in given.items()
    }


def check_bool(name: str, given: object) -> bool:
    if given not in (True, False, None):
        raise TypeError(f"{name} is {given!r}; give True or False")
    return bool(given)


def check_count(name: str, given: object) -> int:
    """Return *given*, an int from 0. Raises TypeError, ValueError."""
    if isinstance(given, bool) or not isinstance(given, int):
        raise TypeError(f"{name} is {given!r}; give an int")
    if not 0 <= given < 2**31:
        raise ValueError(f"{name} is {given!r}; give an int from 0 to 2**31 - 1")
    return given


def check_timeout(given: object) -> float:
    """Return *given* seconds. Raises TypeError, ValueError."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"timeout is {given!r}; give seconds, such as 2.5")
    if not 0 < given <= MAX_TIMEOUT_SECONDS:
        raise ValueError(f"timeout is {given!r}; give seconds above 0, at most a year")
    return float(given)


def enum_number(name: str, given: object, enum: Any) -> Any:
    """Return the number of *given*, a name in *enum*, and 0 for None and "".

    A number in a string, as results have it for values that this client does not know, is valid
    too. Raises TypeError, ValueError.
    """
    text = check_text(name, given)
    if (known := enum.values_by_name.get(text)) is not None:
        return int(known.number)
    if not text or (text.isascii() and text.isdecimal() and int(text) < 2**31):
        return int(text or 0)
    names = [each for each in enum.values_by_name if not each.endswith("UNSPECIFIED")]
    raise ValueError(
        f"{name} is {text!r}{suggest_name(text.upper(), names)}; give one of {', '.join(names)}"
    )


def unix_seconds_or_daily(name: str, at: object) -> int:
    """Return *at* as on the wire, where 0 is DAILY alone. Raises TypeError, ValueError."""
    if isinstance(at, Daily):
        return 0
    valid = f"{TIMES} or DAILY"
    if at is None:
        raise TypeError(f"{name} is None; give {valid}")
    seconds = unix_seconds(name, at, valid=valid)
    if seconds == 0:
        raise ValueError(f"{name} is 0; give {valid}")
    return seconds


def unix_seconds(name: str, at: object, *, valid: str = f"{TIMES} or None") -> int:
    """Return *at* as on the wire: whole seconds, never early, and 0 for None."""
    if at is None:
        return 0
    if isinstance(at, datetime):
        return max(1, math.ceil(check_aware(name, at).timestamp()))  # 0 would be the daily run
    return check_seconds(name, at, valid=valid)


def timestamp(name: str, given: object) -> Timestamp | None:
    """Return a time of a filter or of an end, to the microsecond; None for None."""
    if given is None:
        return None
    if isinstance(given, datetime):
        moment = check_aware(name, given)
    else:
        seconds = check_seconds(name, given, valid="an aware datetime or whole Unix seconds")
        try:
            moment = datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            raise ValueError(f"{name} is {given!r}; give seconds of the years 1 to 9999") from None
    found = Timestamp()
    found.FromDatetime(moment)
    return found


def check_aware(name: str, given: datetime) -> datetime:
    if given.utcoffset() is None:
        raise ValueError(f"{name} has no time zone; write datetime.now(UTC), or add a tzinfo")
    return given


def check_seconds(name: str, given: Any, *, valid: str) -> int:
    """Return whole Unix seconds in the range of the wire. Raises TypeError, ValueError."""
    sentence = f"{name} is {given!r}; give {valid}"
    if isinstance(given, bool):  # bool is a subclass of int: True would be the first second of 1970
        raise TypeError(sentence)
    try:
        seconds = index(given)
    except TypeError:
        raise TypeError(sentence) from None
    if abs(seconds) > MAX_SECONDS:
        raise ValueError(f"{name} is {given!r}; give Unix seconds below 2**63")
    return seconds
