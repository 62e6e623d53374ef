"""What requests about meetings are checked against, and checks that several of them need. Pure."""

from dataclasses import dataclass
from datetime import datetime

from gcsched.domain.access import Client
from gcsched.domain.checks import Checked
from gcsched.domain.due import round_up_to_second
from gcsched.domain.event import MAX_SUMMARY_LENGTH
from gcsched.domain.request import RequestContext
from gcsched.domain.validation import text_violations
from gcsched.errors import Violation

INVITE_AT = "meeting.invite_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """What a request about a meeting is checked against: the rules, the caller and the time."""

    context: RequestContext
    client: Client
    now: datetime
    zone_version: str = ""


def read_summary(text: str) -> Checked[str]:
    summary = text.strip()
    yield from text_violations("meeting.summary", summary, at_least=1, at_most=MAX_SUMMARY_LENGTH)
    return summary


def read_invite_time(
    given: datetime | None, start: datetime, now: datetime
) -> Checked[datetime | None]:
    """Check when the invitations go; a time in the past means now, which is None."""
    if given is None or given <= now:
        return None
    if given >= start:
        problem = f"must be before the start of the meeting, {start:%Y-%m-%dT%H:%MZ}"
        yield Violation(INVITE_AT, problem)
        return None
    return round_up_to_second(given)
