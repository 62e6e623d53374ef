"""One try to deliver a job, and how many of them its history keeps. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from gcsched.domain.smtp_reply import Kind, blames_full_mailbox

MAX_ATTEMPTS_KEPT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to deliver, as it is kept in the job's history.

    ``date`` is the Date header of the body that may have left; None: none has. The job keeps it,
    not its history.
    """

    start_time: datetime
    end_time: datetime
    kind: Kind
    relay: str = ""
    code: int | None = None
    enhanced_code: str | None = None
    text: str = ""
    date: datetime | None = field(default=None, compare=False)

    @property
    def blames_full_mailbox(self) -> bool:
        return blames_full_mailbox(self.code, self.enhanced_code, self.text)


def trim_attempts(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """Give the latest attempts; an UNCERTAIN one goes last: it says why a mail came twice (P3)."""
    if len(attempts) <= MAX_ATTEMPTS_KEPT:
        return attempts
    certain = (n for n, each in enumerate(attempts) if each.kind is not Kind.UNCERTAIN)
    dropped = next(certain, 0)
    return attempts[:dropped] + attempts[dropped + 1 :]
