"""That nothing is to be sent: who has said so, why, and since when. Pure."""

from dataclasses import dataclass
from datetime import datetime

from gcsched.domain.invisible_text import unseen_violations
from gcsched.domain.validation import text_violations
from gcsched.errors import InvalidRequest

LONGEST_BY, LONGEST_REASON = 128, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    by: str
    reason: str
    since: datetime


def a_pause(by: str, reason: str, *, since: datetime) -> Pause:
    """Make a pause; raises InvalidRequest with all that is wrong with what was said."""
    violations = [
        *text_violations("by", by, at_least=1, at_most=LONGEST_BY),
        *unseen_violations("by", by),
        *text_violations("reason", reason, at_least=1, at_most=LONGEST_REASON),
    ]
    if violations:
        raise InvalidRequest(violations)
    return Pause(by=by, reason=reason, since=since)


def who(by: str) -> str:
    """Give *by*, who ends a pause and need not say so; raises InvalidRequest."""
    violations = list(text_violations("by", by, at_least=0, at_most=LONGEST_BY))
    if violations := [*violations, *unseen_violations("by", by)]:
        raise InvalidRequest(violations)
    return by
