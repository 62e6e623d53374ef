"""Decides what has to happen to the reminders of one attendee. Pure."""

from collections.abc import Mapping, Sequence

from gcsched.domain.calendar_file import Method
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.evidence import ENDED, may_have_left
from gcsched.domain.meetings.keys import reminder_key
from gcsched.domain.meetings.mails import MailMaker
from gcsched.domain.meetings.meeting import Attendee, Meeting, Reminder, Told
from gcsched.domain.meetings.needs import Needs
from gcsched.domain.meetings.pointing import is_up_to_date
from gcsched.domain.meetings.withdrawals import is_cancelled_by_caller

HOLDS_KEY = frozenset(State) - FINAL_STATES | {State.SENT}


def add_reminders(needs: Needs, maker: MailMaker, jobs: Sequence[Job]) -> None:
    """Add to *needs* what has to happen to the reminders among the *jobs* of its attendee."""
    planned = find_planned(maker.meeting, needs.attendee)
    existing = set[str]()
    for job in jobs:
        if job.meeting is None or job.meeting.purpose is not Purpose.REMINDER:
            continue
        key = job.dedup_key or job.released_key or ""
        if job.state in HOLDS_KEY or is_cancelled_by_caller(job):
            existing.add(key)
        if job.state not in ENDED:
            sort_reminder(needs, maker, job, planned.get(key))
    start = maker.meeting.revision.start
    needs.reminders = [
        reminder
        for key, reminder in planned.items()
        if key not in existing and start - reminder.before > maker.now
    ]


def find_planned(meeting: Meeting, attendee: Attendee) -> Mapping[str, Reminder]:
    """Return the reminders that *attendee* shall have, by their keys, also those of past times.

    One who has no invitation yet, or surely none any more, is reminded of nothing.
    """
    word = attendee.word
    if attendee.is_removed or not meeting.is_scheduled:
        return {}
    if word.told is Told.NOTHING or word.method is not Method.REQUEST:
        return {}
    return {reminder_key(meeting, attendee, each.before): each for each in meeting.reminders}


def sort_reminder(needs: Needs, maker: MailMaker, job: Job, reminder: Reminder | None) -> None:
    """Sort an open reminder: it may stay, be pointed, be cancelled, or be in flight already."""
    meeting, number = maker.meeting, 0 if job.revision is None else job.revision.number
    is_old = number < meeting.content_revision
    if job.has_begun:
        if reminder is None or is_old:
            needs.in_flight.append(job)
    elif reminder is None or (may_have_left(job) and is_old):
        needs.cancels.append(job)
    elif may_have_left(job):
        return  # a resend has the same octets
    # One that stays after a change of the reminders is written all the same: a slow process that
    # would cancel it, because the caller had dropped it for a moment, fails at its guard then.
    elif (
        is_old
        or number < meeting.reminder_revision
        or not is_up_to_date(maker, job, needs.attendee, reminder)
    ):
        needs.points.append((job, reminder))
