"""Times as the store returns them."""

from datetime import datetime


def truncate_to_millisecond(now: datetime) -> datetime:
    """Return *now* as it will be read again: MongoDB stores milliseconds."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
