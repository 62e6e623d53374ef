"""Whether a claimed mail about a meeting may still be sent. Pure.

Delivery asks this after each claim, RetryJob before it revives a job. A `Standing` is what the
answer depends on, so that it can be read for many meetings at once.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from gcsched.domain.address_folding import fold_address
from gcsched.domain.calendar_file import Method
from gcsched.domain.job import Job
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.evidence import METHODS, may_have_left
from gcsched.domain.meetings.keys import make_reminder_key
from gcsched.domain.meetings.meeting import Meeting, MeetingState, Told

CANCELLED = "the meeting was cancelled"
REMOVED = "the attendee was removed"
TAKES_PLACE = "the meeting takes place, with the attendee"


class Place(Struct, frozen=True, kw_only=True):
    """Where one attendee stands: the fields of `Attendee` by their names."""

    is_removed: bool
    removed_revision: int
    invited_count: int


class Standing(Struct, frozen=True, kw_only=True):
    """What of a meeting decides whether a mail about it is wanted; *places* by folded address."""

    state: MeetingState
    content_revision: int
    start: datetime
    reminders: tuple[timedelta, ...]
    places: Mapping[str, Place]


class Objection(Struct, frozen=True, kw_only=True):
    """Why a claimed mail must not be sent now; *is_final*: its job ends CANCELLED.

    Otherwise the job has to wait until it shows the latest revision.
    """

    reason: str
    is_final: bool = True


def find_standing(meeting: Meeting) -> Standing:
    """Return what of *meeting* decides whether its mails are wanted."""
    return Standing(
        state=meeting.state,
        content_revision=meeting.content_revision,
        start=meeting.revision.start,
        reminders=tuple(each.before for each in meeting.reminders),
        places={
            fold_address(each.email): Place(
                is_removed=each.is_removed,
                removed_revision=each.removed_revision,
                invited_count=each.invited_count,
            )
            for each in meeting.attendees
        },
    )


def find_objection(job: Job, standing: Standing) -> Objection | None:
    """Return why *job*, which has a meeting, must not be sent now; None if it may."""
    mail, place = job.meeting, standing.places.get(fold_address(job.email))
    if mail is None:
        return None
    if place is None:
        return Objection(reason=REMOVED)
    if METHODS.get(mail.purpose) is Method.CANCEL:
        return object_to_cancellation(mail, place, standing)
    if standing.state is MeetingState.CANCELLED or place.is_removed:
        return Objection(reason=REMOVED if place.is_removed else CANCELLED)
    is_again = mail.invited_count != place.invited_count
    is_moved = mail.purpose is Purpose.REMINDER and not is_planned_reminder(job, mail, standing)
    if is_again or is_moved:
        return Objection(reason=describe_supersession(standing.content_revision))
    return wait_for(standing.content_revision, mail)


def object_to_cancellation(mail: MeetingMail, place: Place, standing: Standing) -> Objection | None:
    if mail.invited_count != place.invited_count:
        return Objection(reason=TAKES_PLACE)
    if place.is_removed:
        return wait_for(place.removed_revision, mail)
    if standing.state is MeetingState.CANCELLED:
        return wait_for(standing.content_revision, mail)
    return Objection(reason=TAKES_PLACE)


def wait_for(number: int, mail: MeetingMail) -> Objection | None:
    """Return the objection to a *mail* that shows a revision before *number*; None if it may go."""
    if mail.revision.number >= number:
        return None
    return Objection(reason=describe_supersession(number), is_final=False)


def is_planned_reminder(job: Job, mail: MeetingMail, standing: Standing) -> bool:
    """Return whether the meeting still has this reminder, for this start."""
    if mail.revision.start != standing.start:
        return False
    name = (mail.meeting_id, fold_address(job.email), str(mail.invited_count))
    keys = {make_reminder_key(name, standing.start, before) for before in standing.reminders}
    return (job.dedup_key or job.released_key) in keys


def find_supersession(job: Job, meeting: Meeting) -> str:
    """Return why *job* must not be retried; "" if it may.

    One that surely never left may be, though the meeting has changed since, if its attendee has no
    later word: it then shows the latest revision.
    """
    objection = find_objection(job, find_standing(meeting))
    if objection is None:
        return ""
    attendees = {fold_address(each.email): each for each in meeting.attendees}
    attendee = attendees.get(fold_address(job.email))
    is_told = attendee is not None and attendee.word.told is not Told.NOTHING
    return objection.reason if objection.is_final or may_have_left(job) or is_told else ""


def explain_cancel(job: Job, standing: Standing) -> str:
    """Return why the service cancels *job*, a mail that waits."""
    objection = find_objection(job, standing)
    return objection.reason if objection else describe_supersession(standing.content_revision)


def describe_supersession(number: int) -> str:
    return f"superseded by revision {number}"
