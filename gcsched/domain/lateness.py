"""How late a mail was. Pure."""

from datetime import timedelta

from gcsched.domain.job import Job
from gcsched.domain.smtp_reply import Kind


def lateness_of(job: Job) -> timedelta | None:
    """Return how late the relay accepted *job*; None when it has not accepted it just now."""
    attempt = job.new_attempt
    if attempt is None or attempt.kind is not Kind.ACCEPTED:
        return None
    # What was due before we knew of it could not be sent then.
    return max(timedelta(0), attempt.end_time - max(job.due_time, job.create_time))
