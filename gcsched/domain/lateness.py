"""The lateness of a mail. Pure."""

from datetime import timedelta

from gcsched.domain.job import Job
from gcsched.domain.smtp_reply import Kind


def lateness_of(job: Job) -> timedelta | None:
    """Return how late the relay accepted *job*; None if its last move was not an acceptance."""
    attempt = job.new_attempt
    if attempt is None or attempt.kind is not Kind.ACCEPTED:
        return None
    # A job whose schedule time was past when it was created could not be sent earlier.
    return max(timedelta(0), attempt.end_time - max(job.due_time, job.create_time))
