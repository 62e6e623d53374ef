"""The pause of all sending: who ordered it, why, and since when. Pure."""

from dataclasses import dataclass
from datetime import datetime

from gcsched.domain.checks import Checked
from gcsched.domain.invisible_text import invisible_violations
from gcsched.domain.validation import reason_violations, text_violations

MAX_BY_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """While it is stored, no process sends a mail."""

    by: str
    reason: str
    start_time: datetime


def parse_pause(by: str, reason: str, *, start_time: datetime) -> Checked[Pause]:
    yield from text_violations("by", by, at_least=1, at_most=MAX_BY_LENGTH)
    yield from invisible_violations("by", by)
    yield from reason_violations(reason, at_least=1)
    return Pause(by=by, reason=reason, start_time=start_time)


def parse_optional_by(by: str) -> Checked[str]:
    """Check *by*, the caller who ends a pause; it may be empty."""
    yield from text_violations("by", by, at_least=0, at_most=MAX_BY_LENGTH)
    yield from invisible_violations("by", by)
    return by
