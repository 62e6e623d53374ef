"""When the mails of a meeting are looked at next, in case that no news of them came. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gcsched.domain.job import Job
from gcsched.domain.meetings.evidence import ENDED, METHODS
from gcsched.domain.meetings.meeting import Meeting

AFTER_DUE = timedelta(seconds=60)


def find_check_time(jobs: Sequence[Job], meeting: Meeting, now: datetime) -> datetime | None:
    """Return when to look at *meeting* and its *jobs* again; None if nothing is left to learn.

    That is a minute after the first mail is due: its outcome has to be noted before its job is
    deleted. Where a mail is late, the time between two looks grows with that.
    """
    times = [
        find_next_look(job.due_time, now)
        for job in jobs
        if job.meeting is not None and job.meeting.purpose in METHODS and job.state not in ENDED
    ]
    if not times:
        return None
    planned, first = meeting.check_time, min(times)
    is_good = planned is not None and now < planned <= first
    return planned if is_good else first


def find_next_look(due_time: datetime, now: datetime) -> datetime:
    look = due_time + AFTER_DUE
    return look if look > now else now + max(AFTER_DUE, (now - due_time) / 2)
