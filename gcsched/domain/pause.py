"""That nothing is to be sent: who has said so, why, and since when. Pure."""

from dataclasses import dataclass
from datetime import datetime

from gcsched.domain.checks import Checked
from gcsched.domain.invisible_text import unseen_violations
from gcsched.domain.validation import reason_violations, text_violations

LONGEST_BY = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    by: str
    reason: str
    start_time: datetime


def a_pause(by: str, reason: str, *, since: datetime) -> Checked[Pause]:
    yield from text_violations("by", by, at_least=1, at_most=LONGEST_BY)
    yield from unseen_violations("by", by)
    yield from reason_violations(reason, at_least=1)
    return Pause(by=by, reason=reason, start_time=since)


def who(by: str) -> Checked[str]:
    """Read *by*, who ends a pause and need not say so."""
    yield from text_violations("by", by, at_least=0, at_most=LONGEST_BY)
    yield from unseen_violations("by", by)
    return by
