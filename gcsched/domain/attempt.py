"""One attempt to deliver a job, and how many attempts its history keeps. Pure."""

from datetime import datetime

from msgspec import Struct

from gcsched.domain.smtp_reply import Kind, blames_full_mailbox

MAX_ATTEMPTS_KEPT = 50


class Attempt(Struct, frozen=True, kw_only=True):
    """One conversation with a relay about a job, as kept in the job's history.

    ``date`` is the Date header of the body that may have left, None if none has. It is stored with
    the job, not in the history. ``template_digest`` is that of the template of the mail, "" where
    it is not known.
    """

    start_time: datetime
    end_time: datetime
    kind: Kind
    relay: str = ""
    code: int | None = None
    enhanced_code: str | None = None
    text: str = ""
    date: datetime | None = None
    template_digest: str = ""

    @property
    def blames_full_mailbox(self) -> bool:
        return blames_full_mailbox(self.code, self.enhanced_code, self.text)


def trim_attempts(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """Drop the oldest attempt if there are too many; an UNCERTAIN one only if all are."""
    if len(attempts) <= MAX_ATTEMPTS_KEPT:
        return attempts
    # An UNCERTAIN attempt explains why a mail came twice (docs/reliability.md).
    certain = (n for n, each in enumerate(attempts) if each.kind is not Kind.UNCERTAIN)
    dropped = next(certain, 0)
    return attempts[:dropped] + attempts[dropped + 1 :]
