"""A recipient as callers described them, and the fields of a job that *forget* erases. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gcsched.domain.masking import PersonalWords, mask_words
from gcsched.domain.meeting import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An employee with the name and address of their latest accepted request."""

    empid: str
    name: str
    email: str
    first_seen_time: datetime
    last_seen_time: datetime
    accepted_count: int


EMPTIED_FIELDS = ("name", "email", "message")
"""Fields of a job that are "" after *forget*; no other job has an empty address."""

REMOVED_FIELDS = ("variables", "labels", "reply_to", "released_key")
"""Fields that *forget* removes from the stored job."""


ERASED_MEETING_TEXTS: Mapping[str, str] = {
    "summary": "(erased)",  # no revision is without one
    **dict.fromkeys(("location", "url", "description", "reason"), ""),
}
"""The stored texts of a revision after *forget*. Its organizer stays: that is another person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingTexts:
    """The personal texts of a meeting."""

    summary: str = ""
    location: str = ""
    url: str = ""
    description: str = ""
    organizer: Person = field(default_factory=lambda: Person(email=""))
    guests: tuple[Person, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingMailTexts:
    """The personal texts of the meeting that a mail is about, and those that it corrects."""

    revision: MeetingTexts
    earlier: MeetingTexts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTexts:
    """The personal texts of a finished job; a relay may have repeated any of them."""

    email: str = ""
    name: str = ""
    message: str = ""
    empid: str = ""
    reply_to: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    meeting: MeetingMailTexts | None = None


def redact_reason(reason: str, words: PersonalWords, *, now: datetime) -> str:
    """Return the reason of an erased job: the date of erasure, and why the job ended."""
    return "; ".join(filter(None, [f"erased on {now.date()}", redact_text(reason, words)]))


def redact_text(text: str, words: PersonalWords) -> str:
    """Return a relay's text without addresses and without the personal texts of the job."""
    return mask_words(words, text)
