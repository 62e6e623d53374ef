"""Ids that nobody else has: jobs, claims. Time first, so that an index grows at one end."""

import secrets
from datetime import datetime

RANDOM_BITS = 74


def new_id(now: datetime) -> str:
    """Make a UUIDv7 (RFC 9562, section 5.7) as 32 hexadecimal digits."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    random = secrets.randbits(RANDOM_BITS)
    high = milliseconds << 16 | 0x7000 | random >> 62
    low = 0b10 << 62 | random & (1 << 62) - 1
    return f"{high << 64 | low:032x}"
