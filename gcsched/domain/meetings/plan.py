"""Plans the mails of a meeting: what each attendee has to get, have changed, or not get. Pure.

A plan is one step. It is carried out and a new plan is made from what is stored then, until a plan
is settled. Each step is idempotent, so after a crash anywhere it is planned again. The order of the
steps matters: first what waits is held back, so that it is known which mails have begun; then
SEQUENCE is raised, if one of these needs a correction; only then are mails made and changed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from gcsched.domain.job import Job, State
from gcsched.domain.meeting import MeetingRevision
from gcsched.domain.meetings.check_time import find_check_time
from gcsched.domain.meetings.claims import explain_cancel, find_standing
from gcsched.domain.meetings.effects import Effect, find_effects, find_flying
from gcsched.domain.meetings.evidence import (
    Groups,
    assume_arrival,
    find_jobs,
    fold_groups,
    group_by_recipient,
)
from gcsched.domain.meetings.mails import MailMaker, MailRules
from gcsched.domain.meetings.meeting import Meeting, Told
from gcsched.domain.meetings.needs import Needs, Raise, find_goal, find_needs
from gcsched.domain.meetings.pointing import point
from gcsched.domain.meetings.reminding import add_reminders
from gcsched.domain.meetings.revisions import list_guests, revise

OVER = "the meeting is over"
Changes = tuple[tuple[Job, Job], ...]


class MailPlan(Struct, frozen=True, kw_only=True):
    """The next step for the mails of a meeting, to be carried out in the order of the fields.

    *changes* are pairs of a job as it was seen and as it shall be; each is written with a guard on
    the version that was seen. *makes* are new jobs; one whose dedup key is taken exists already.
    *meeting* is stored with a guard on the version that was planned from; None: it stays as it is.
    If the plan is not *settled*, or a guard fails, read the meeting, then its jobs, and plan again.
    *effects* say what all steps together do, as far as it is known.
    """

    changes: Changes = ()
    makes: tuple[Job, ...] = ()
    meeting: Meeting | None = None
    is_settled: bool = False
    effects: tuple[Effect, ...] = ()


def plan_mails(
    meeting: Meeting,
    jobs: Sequence[Job],
    revisions: Mapping[int, MeetingRevision],
    *,
    now: datetime,
    rules: MailRules,
) -> MailPlan:
    """Return the next step for *meeting*, whose *jobs* in every state were read after it.

    *revisions* has those that `find_needed_revisions` names, as far as they exist. The texts and
    labels of a meeting of ScheduleMeet are those of its job.
    """
    groups = group_by_recipient(jobs)
    noted = fold_groups(meeting, groups)
    if is_outdated(meeting, jobs):
        return store(meeting, now)  # the guard fails, so it is read again before it acts
    if noted.revision != meeting.revision:
        return store(noted, now)  # no mail may show a revision that is not stored
    if meeting.is_over(now):
        ended = end_all(jobs, now)
        plan = MailPlan(changes=ended) if ended else settle(meeting, noted, None)
        return replace(plan, effects=tuple(find_flying(jobs)))
    known = {**find_shown_revisions(jobs), **revisions, noted.revision.number: noted.revision}
    maker = MailMaker(meeting=noted, revisions=known, now=now, rules=rules)
    all_needs = find_all_needs(maker, groups)
    effects = tuple(each for needs in all_needs for each in find_effects(needs))
    plan = plan_step(maker, all_needs) or settle(meeting, noted, find_check_time(jobs, noted, now))
    return replace(plan, effects=effects)


def is_outdated(meeting: Meeting, jobs: Iterable[Job]) -> bool:
    """Return whether the *jobs*, which were read after *meeting*, show a later change of it."""
    return any(job.revision.number > meeting.revision.number for job in jobs if job.revision)


def find_all_needs(maker: MailMaker, groups: Groups) -> Sequence[Needs]:
    """Return what has to happen to the mails of each attendee who was not forgotten."""
    found = list[Needs]()
    for attendee in maker.meeting.attendees:
        if attendee.email:
            of_attendee = find_jobs(groups, attendee)
            needs = find_needs(maker, assume_arrival(attendee, of_attendee), of_attendee)
            add_reminders(needs, maker, of_attendee)
            found.append(needs)
    return found


def end_all(jobs: Iterable[Job], now: datetime) -> Changes:
    """Return the waiting *jobs* of a meeting that is over cancelled: one may expire much later.

    It shows a later time then, and the meeting was moved to an earlier one while no process ran.
    """
    return tuple((job, job.cancelled(now, reason=OVER)) for job in jobs if job.is_withdrawable)


def plan_step(maker: MailMaker, all_needs: Sequence[Needs]) -> MailPlan | None:
    """Return the first step that is left; None if there is none."""
    if withdrawn := withdraw_claimed(maker, all_needs):
        return MailPlan(changes=withdrawn)
    if (raised := raise_sequence(maker, all_needs)) is not None:
        return store(raised, maker.now)
    changes = (*cancel_all(maker, all_needs), *point_all(maker, all_needs))
    makes = tuple(make_all(maker, all_needs))
    return MailPlan(changes=changes, makes=makes) if changes or makes else None


def withdraw_claimed(maker: MailMaker, all_needs: Sequence[Needs]) -> Changes:
    """Hold back the mails that are claimed and have not begun.

    One that waits cannot begin any more, because its meeting is looked at after each claim. So
    after this step it is known which of the old mails have begun.
    """
    given_back = (
        (job, job.unclaimed(maker.now))
        for needs in all_needs
        for job, _ in needs.points
        if job.state is State.SENDING
    )
    ended = (each for each in cancel_all(maker, all_needs) if each[0].state is State.SENDING)
    return (*ended, *given_back)


def cancel_all(maker: MailMaker, all_needs: Sequence[Needs]) -> Changes:
    standing = find_standing(maker.meeting)
    return tuple(
        (job, job.cancelled(maker.now, reason=explain_cancel(job, standing)))
        for needs in all_needs
        for job in needs.cancels
    )


def point_all(maker: MailMaker, all_needs: Sequence[Needs]) -> Changes:
    return tuple(
        (job, point(maker, job, needs.attendee, reminder))
        for needs in all_needs
        for job, reminder in needs.points
    )


def make_all(maker: MailMaker, all_needs: Sequence[Needs]) -> Iterable[Job]:
    for needs in all_needs:
        if needs.make is not None:
            yield maker.make(needs.attendee, needs.make)
        for reminder in needs.reminders:
            yield maker.remind(needs.attendee, reminder)


def raise_sequence(maker: MailMaker, all_needs: Sequence[Needs]) -> Meeting | None:
    """Return the meeting with a higher SEQUENCE, if a correction needs one; else None."""
    meeting, reasons = maker.meeting, {needs.raises for needs in all_needs} - {None}
    if not reasons:
        return None
    guests = list_guests(meeting.attendees, are_visible=meeting.guests_see_each_other)
    revision = revise(meeting, maker.now, raises_sequence=True, guests=guests)
    if Raise.CONTENT in reasons:
        return replace(meeting, revision=revision, content_revision=revision.number)
    if Raise.RETURN in reasons:
        return replace(meeting, revision=revision)
    # Those whom one call removed: others have another reason, and so another SEQUENCE.
    removed = [each.attendee for each in all_needs if each.raises is Raise.REMOVAL]
    first = min(each.removed_revision for each in removed)
    emails = {each.email for each in removed if each.removed_revision == first}
    attendees = tuple(
        replace(each, removed_revision=revision.number) if each.email in emails else each
        for each in meeting.attendees
    )
    return replace(meeting, revision=revision, attendees=attendees)


def store(meeting: Meeting, now: datetime) -> MailPlan:
    """Return a step that stores *meeting*; whatever happens then, it is looked at again."""
    return MailPlan(meeting=replace(meeting, version=meeting.version + 1, check_time=now))


def settle(meeting: Meeting, noted: Meeting, check_time: datetime | None) -> MailPlan:
    """Return the last step: what jobs prove is stored, and when to look again."""
    settled = replace(noted, check_time=check_time)
    if settled == meeting:
        return MailPlan(is_settled=True)
    return MailPlan(meeting=replace(settled, version=meeting.version + 1), is_settled=True)


def find_shown_revisions(jobs: Iterable[Job]) -> Mapping[int, MeetingRevision]:
    """Return the revisions that the mails of *jobs* show, by number."""
    return {job.revision.number: job.revision for job in jobs if job.revision is not None}


def find_needed_revisions(meeting: Meeting, jobs: Sequence[Job]) -> Collection[int]:
    """Return the numbers of the revisions that `plan_mails` needs beside those in *jobs*.

    An update says what changed since the latest word, and a cancellation to an attendee who was
    removed shows what the meeting was then.
    """
    groups = group_by_recipient(jobs)
    noted = fold_groups(meeting, groups)
    told = (assume_arrival(each, find_jobs(groups, each)) for each in noted.attendees)
    behind = {
        each.removed_revision if each.is_removed else each.word.revision
        for each in told
        if each.word.told is not Told.NOTHING and not find_goal(noted, each).is_reached(each)
    }
    return behind - find_shown_revisions(jobs).keys() - {noted.revision.number}
