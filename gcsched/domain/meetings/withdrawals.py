"""What a meeting becomes when a caller cancels the job of an invitation that waits. Pure.

That is how callers of ScheduleMeet, who know jobs only, call a meeting off.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gcsched.domain.address_folding import fold_address
from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.meeting import (
    MAX_STEPS,
    Attendee,
    Meeting,
    MeetingState,
    MeetingStep,
)
from gcsched.domain.meetings.revisions import list_guests, revise
from gcsched.domain.smtp_reply import Kind


def is_cancelled_by_caller(job: Job) -> bool:
    """Return whether a caller cancelled *job*, not the service, which leaves no step in it."""
    if job.state is not State.CANCELLED or not job.steps:
        return False
    return job.steps[-1].state == State.CANCELLED


def has_lost_reply(job: Job) -> bool:
    """Return whether a relay may have taken the mail of *job* in one of its attempts."""
    return any(each.kind is Kind.UNCERTAIN for each in job.attempts)


def fold_withdrawals(meeting: Meeting, groups: Mapping[str, Sequence[Job]]) -> Meeting:
    """Return *meeting* without the attendees whose waiting invitations callers cancelled.

    *groups* are its jobs by folded address. The meeting is cancelled with its last attendee.
    """
    if not meeting.is_scheduled:
        return meeting
    for attendee in meeting.attendees:
        jobs = groups.get(fold_address(attendee.email), ())
        if (cancelled := find_cancelled_invitation(attendee, jobs)) is not None:
            meeting = withdraw(meeting, attendee, cancelled)
    return meeting


def find_cancelled_invitation(attendee: Attendee, jobs: Sequence[Job]) -> Job | None:
    """Return the invitation of *attendee* that a caller cancelled before it can have left.

    One that a slow process made after that may have left: then it has to be taken back.
    """
    if attendee.is_removed:
        return None
    mails = [
        each
        for each in jobs
        if each.meeting is not None
        and each.meeting.purpose is Purpose.INVITATION
        and each.meeting.invited_count == attendee.invited_count
    ]
    cancelled = (each for each in mails if is_cancelled_by_caller(each))
    return next((each for each in cancelled if not has_lost_reply(each)), None)


def withdraw(meeting: Meeting, attendee: Attendee, job: Job) -> Meeting:
    """Return *meeting* after a caller cancelled *job*, the invitation of *attendee*."""
    step, count = job.steps[-1], meeting.changes + 1
    removed = replace(
        attendee,
        is_removed=True,
        removed_revision=meeting.revision.number,
        removal_reason=step.reason,
    )
    attendees = tuple(removed if each is attendee else each for each in meeting.attendees)
    is_last = all(each.is_removed for each in attendees)
    guests = list_guests(attendees, are_visible=meeting.guests_see_each_other)
    content = {"guests": guests, "reason": step.reason if is_last else meeting.revision.reason}
    revision = revise(meeting, step.time, raises_sequence=False, **content)
    taken = MeetingStep(
        time=step.time,
        client=step.client,
        via=step.via,
        method=step.method,
        revision=revision.number,
        reason=step.reason,
    )
    return replace(
        meeting,
        revision=revision,
        state=MeetingState.CANCELLED if is_last else meeting.state,
        content_revision=revision.number if is_last else meeting.content_revision,
        attendees=attendees,
        changes=count,
        update_time=max(meeting.update_time, step.time),
        steps=(*meeting.steps, taken)[-MAX_STEPS:],
    )
