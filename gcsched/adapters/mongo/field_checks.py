"""Check the fields of a stored job: each must be what a converter may rely on."""

import codecs
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from gcsched.domain.attempt import MOST_ATTEMPTS_KEPT

Document = Mapping[str, Any]

LONGEST = 65_536  # more than any request may bring
MOST_ATTEMPTS = 4 * MOST_ATTEMPTS_KEPT
LARGEST_COUNT = 2**31 - 2  # one more still fits into a message
FIRST_YEAR, LAST_YEAR = 1970, 9000  # a zone or a wait further is still a date that Python knows
NO_CHARACTER = "\uffff"
"""What `NO_TEXT_HANDLER` reads for octets that are no UTF-8: no address that was accepted has it.

Unicode assigns it to nothing for ever. U+FFFD would not do: a caller may have sent it.
"""
NO_TEXT_HANDLER = "gcsched.no-text"
codecs.register_error(NO_TEXT_HANDLER, lambda error: (NO_CHARACTER, error_end(error)))


def error_end(error: UnicodeError) -> int:
    """Return where decoding goes on."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.end


def check_address(document: Document, name: str) -> None:
    """Refuse an address of which some octets are lost: whose it was, nobody knows."""
    if NO_CHARACTER in (document.get(name) or ""):
        raise TypeError(f"its field {name} holds octets that are no UTF-8")


def check_texts(document: Document, names: Iterable[str]) -> None:
    for name in names:
        value = document[name]
        if not isinstance(value, str) or len(value) > LONGEST:
            raise wrong(name, value)


def check_optional_texts(document: Document, names: Iterable[str]) -> None:
    for name in names:
        value = document.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > LONGEST):
            raise wrong(name, value)


def check_moments(document: Document, names: Iterable[str]) -> None:
    for name in names:
        value = document[name]
        if not isinstance(value, datetime) or not FIRST_YEAR <= value.year <= LAST_YEAR:
            raise wrong(name, value)


def check_optional_moment(document: Document, name: str) -> None:
    """Check a limit, if there is one: it may be as far ahead as it likes."""
    value = document.get(name)
    if value is not None and (not isinstance(value, datetime) or value.year < FIRST_YEAR):
        raise wrong(name, value)


def count(document: Document, name: str) -> int:
    """Return a count; a shell writes 1.0 for 1."""
    value = document[name]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_COUNT:
        raise wrong(name, value)
    return value


def text_map(document: Document, name: str) -> Mapping[str, str]:
    """Return names and their texts; none where there is no such field."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(text, str) and len(text) <= LONGEST for text in value.values()
    ):
        raise wrong(name, value)
    return value


def flag(document: Document, name: str) -> bool:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(name, value)
    return bool(value)


def documents(document: Document, name: str) -> list[Document]:
    value = document[name]
    if not isinstance(value, list) or len(value) > MOST_ATTEMPTS:
        raise wrong(name, value)
    for each in value:
        if not isinstance(each, dict):
            raise wrong(name, each)
    return cast("list[Document]", value)


def optional_count(document: Document, name: str) -> int | None:
    return None if document[name] is None else count(document, name)


def wrong(name: str, value: object) -> TypeError:
    """Make the error that names a field and what is wrong with it; never its value."""
    match value:
        case datetime():
            what = "a date too far away"
        case str() | list() | dict() if len(value) > MOST_ATTEMPTS:
            what = f"of type {type(value).__name__} and {len(value)} long"
        case bool():
            what = "of type bool"
        case int() | float():
            what = f"the number {value!r}"
        case _:
            what = f"of type {type(value).__name__}"
    return TypeError(f"its field {name} is {what}")
