"""Log events as structlog captures them."""

from collections.abc import MutableMapping
from typing import Any

Events = list[MutableMapping[str, Any]]


def find_events(events: Events, event: str) -> Events:
    """Return the *events* whose name is *event*."""
    return [each for each in events if each["event"] == event]
