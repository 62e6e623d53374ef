"""Checks of the fields of a stored job, so that every decoded job can be encoded again."""

import codecs
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from gcsched.domain.attempt import MAX_ATTEMPTS_KEPT

Document = Mapping[str, Any]
Member = TypeVar("Member")

MAX_TEXT_LENGTH = 65_536  # characters; above the limit of any request
MAX_ATTEMPTS = 4 * MAX_ATTEMPTS_KEPT
MAX_COUNT = 2**31 - 2  # one more still fits into an int32 of the contract
FIRST_YEAR, LAST_YEAR = 1970, 9000  # adding a time zone or a delay stays in Python's range
INVALID_UTF8_MARK = "\uffff"
"""What `INVALID_UTF8_HANDLER` reads for octets that are not UTF-8.

U+FFFF is a noncharacter: no accepted address contains it. A caller may send U+FFFD.
"""
INVALID_UTF8_HANDLER = "gcsched.no-text"
codecs.register_error(
    INVALID_UTF8_HANDLER, lambda error: (INVALID_UTF8_MARK, find_error_end(error))
)


def find_error_end(error: UnicodeError) -> int:
    """Return the position where decoding continues."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.end


def check_address(document: Document, name: str) -> None:
    """Refuse an address of which some octets are lost: its mail would go to another mailbox."""
    if INVALID_UTF8_MARK in (document.get(name) or ""):
        raise TypeError(f"its field {name} holds octets that are not UTF-8")


def check_texts(document: Document, names: Iterable[str]) -> None:
    for name in names:
        value = document[name]
        if not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH:
            raise make_field_error(name, value)


def check_optional_texts(document: Document, names: Iterable[str]) -> None:
    for name in names:
        value = document.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH):
            raise make_field_error(name, value)


def attach_utc(value: datetime) -> datetime:
    """Return *value* in UTC: the driver may have read it without a time zone, which is faster."""
    return datetime.combine(value, value.time(), UTC)  # `replace` takes five times as long


def decode_times(document: Document, names: Iterable[str]) -> list[datetime]:
    """Return times in UTC, none so far away that a delay could not be added to it."""
    times = []
    for name in names:
        value = document[name]
        if not isinstance(value, datetime) or not FIRST_YEAR <= value.year <= LAST_YEAR:
            raise make_field_error(name, value)
        times.append(attach_utc(value))
    return times


def decode_optional_time(document: Document, name: str) -> datetime | None:
    """Return an optional time limit. It has no last year: it is only compared, never added to."""
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.year < FIRST_YEAR:
        raise make_field_error(name, value)
    return attach_utc(value)


def decode_member(document: Document, name: str, members: Mapping[str, Member]) -> Member:
    """Return the one of *members* whose stored name is in field *name*."""
    stored = document[name]
    if (member := members.get(stored) if isinstance(stored, str) else None) is None:
        raise make_field_error(name, stored)
    return member


def decode_count(document: Document, name: str) -> int:
    """Return a count; mongosh stores 1 as the double 1.0."""
    value = document[name]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        raise make_field_error(name, value)
    return value


def decode_text_map(document: Document, name: str) -> Mapping[str, str]:
    """Return a map of texts; an absent field is an empty map."""
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(text, str) and len(text) <= MAX_TEXT_LENGTH for text in value.values()
    ):
        raise make_field_error(name, value)
    return value


def decode_flag(document: Document, name: str) -> bool:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise make_field_error(name, value)
    return bool(value)


def decode_documents(document: Document, name: str) -> list[Document]:
    value = document[name]
    if not isinstance(value, list) or len(value) > MAX_ATTEMPTS:
        raise make_field_error(name, value)
    for each in value:
        if not isinstance(each, dict):
            raise make_field_error(name, each)
    return cast("list[Document]", value)


def decode_optional_documents(document: Document, name: str) -> list[Document]:
    """Return a list of documents; an absent field is an empty list."""
    return [] if document.get(name) is None else decode_documents(document, name)


def decode_optional_count(document: Document, name: str) -> int | None:
    return None if document[name] is None else decode_count(document, name)


def make_field_error(name: str, value: object) -> TypeError:
    """Return the error that names a field and its fault, without its value: it may be personal."""
    match value:
        case datetime():
            what = "a date too far away"
        case str() | list() | dict() if len(value) > MAX_ATTEMPTS:
            what = f"of type {type(value).__name__} and {len(value)} long"
        case bool():
            what = "of type bool"
        case int() | float():
            what = f"the number {value!r}"
        case _:
            what = f"of type {type(value).__name__}"
    return TypeError(f"its field {name} is {what}")
