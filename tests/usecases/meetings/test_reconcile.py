"""Reconciling the mails of a meeting on a real store. Oracle: the jobs that the driver finds."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.changes import cancel_meeting, remove_attendees
from gcsched.domain.meetings.effects import What
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.meeting import Meeting, Reminder, Told
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import (
    AdmissionClosed,
    MeetingContended,
    StoreUnavailable,
    UnreadableMeeting,
)
from gcsched.usecases.meetings.reconcile import Reconciled
from gcsched.usecases.ports import MeetingJobs, Meetings
from tests.support.background import in_background
from tests.support.builders import NOW, a_revision
from tests.support.clocks import DAY, SECOND
from tests.support.meeting_worlds import WITHIN, MeetingWorld, list_mails
from tests.support.stored_meetings import MINUTE, an_invitee, revise_meeting, send

ADA, TWO = "ada@example.org", "guest-2@example.org"


async def test_each_attendee_is_invited_once(world: MeetingWorld) -> None:
    await world.create(3)

    done = await world.reconcile()
    again = await world.reconcile()

    jobs = world.list_jobs()
    assert [job.state for job in jobs] == [State.SCHEDULED] * 3
    assert {job.email for job in jobs} == {each.email for each in done.meeting.attendees}
    assert done.is_settled
    assert done.meeting == again.meeting == await world.find()
    assert done.meeting.check_time == NOW + MINUTE
    assert {each.job_id for each in done.meeting.attendees} == {job.id for job in jobs}
    assert [(each.what, each.count) for each in done.effects] == [(What.MAKES, 1)] * 3


async def test_new_invitations_are_woken_for_and_their_employees_known(world: MeetingWorld) -> None:
    attendees = (an_invitee(1), an_invitee(2, empid=""))
    await world.create(attendees=attendees, invite_time=NOW + 30 * SECOND)

    async with in_background(world.wake_ups.run):
        await world.reconcile()

    assert world.queue.enqueued == [int(NOW.timestamp()) + 30]
    assert [job.empid for job in world.invited] == ["E1"]


async def test_many_reconcilers_at_once_make_each_mail_once(
    world: MeetingWorld, another_world: MeetingWorld
) -> None:
    await world.create(20, reminders=(Reminder(before=30 * MINUTE),))

    await asyncio.gather(*(each.reconcile() for each in [world, another_world] * 3))
    for job in world.list_jobs():
        world.end(job)
    await asyncio.gather(*(each.reconcile() for each in [world, another_world] * 3))

    purposes = [(job.email, job.meeting.purpose) for job in world.list_jobs() if job.meeting]
    assert len(purposes) == len(set(purposes)) == 40
    meeting = await world.find()
    assert {each.word.told for each in meeting.attendees} == {Told.SURE}
    assert meeting.check_time is None, "nothing is left to do"


async def test_a_waiting_invitation_shows_what_a_caller_changed(world: MeetingWorld) -> None:
    meeting = (await create_and_invite(world)).meeting
    [before] = world.list_jobs()

    await world.change(revise_meeting(meeting, location="Room 7"))
    done = await world.reconcile()

    [job] = world.list_jobs()
    assert (job.id, job.dedup_key, job.due_time) == (before.id, before.dedup_key, before.due_time)
    assert job.revision is not None
    assert (job.revision.location, job.revision.number) == ("Room 7", 2)
    assert [(each.purpose, each.what) for each in done.effects] == [
        (Purpose.INVITATION, What.CHANGES)
    ]


async def test_attendees_who_were_mailed_get_an_update_that_later_changes_join(
    world: MeetingWorld,
) -> None:
    await create_and_invite(world)
    world.send_due()
    meeting = (await world.reconcile()).meeting

    for room in ("Room 7", "Room 8"):
        meeting = revise_meeting(meeting, location=room)
        await world.change(meeting)
        meeting = (await world.reconcile()).meeting
        world.advance(5 * SECOND)

    [_, update] = world.list_jobs()
    assert update.meeting is not None
    assert update.meeting.revision.location == "Room 8"
    assert update.meeting.earlier == a_revision()
    assert list_mails(world.list_jobs()) == [
        (ADA, "INVITATION", 0, "SENT"),
        (ADA, "UPDATE", 2, "SCHEDULED"),
    ]
    assert update.due_time == NOW + 15 * SECOND, "ten seconds after the latest change"


async def test_a_cancelled_meeting_mails_only_those_who_may_know_of_it(world: MeetingWorld) -> None:
    await create_and_invite(world, 3, reminders=(Reminder(before=30 * MINUTE),))
    first, second, third = world.list_jobs()
    world.end(first)
    world.end(second, Kind.UNCERTAIN)
    await world.reconcile()

    await cancel(world)
    done = await world.reconcile()

    assert list_mails(world.list_jobs()) == sorted(
        [
            (first.email, "CANCELLATION", 1, "SCHEDULED"),
            (second.email, "CANCELLATION", 1, "SCHEDULED"),
            (first.email, "INVITATION", 0, "SENT"),
            (second.email, "INVITATION", 0, "UNCERTAIN"),
            (third.email, "INVITATION", 0, "CANCELLED"),
            (first.email, "REMINDER", 0, "CANCELLED"),
            (second.email, "REMINDER", 0, "CANCELLED"),
        ]
    )
    world.send_due()
    world.advance(MINUTE)
    assert await world.sweep() == 1
    assert (await world.find()).check_time is None
    assert done.is_settled


async def test_a_removed_attendee_gets_a_cancellation_and_the_others_nothing(
    world: MeetingWorld,
) -> None:
    await create_and_invite(world, 2)
    world.send_due()
    meeting = (await world.reconcile()).meeting

    await world.change(remove_attendees(meeting, [TWO], world.act))
    await world.reconcile()

    [cancellation] = world.list_jobs(state="SCHEDULED")
    assert cancellation.meeting is not None
    assert (cancellation.email, cancellation.meeting.is_removal) == (TWO, True)
    assert list_mails([cancellation]) == [(TWO, "CANCELLATION", 1, "SCHEDULED")]


async def test_a_claimed_mail_is_held_back_and_one_that_has_begun_is_counted(
    world: MeetingWorld,
) -> None:
    """Reminders of the old start: after the answer none of them begins but that one."""
    reminders = (Reminder(before=30 * MINUTE), Reminder(before=60 * MINUTE))
    await create_and_invite(world, reminders=reminders)
    world.send_due()
    meeting = (await world.reconcile()).meeting
    waiting, due = world.list_jobs(state="SCHEDULED")
    world.claim(waiting)
    world.claim(due, begun=NOW)

    start, end = a_revision().start + DAY, a_revision().end + DAY
    await world.change(revise_meeting(meeting, start=start, end=end))
    done = await world.reconcile()

    states = {job.id: job.state for job in world.list_jobs()}
    assert (states[waiting.id], states[due.id]) == (State.CANCELLED, State.SENDING)
    flying = [each for each in done.effects if each.in_flight]
    assert [(each.purpose, each.in_flight) for each in flying] == [(Purpose.REMINDER, 1)]
    made = world.list_jobs(state="SCHEDULED")
    assert sorted(job.due_time for job in made if job.due_time > NOW + DAY) == [
        start - 60 * MINUTE,
        start - 30 * MINUTE,
    ]


@dataclass(frozen=True, slots=True)
class BeginsMeanwhile:
    """A store of jobs in which a body begins right before the first change."""

    jobs: MeetingJobs
    begin: Callable[[], object]

    async def make(self, jobs: Sequence[Job], *, within: timedelta) -> Sequence[Job]:
        return await self.jobs.make(jobs, within=within)

    async def change_all(
        self, pairs: Sequence[tuple[Job, Job]], *, within: timedelta
    ) -> tuple[int, int]:
        self.begin()
        return await self.jobs.change_all(pairs, within=within)


async def test_a_mail_that_begins_while_it_is_held_back_is_counted(world: MeetingWorld) -> None:
    await create_and_invite(world, reminders=(Reminder(before=30 * MINUTE),))
    world.send_due()
    meeting = (await world.reconcile()).meeting
    [reminder] = world.list_jobs(state="SCHEDULED")
    claimed = world.claim(reminder)
    world.jobs = BeginsMeanwhile(world.jobs, lambda: world.put(replace(claimed, begun=NOW)))

    start, end = a_revision().start + DAY, a_revision().end + DAY
    await world.change(revise_meeting(meeting, start=start, end=end))
    done = await world.reconcile()

    assert [(each.purpose, each.in_flight) for each in done.effects if each.in_flight] == [
        (Purpose.REMINDER, 1)
    ]
    assert [job.has_begun for job in world.list_jobs(_id=reminder.id)] == [True]


async def create_and_invite(world: MeetingWorld, attendees: int = 1, **others: Any) -> Reconciled:
    await world.create(attendees, **others)
    return await world.reconcile()


async def cancel(world: MeetingWorld) -> Meeting:
    meeting = await world.find()
    seen = fold_jobs(meeting, await world.store.find_jobs(meeting.id))
    cancelled = cancel_meeting(seen, world.act)
    await world.change(cancelled)
    return cancelled


async def test_a_meeting_that_is_unknown_is_none(world: MeetingWorld) -> None:
    assert await world.reconciler.reconcile("meeting-9", within=WITHIN) is None


async def test_nothing_is_made_while_admission_is_closed_and_the_sweep_goes_on(
    world: MeetingWorld,
) -> None:
    async def refuse() -> None:
        raise AdmissionClosed("index dedup_key of jobs is missing")

    await world.create(2)
    world.check_admission, admit = refuse, world.check_admission

    done = await world.reconcile()
    assert (done.is_settled, world.list_jobs()) == (False, [])
    assert [each.what for each in done.effects] == [What.MAKES] * 2

    world.check_admission = admit
    assert await world.sweep() == 1
    assert len(world.list_jobs()) == 2


async def test_mails_that_cannot_be_made_are_left_to_the_sweep(world: MeetingWorld) -> None:
    await world.create(2)
    world.raw.command("collMod", "jobs", validator={"never": True})
    try:
        done = await world.reconcile()
    finally:
        world.raw.command("collMod", "jobs", validator={})

    assert not done.is_settled
    assert (await world.find()).check_time == NOW
    assert await world.sweep() == 1
    assert len(world.list_jobs()) == 2


async def test_it_is_an_error_if_mails_with_old_content_may_still_wait(world: MeetingWorld) -> None:
    await create_and_invite(world, 2)
    await cancel(world)
    world.raw.command("collMod", "jobs", validator={"never": True})
    try:
        with pytest.raises(StoreUnavailable):
            await world.reconcile()
    finally:
        world.raw.command("collMod", "jobs", validator={})

    await world.reconcile()

    assert {job.state for job in world.list_jobs()} == {State.CANCELLED}


async def test_a_damaged_meeting_is_put_off_and_does_not_keep_others_waiting(
    world: MeetingWorld,
) -> None:
    await world.create()
    other = a_revision(meeting_id="meeting-0")
    await world.create(revision=other, check_time=NOW - DAY)
    world.raw["meetings"].update_one({"_id": "meeting-0"}, {"$set": {"uid": 7, "version": "x"}})

    with pytest.raises(UnreadableMeeting):
        await world.reconcile("meeting-0")
    assert await world.sweep() == 1

    assert len(world.list_jobs()) == 1
    [damaged] = world.raw["meetings"].find({"_id": "meeting-0"})
    assert damaged["check"] == NOW + timedelta(minutes=10)


async def test_an_update_says_what_changed_though_the_invitation_is_deleted_long_since(
    world: MeetingWorld,
) -> None:
    await create_and_invite(world)
    world.send_due()
    meeting = (await world.reconcile()).meeting
    world.raw["jobs"].delete_many({})

    await world.change(revise_meeting(meeting, location="Room 7"))
    await world.reconcile()

    [update] = world.list_jobs()
    assert update.meeting is not None
    assert update.meeting.purpose is Purpose.UPDATE
    assert update.meeting.earlier == a_revision()
    assert update.meeting.references == meeting.attendees[0].thread != ""


@dataclass
class Disturbed:
    """The store of meetings with another process that changes each before it is replaced."""

    store: Meetings
    disturb: Callable[[], object]

    async def replace(self, seen: Meeting, changed: Meeting, *, within: timedelta) -> bool:
        self.disturb()
        return await self.store.replace(seen, changed, within=within)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@dataclass(frozen=True)
class DisturbedJobs:
    """A store in which another process changes jobs just before each change."""

    jobs: MeetingJobs
    disturb: Callable[[], object]

    async def change_all(
        self, pairs: Sequence[tuple[Job, Job]], *, within: timedelta
    ) -> tuple[int, int]:
        self.disturb()
        return await self.jobs.change_all(pairs, within=within)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.jobs, name)


async def test_a_meeting_that_others_change_at_every_try_is_contended(world: MeetingWorld) -> None:
    await world.create()
    change = {"$inc": {"version": 1}}
    world.meetings = Disturbed(world.store, lambda: world.raw["meetings"].update_one({}, change))

    done = await world.reconcile()

    assert (done.is_settled, done.is_contended) == (False, True)
    assert len(world.list_jobs()) == 1, "each try finds the mail that the first has made"


async def test_mails_that_stay_as_they_are_at_every_try_may_show_old_content(
    world: MeetingWorld,
) -> None:
    await create_and_invite(world)
    await cancel(world)
    change = {"$inc": {"version": 1}}
    disturbed = DisturbedJobs(world.jobs, lambda: world.raw["jobs"].update_many({}, change))
    world.jobs = cast("MeetingJobs", disturbed)

    with pytest.raises(MeetingContended):
        await world.reconcile()


async def test_a_key_that_an_unreadable_job_holds_is_left_to_the_sweep(
    world: MeetingWorld,
) -> None:
    await world.create()
    stored = world.raw["meetings"].find_one()
    assert stored is not None
    await world.reconcile()
    world.raw["meetings"].replace_one({}, stored)  # as if the process had died in between
    world.raw["jobs"].update_one({}, {"$set": {"created": "NONSENSE"}})

    done = await world.reconcile()

    assert (done.is_settled, done.is_contended) == (False, True)


async def test_a_meeting_that_is_deleted_meanwhile_is_not_settled(world: MeetingWorld) -> None:
    await world.create()
    world.meetings = Disturbed(world.store, lambda: world.raw["meetings"].delete_many({}))

    assert not (await world.reconcile()).is_settled


@dataclass(frozen=True)
class Silent:
    """A store of jobs that does not answer one method."""

    jobs: MeetingJobs
    method: str

    def __getattr__(self, name: str) -> Any:
        async def wait(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        return wait if name == self.method else getattr(self.jobs, name)


async def test_a_call_ends_in_time_and_says_whether_old_mails_may_still_wait(
    world: MeetingWorld,
) -> None:
    await create_and_invite(world)
    [job] = world.list_jobs()
    soon = timedelta(milliseconds=200)
    await cancel(world)
    jobs, world.jobs = world.jobs, cast("MeetingJobs", Silent(world.jobs, "change_all"))
    with pytest.raises(StoreUnavailable):
        await world.reconciler.reconcile("meeting-1", within=soon)
    world.jobs = jobs
    await world.reconcile()

    world.put(send(job))
    world.raw["meetings"].update_one({}, {"$set": {"check": NOW}})
    world.jobs = cast("MeetingJobs", Silent(jobs, "make"))
    late = await world.reconciler.reconcile("meeting-1", within=soon)
    assert late is not None
    assert not late.is_settled


@dataclass
class RefusesLater:
    """A store of jobs that takes the first change only."""

    jobs: MeetingJobs
    changes: int = 0

    async def change_all(
        self, pairs: Sequence[tuple[Job, Job]], *, within: timedelta
    ) -> tuple[int, int]:
        self.changes += 1
        if self.changes > 1:
            raise StoreUnavailable("changing mails of a meeting")
        return await self.jobs.change_all(pairs, within=within)

    async def make(self, jobs: Sequence[Job], *, within: timedelta) -> Sequence[Job]:
        return await self.jobs.make(jobs, within=within)


async def test_it_is_an_error_if_only_the_claimed_mails_were_held_back(world: MeetingWorld) -> None:
    reminders = (Reminder(before=30 * MINUTE), Reminder(before=60 * MINUTE))
    await create_and_invite(world, reminders=reminders)
    world.send_due()
    await world.reconcile()
    world.claim(world.list_jobs(state="SCHEDULED")[0])
    await cancel(world)
    world.jobs = RefusesLater(world.jobs)

    with pytest.raises(StoreUnavailable):
        await world.reconcile()

    assert len(world.list_jobs(state="SCHEDULED")) == 1
