"""The Date header of a mail: when it leaves, and the same again if it may arrive twice. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gcsched.domain.attempt import Attempt
from gcsched.domain.smtp_reply import Kind


class Dated(Protocol):
    """The fields that the date of a mail depends on; a Job has them.

    ``date`` is set once a body may have left with it.
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
    """Return the date that the next body of *job* must have; None: the second when it leaves."""
    return job.date or find_date_to_keep(job)


def find_date_to_keep(job: Dated) -> datetime | None:
    """Return the date that *job* keeps when it is rescheduled or retried; None: it gets a new one.

    A mail that a relay may have taken must be the same mail when it comes again. One that was
    refused for certain, or never left, gets the date of its next body.
    """
    if not any(attempt.kind is Kind.UNCERTAIN for attempt in job.attempts):
        return None
    # The previous version stored no date and wrote the due second: a resend must do the same.
    return job.date or max(job.schedule_time, job.create_time).replace(microsecond=0)
