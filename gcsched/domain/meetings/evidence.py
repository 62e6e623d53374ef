"""What jobs prove about the words that attendees have. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from gcsched.domain.address_folding import fold_address
from gcsched.domain.calendar_file import Method
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.meeting import Attendee, Meeting, Told, Word
from gcsched.domain.meetings.withdrawals import (
    fold_withdrawals,
    has_lost_reply,
    is_cancelled_by_caller,
)

METHODS: Mapping[Purpose, Method] = {
    Purpose.INVITATION: Method.REQUEST,
    Purpose.UPDATE: Method.REQUEST,
    Purpose.CANCELLATION: Method.CANCEL,
}
"""What each mail says to a calendar; a reminder says nothing."""
ENDED = frozenset({*FINAL_STATES, State.UNCERTAIN})
UNSENT = ENDED - {State.SENT}


def may_have_left(job: Job) -> bool:
    """Return whether the relay has the mail of *job*, or may have it.

    A body that the relay refused has surely not arrived, though it had a date.
    """
    if job.state in {State.SENT, State.UNCERTAIN} or job.has_begun:
        return True
    return has_lost_reply(job)


def read_word(job: Job) -> Word:
    """Return the word that the recipient of *job* has, or may have; NOTHING if none."""
    if job.meeting is None or job.meeting.purpose not in METHODS or not may_have_left(job):
        return Word()
    return Word(
        told=Told.SURE if job.state is State.SENT else Told.MAYBE,
        method=METHODS[job.meeting.purpose],
        sequence=job.meeting.revision.sequence,
        revision=job.meeting.revision.number,
    )


def merge_words(known: Word, other: Word) -> Word:
    """Return the later of two words; SURE if one is, where both are the same."""
    if Told.NOTHING in {known.told, other.told}:
        return other if known.told is Told.NOTHING else known
    ranks = [(each.sequence, each.revision) for each in (known, other)]
    if ranks[0] == ranks[1]:
        return other if other.told is Told.SURE else known
    return other if ranks[1] > ranks[0] else known


Groups = Mapping[str, Sequence[Job]]
"""The jobs of a meeting by the folded address of their recipient, in the order of their making."""


def group_by_recipient(jobs: Iterable[Job]) -> Groups:
    """Return the *jobs* that have a meeting and were not erased, by folded address."""
    groups = dict[str, list[Job]]()
    for job in sorted(jobs, key=lambda each: (each.create_time, each.id)):
        if job.meeting is not None and job.email:
            groups.setdefault(fold_address(job.email), []).append(job)
    return groups


def fold_jobs(meeting: Meeting, jobs: Sequence[Job]) -> Meeting:
    """Return *meeting* with what *jobs* prove about its attendees; itself if that is known.

    A body that has begun proves nothing yet: the relay may still refuse it, and no word is ever
    taken back. The version stays: it is the store's to compare, and the plan's to raise.
    """
    return fold_groups(meeting, group_by_recipient(jobs))


def fold_groups(meeting: Meeting, groups: Groups) -> Meeting:
    """Return *meeting* with what the jobs in *groups* prove."""
    attendees = tuple(
        fold_attendee(assume_lost(each, jobs, meeting), jobs)
        for each in meeting.attendees
        for jobs in [find_jobs(groups, each)]
    )
    if attendees != meeting.attendees:
        meeting = replace(meeting, attendees=attendees)
    return fold_withdrawals(meeting, groups)


def assume_lost(attendee: Attendee, jobs: Sequence[Job], meeting: Meeting) -> Attendee:
    """Return *attendee* with the word of a job that was deleted before its end could be noted.

    That happens where no process ran for as long as jobs are kept. The mail may have left, with the
    latest SEQUENCE at most.
    """
    if attendee.delivery is None or attendee.delivery in ENDED:
        return attendee
    if any(job.id == attendee.job_id for job in jobs):
        return attendee
    is_cancel = attendee.is_removed and attendee.mail_revision >= attendee.removed_revision
    lost = Word(
        told=Told.MAYBE,
        method=Method.CANCEL if is_cancel else Method.REQUEST,
        sequence=meeting.revision.sequence,
        revision=attendee.mail_revision,
    )
    return replace(attendee, word=merge_words(attendee.word, lost), delivery=None)


def find_jobs(groups: Groups, attendee: Attendee) -> Sequence[Job]:
    """Return the jobs of *attendee*; none if that person was forgotten."""
    return groups.get(fold_address(attendee.email), ())


def fold_attendee(attendee: Attendee, jobs: Sequence[Job]) -> Attendee:
    """Return *attendee* with what its *jobs* prove, which are in the order of their creation."""
    if not jobs:
        return attendee
    mails = [each for each in jobs if each.meeting and each.meeting.purpose in METHODS]
    word, thread = attendee.word, attendee.thread
    for job in mails:
        if not job.has_begun:
            word = merge_words(word, read_word(job))
            thread = thread or (job.message_id if may_have_left(job) else "")
    attendee = replace(attendee, word=word, thread=thread)
    latest = find_latest(mails, attendee.invited_count)
    if latest is None or latest.revision is None:
        return attendee
    is_kept = any(job.id == attendee.job_id for job in jobs)
    if not is_kept and latest.revision.number <= attendee.mail_revision:
        return attendee  # the latest mail is deleted, and how it ended is noted
    return replace(
        attendee,
        job_id=latest.id,
        delivery=latest.state,
        delivery_reason=latest.reason if latest.state in UNSENT else "",
        mail_revision=latest.revision.number,
    )


def assume_arrival(attendee: Attendee, jobs: Iterable[Job]) -> Attendee:
    """Return *attendee* as if each body that has begun will arrive, to plan what follows it."""
    word = attendee.word
    for job in jobs:
        if job.has_begun:
            word = merge_words(word, read_word(job))
    return replace(attendee, word=word)


def find_latest(mails: Iterable[Job], invited_count: int) -> Job | None:
    """Return the mail with the newest content since the attendee was added last.

    One that the service withdrew counts only if there is no other.
    """
    found = [each for each in mails if each.meeting and each.meeting.invited_count == invited_count]
    return max(found, key=rank_mail, default=None)


def rank_mail(job: Job) -> tuple[bool, int]:
    is_withdrawn = job.state is State.CANCELLED and not is_cancelled_by_caller(job)
    return not is_withdrawn, job.revision.number if job.revision else 0
