"""An employee as callers described them, and what a finished job loses when they are forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gcsched.domain.masking import PersonalWords, mask_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """*accepted* counts the invitations; name and address are those of the latest."""

    empid: str
    name: str
    email: str
    first_seen_time: datetime
    last_seen_time: datetime
    accepted_count: int


EMPTIED_FIELDS = ("name", "email", "message")
"""Fields of a job that are empty afterwards; no other job has an empty address."""

REMOVED_FIELDS = ("variables", "labels", "reply_to", "released_key")
"""Fields that it has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTexts:
    """What a finished job tells of its employee: a relay may have repeated any of it."""

    email: str = ""
    name: str = ""
    message: str = ""
    empid: str = ""
    reply_to: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


def redact_reason(reason: str, words: PersonalWords, *, now: datetime) -> str:
    """Return the reason of an erased job: it says so, and keeps why the job ended."""
    return "; ".join(filter(None, [f"erased on {now.date()}", redact_text(reason, words)]))


def redact_text(text: str, words: PersonalWords) -> str:
    """Return a relay's words without addresses and without what the job tells."""
    return mask_words(words, text)
