"""Ids that nobody else has: jobs, claims. Time first, so that an index grows at one end."""

import secrets
from datetime import UTC, datetime, timedelta

RANDOM_BITS = 74
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def new_id(now: datetime) -> str:
    """Make a UUIDv7 (RFC 9562, section 5.7) as 32 hexadecimal digits.

    Ids sort as the moments they were made at, to the millisecond: lists by creation rely on it.
    """
    # Not by timestamp(): as a float it is a millisecond too early now and then.
    milliseconds = (now - EPOCH) // MILLISECOND & (1 << 48) - 1
    random = secrets.randbits(RANDOM_BITS)
    high = milliseconds << 16 | 0x7000 | random >> 62
    low = 0b10 << 62 | random & (1 << 62) - 1
    return f"{high << 64 | low:032x}"
