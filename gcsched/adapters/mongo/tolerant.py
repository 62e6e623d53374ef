"""Read documents that somebody may have written by hand: what is missing stops no process."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

UNKNOWN_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)


def a_text(document: Mapping[str, Any], name: str) -> str:
    """Give the text of that *name*; "" when there is none."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def a_moment(document: Mapping[str, Any], name: str) -> datetime:
    """Give the moment of that *name*; the begin of 1970 when there is none."""
    value = document.get(name)
    return value if isinstance(value, datetime) else UNKNOWN_MOMENT
