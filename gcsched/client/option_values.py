"""Check the types of the client's arguments; an error says what to give instead. Pure."""

from collections.abc import Mapping
from operator import index
from typing import SupportsIndex

MAX_SECONDS = 2**63 - 1  # an int64 on the wire


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


def check_seconds(name: str, given: SupportsIndex) -> int:
    """Return whole Unix seconds in the range of the wire. Raises TypeError, ValueError."""
    sentence = f"{name} is {given!r}; give an aware datetime, whole Unix seconds or None"
    if isinstance(given, bool):  # bool is a subclass of int: True would be the first second of 1970
        raise TypeError(sentence)
    try:
        seconds = index(given)
    except TypeError:
        raise TypeError(sentence) from None
    if abs(seconds) > MAX_SECONDS:
        raise ValueError(f"{name} is {given!r}; give Unix seconds below 2**63")
    return seconds
