"""Decides what has to happen to the mails of one attendee. Pure.

A job that is claimed and has not begun is treated as one that waits: the plan holds it back first.
"""

from collections.abc import Sequence
from enum import Enum, auto

from msgspec import Struct, field

from gcsched.domain.calendar_file import Method
from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.evidence import ENDED, METHODS, UNSENT, may_have_left
from gcsched.domain.meetings.mails import MailMaker
from gcsched.domain.meetings.meeting import Attendee, Meeting, Reminder, Told
from gcsched.domain.meetings.pointing import is_up_to_date
from gcsched.domain.meetings.withdrawals import is_cancelled_by_caller


class Raise(Enum):
    """Why SEQUENCE has to rise before an attendee can be corrected."""

    CONTENT = auto()  #: A mail with older content has the present SEQUENCE.
    RETURN = auto()  #: The last word to an attendee who was added again has it.
    REMOVAL = auto()  #: A mail to an attendee who was removed has it.


class Needs(Struct, kw_only=True):
    """What has to happen to the mails of *attendee*.

    *in_flight* are jobs with older content that have begun. A mail is made *later* if it has to
    wait for another one that has begun. *reminders* are made.
    """

    attendee: Attendee
    cancels: list[Job] = field(default_factory=list)
    points: list[tuple[Job, Reminder | None]] = field(default_factory=list)
    make: Purpose | None = None
    later: Purpose | None = None
    reminders: list[Reminder] = field(default_factory=list)
    in_flight: list[Job] = field(default_factory=list)
    raises: Raise | None = None


class Goal(Struct, frozen=True, kw_only=True):
    """What the latest word of an attendee shall be: *method*, from revision *number* on."""

    method: Method
    number: int

    def is_reached(self, attendee: Attendee) -> bool:
        """Return whether *attendee* has that word, or may have, or there is none to take back."""
        word = attendee.word
        if word.told is Told.NOTHING:
            return self.method is Method.CANCEL
        if word.method is not self.method or attendee.is_in_doubt:
            return False
        return self.method is Method.CANCEL or word.revision >= self.number


def find_goal(meeting: Meeting, attendee: Attendee) -> Goal:
    """Return which word *attendee* shall have."""
    if attendee.is_removed:
        return Goal(method=Method.CANCEL, number=attendee.removed_revision)
    method = Method.REQUEST if meeting.is_scheduled else Method.CANCEL
    return Goal(method=method, number=meeting.content_revision)


def find_needs(maker: MailMaker, attendee: Attendee, jobs: Sequence[Job]) -> Needs:
    """Return what has to happen to invitations, updates and cancellations of *attendee*.

    *attendee* has what its *jobs* prove.
    """
    needs = Needs(attendee=attendee)
    goal = find_goal(maker.meeting, attendee)
    open_mails = [
        (job, job.meeting)
        for job in jobs
        if job.meeting and job.meeting.purpose in METHODS and job.state not in ENDED
    ]
    has_begun = any(job.has_begun for job, _ in open_mails)
    needs.in_flight = [
        job for job, mail in open_mails if job.has_begun and not serves(mail, goal, attendee)
    ]
    kept = sort_waiting(needs, goal, [each for each in open_mails if not each[0].has_begun])
    if kept is not None:
        point_if_stale(needs, goal, maker, kept)
    if goal.is_reached(attendee):
        return needs
    if kept is None:
        plan_mail(needs, goal, maker, jobs, has_begun=has_begun)
    needs.raises = find_raise(maker, attendee, goal)
    return needs


def serves(mail: MeetingMail, goal: Goal, attendee: Attendee) -> bool:
    """Return whether *mail* tells *attendee* what the *goal* is."""
    return is_of(mail, goal, attendee) and mail.revision.number >= goal.number


def is_of(mail: MeetingMail, goal: Goal, attendee: Attendee) -> bool:
    is_same = mail.invited_count == attendee.invited_count
    return is_same and METHODS[mail.purpose] is goal.method


def sort_waiting(
    needs: Needs, goal: Goal, waiting: Sequence[tuple[Job, MeetingMail]]
) -> Job | None:
    """Return the one of the *waiting* mails to keep, if any; the others are cancelled.

    Kept is one that serves, or else one that can be pointed. There are several only where two
    processes planned at once.
    """
    attendee, is_reached = needs.attendee, goal.is_reached(needs.attendee)
    ranked = list[tuple[int, Job]]()
    for job, mail in waiting:
        if not is_of(mail, goal, attendee):
            rank = 0
        elif may_have_left(job):
            rank = 3 if is_latest_word(mail, attendee) and serves(mail, goal, attendee) else 0
        elif is_reached:
            rank = 0
        else:
            rank = 2 if is_fresh(mail, goal, attendee) else 1
        ranked.append((rank, job))
    rank, kept = max(ranked, key=lambda each: each[0], default=(0, None))
    needs.cancels = [job for _, job in ranked if rank == 0 or job is not kept]
    return kept if rank else None


def is_latest_word(mail: MeetingMail, attendee: Attendee) -> bool:
    word, revision = attendee.word, mail.revision
    return (word.sequence, word.revision) == (revision.sequence, revision.number)


def is_fresh(mail: MeetingMail, goal: Goal, attendee: Attendee) -> bool:
    """Return whether *mail*, which never left, tells *attendee* what it shall, and corrects it."""
    is_later = attendee.word.told is Told.NOTHING or mail.revision.sequence > attendee.word.sequence
    return is_later and serves(mail, goal, attendee)


def point_if_stale(needs: Needs, goal: Goal, maker: MailMaker, job: Job) -> None:
    if job.meeting is None or may_have_left(job):
        return  # a resend has the same octets
    attendee = needs.attendee
    if not is_fresh(job.meeting, goal, attendee) or not is_up_to_date(maker, job, attendee):
        needs.points.append((job, None))


def plan_mail(
    needs: Needs, goal: Goal, maker: MailMaker, jobs: Sequence[Job], *, has_begun: bool
) -> None:
    """Plan the mail that *attendee* lacks, unless one with the same content has failed."""
    if has_ended_unsent(needs.attendee, goal, jobs):
        return
    purpose = choose_purpose(needs.attendee, goal)
    if maker.is_too_late(needs.attendee, purpose):
        return
    if has_begun:
        needs.later = purpose
    else:
        needs.make = purpose


def choose_purpose(attendee: Attendee, goal: Goal) -> Purpose:
    """Return what the next mail to *attendee* is for; one who was uninvited is invited again."""
    if goal.method is Method.CANCEL:
        return Purpose.CANCELLATION
    word = attendee.word
    is_known = word.told is not Told.NOTHING and word.method is Method.REQUEST
    return Purpose.UPDATE if is_known and not attendee.is_in_doubt else Purpose.INVITATION


def has_ended_unsent(attendee: Attendee, goal: Goal, jobs: Sequence[Job]) -> bool:
    """Return whether no mail shall be made for *goal*, because one ended without being sent.

    A relay that refused the first mail for good would refuse the next one. A mail that a caller
    cancelled is not made again. One that the service withdrew does not count.
    """
    if attendee.word.told is Told.NOTHING and attendee.delivery is State.FAILED:
        return True
    if all(job.id != attendee.job_id for job in jobs):  # deleted: its meeting has noted it
        return attendee.delivery in UNSENT and attendee.mail_revision >= goal.number
    return any(
        job.state in UNSENT
        and (job.state is not State.CANCELLED or is_cancelled_by_caller(job))
        and job.meeting is not None
        and job.meeting.purpose in METHODS
        and serves(job.meeting, goal, attendee)
        for job in jobs
    )


def find_raise(maker: MailMaker, attendee: Attendee, goal: Goal) -> Raise | None:
    """Return why SEQUENCE has to rise: a correction needs a higher one than what it corrects."""
    word, latest = attendee.word, maker.meeting.revision
    if word.told is Told.NOTHING:
        return None
    if goal.method is Method.REQUEST:
        if latest.sequence > word.sequence:
            return None
        is_old = word.method is Method.REQUEST and word.revision < goal.number
        return Raise.CONTENT if is_old else Raise.RETURN
    shown = maker.find_cancelled_revision(attendee)
    if shown is not None and shown.sequence > word.sequence:
        return None
    return Raise.REMOVAL if attendee.is_removed else Raise.CONTENT
