"""The wire format of protobuf, as far as it is read before a message is parsed.

Some octets on the wire can become many times as many in memory, so large messages are split, and
the entries of others are counted, before protobuf parses them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from gcsched.errors import MalformedMessage

# A tag is the field's number and its wire type.
FIXED_SIZES = {1: 8, 5: 4}
VARINT, DELIMITED = 0, 2
MAX_VARINT_OCTETS = 10
CONTINUATION_BIT = 0x80


class Span(NamedTuple):
    """One field of a message: its tag, and where its value is."""

    tag: int
    start: int
    end: int


def tag_of(number: int) -> int:
    """Return the tag of the texts, messages or map entries in field *number*."""
    return number << 3 | DELIMITED


def split_fields(raw: bytes, start: int = 0, end: int | None = None) -> Iterator[Span]:
    """Yield the fields of the message in *raw* from *start* to *end*. Raises MalformedMessage."""
    at, end = start, len(raw) if end is None else end
    while at < end:
        tag, at = read_varint(raw, at)
        kind = tag & 7
        size, at = (
            read_varint(raw, at) if kind in {VARINT, DELIMITED} else (FIXED_SIZES.get(kind, -1), at)
        )
        if kind == VARINT:
            size = 0
        if not 0 <= size <= end - at:
            raise MalformedMessage(f"its field at octet {at} is truncated or of unknown type")
        yield Span(tag, at, at + size)
        at += size


def read_varint(raw: bytes, at: int) -> tuple[int, int]:
    """Return the number at *at*, and the offset of its end. Raises MalformedMessage."""
    number = 0
    for shift, octet in enumerate(raw[at : at + MAX_VARINT_OCTETS]):
        number |= (octet & 0x7F) << (7 * shift)
        if octet < CONTINUATION_BIT:
            return number, at + shift + 1
    raise MalformedMessage(f"its number at octet {at} is truncated or too long")
