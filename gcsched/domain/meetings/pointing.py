"""Points a job that waits, and surely never left, to what the meeting is now. Pure.

Its attendee gets one mail with the newest content, instead of an old one and a correction.
"""

from datetime import datetime

from msgspec.structs import replace

from gcsched.domain.job import Job, Priority, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.mails import MailMaker, find_expire_time, find_priority
from gcsched.domain.meetings.meeting import Attendee, Reminder
from gcsched.domain.meetings.revisions import has_same_content

TEXTS = ("message", "template", "variables", "labels")


def is_up_to_date(
    maker: MailMaker, job: Job, attendee: Attendee, reminder: Reminder | None = None
) -> bool:
    """Return whether *job*, with content that still holds, is as it would be made now."""
    if job.meeting is None or has_new_invite_time(maker, job):
        return False
    shown, present = job.meeting.revision, maker.describe(attendee, job.meeting.purpose)
    texts = maker.find_texts(attendee, present, reminder)
    return (
        has_same_content(shown, present.revision)
        and shown.guests == present.revision.guests
        and all(getattr(job, name) == texts[name] for name in TEXTS)
    )


def has_new_invite_time(maker: MailMaker, job: Job) -> bool:
    """Return whether the time of the invitations was changed after *job* had been made."""
    if job.meeting is None or job.meeting.purpose is not Purpose.INVITATION:
        return False
    return job.meeting.revision.number < maker.meeting.invite_revision


def point(maker: MailMaker, job: Job, attendee: Attendee, reminder: Reminder | None = None) -> Job:
    """Return *job*, which waits, with what the meeting is now; it keeps its id and its key."""
    if job.meeting is None:
        raise ValueError(f"the mail of job {job.id} says nothing about a meeting")
    mail = maker.describe(attendee, job.meeting.purpose)
    limit = maker.find_expire_time(attendee, mail)
    expire_time = choose_expire_time(job, limit)
    due_time = choose_due_time(maker, job, expire_time)
    is_moved = has_new_invite_time(maker, job)
    is_near = find_priority(mail, due_time) is Priority.URGENT
    if job.state is State.QUEUED and due_time != job.due_time:
        job = job.rescheduled(due_time, maker.now, is_daily=False, expire_time=expire_time)
        job = replace(job, version=job.version - 1)
    return replace(
        job,
        due_time=due_time,
        schedule_time=due_time if is_moved else job.schedule_time,
        expire_time=expire_time,
        has_own_expire_time=True,
        meeting=mail,
        date=None,
        priority=Priority.URGENT if is_near else job.priority,
        version=job.version + 1,
        **maker.find_texts(attendee, mail, reminder),
    )


def choose_expire_time(job: Job, limit: datetime) -> datetime:
    """Return when *job* expires, by *limit*; a caller of ScheduleMeet may have set it earlier."""
    if job.meeting is not None and job.expire_time < find_expire_time(job.meeting):
        return min(limit, job.expire_time)
    return limit


def choose_due_time(maker: MailMaker, job: Job, expire_time: datetime) -> datetime:
    """Return when *job* goes now: as before, unless that does not suit the new content."""
    due_time = job.due_time
    if has_new_invite_time(maker, job):
        due_time = maker.find_due_time(Purpose.INVITATION)
    elif job.meeting is not None and job.meeting.purpose is Purpose.UPDATE:
        due_time = max(due_time, maker.find_due_time(Purpose.UPDATE))
    return due_time if due_time < expire_time else maker.this_second
