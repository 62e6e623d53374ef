"""Read documents that somebody may have written by hand: what is missing stops no process."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

LONGEST_TEXT = 2_000
LARGEST_COUNT = 2**53  # a double holds each number up to there
UNKNOWN_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def a_text(document: Mapping[str, Any], name: str) -> str:
    """Give the text of that *name*, as far as a message takes it; "" when there is none."""
    value = document.get(name)
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def a_moment(document: Mapping[str, Any], name: str) -> datetime:
    """Give the moment of that *name*; the begin of 1970 when there is none."""
    value = document.get(name)
    return value if isinstance(value, datetime) else UNKNOWN_MOMENT


def a_latest_moment(document: Mapping[str, Any], name: str) -> datetime:
    """Return the moment of that *name*, or the latest of several: a block lasts until then."""
    value = document.get(name)
    moments = [each for each in value if isinstance(each, datetime)] if is_list(value) else []
    return max(moments) if moments else a_moment(document, name)


def is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def a_count(document: Mapping[str, Any], name: str) -> int:
    """Return the count of that *name*; 0 where there is none."""
    value = document.get(name)
    is_count = isinstance(value, int | float) and 0 <= value <= LARGEST_COUNT
    return int(value) if is_count and value is not None else 0
