"""What a finished job loses when its employee is forgotten; state and times stay. Pure."""

import re
from datetime import datetime

ADDRESS = re.compile(r'(?:"[^"]*"|\S+)@\S+')
INSTEAD = "(address)"

EMPTIED = ("name", "email", "message")
"""Fields of a job that are empty afterwards; no other job has an empty address."""

REMOVED = ("variables", "labels", "reply_to", "released_key")
"""Fields that it has no more."""


def erased_reason(reason: str, *, email: str, now: datetime) -> str:
    """Give the reason of an erased job: it says so, and keeps why the job ended."""
    return "; ".join(filter(None, [f"erased on {now.date()}", erased_text(reason, email=email)]))


def erased_text(text: str, *, email: str) -> str:
    """Blank out addresses in a relay's words, and what *email* has before its @."""
    local = email.rpartition("@")[0]
    without = without_addresses(text)
    return re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", INSTEAD, without) if local else without


def without_addresses(text: str) -> str:
    """Blank out addresses: relays like to repeat the one they refuse."""
    return ADDRESS.sub(INSTEAD, text)
