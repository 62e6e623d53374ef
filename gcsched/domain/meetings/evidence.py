"""What jobs prove about what attendees were told. Pure."""

from collections.abc import Sequence

from gcsched.domain.job import Job
from gcsched.domain.meetings.meeting import Meeting, Word


def may_have_left(job: Job) -> bool:
    """Return whether the relay has the mail of *job*, or may have it."""
    raise NotImplementedError


def read_word(job: Job) -> Word:
    """Return the word that the recipient of *job* has by its mail; told NOTHING if none."""
    raise NotImplementedError


def fold_jobs(meeting: Meeting, jobs: Sequence[Job]) -> Meeting:
    """Return *meeting* with what *jobs* prove about its attendees; itself if that is known.

    The version stays: it is the store's to compare, and the plan's to raise.
    """
    raise NotImplementedError
