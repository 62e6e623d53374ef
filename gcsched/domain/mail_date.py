"""The Date header of a mail: when it leaves, and the same where it may come twice. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gcsched.domain.attempt import Attempt
from gcsched.domain.smtp_reply import Kind


class Dated(Protocol):
    """What the date of a mail depends on; a Job is one.

    ``date`` is the one that is stored since a body may have left with it.
    """

    @property
    def date(self) -> datetime | None: ...
    @property
    def schedule_time(self) -> datetime: ...
    @property
    def create_time(self) -> datetime: ...
    @property
    def attempts(self) -> Sequence[Attempt]: ...


def choose_date(job: Dated) -> datetime | None:
    """Return the date that the next body of *job* must have; None: that of the second it leaves."""
    return job.date or find_date_to_keep(job)


def find_date_to_keep(job: Dated) -> datetime | None:
    """Return the date that *job* keeps when a caller moves or reopens it; None: it gets a new one.

    A mail that a relay may have taken already must be the same mail when it comes again. One that
    was refused for certain, or has never left, is as old as its next body.
    """
    if not any(attempt.kind is Kind.UNCERTAIN for attempt in job.attempts):
        return None
    # The version before stores none and writes when the mail was due: so does a resend of it.
    return job.date or max(job.schedule_time, job.create_time).replace(microsecond=0)
