"""Changes of single jobs and of many, as their meetings take them in, on a real store."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.commands import Cancel, JobCommand, Reschedule, Resolve, Retry
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import JobFilter
from gcsched.domain.meetings.changes import cancel_meeting
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.meeting import MeetingState, Reminder, Told
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import IllegalTransition, JobSuperseded, StoreUnavailable
from gcsched.usecases.management.bulk_change import ApplyBulkChange, BulkChange
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.meetings.job_changes import MeetingsOfJobs
from gcsched.usecases.meetings.notices import MeetingNotices
from tests.support.builders import AN_ACTOR, NOW, a_revision
from tests.support.clocks import DAY, SECOND
from tests.support.meeting_worlds import RETENTION, MeetingWorld, list_mails
from tests.support.stored_meetings import MINUTE, revise_meeting

SOON = 10 * SECOND
RETRY = Retry(keep_trying=DAY, window=DAY)
ADA = "ada@example.org"


class Management:
    """The changes of jobs of one process, and the notices that they give."""

    def __init__(self, world: MeetingWorld) -> None:
        self.world = world
        self.notices = MeetingNotices(meetings=world.store, reconcile=world.reconcile)
        self.parts: dict[str, Any] = {
            "store": MongoJobChanges(mongo=world.mongo, retention=RETENTION),
            "suppressions": MongoSuppressions(mongo=world.mongo),
            "wake_ups": world.wake_ups,
            "now": world.clock,
            "meetings": MeetingsOfJobs(
                meetings=world.store,
                claimed_meetings=world.claimed,
                reconciler=world.reconciler,
                notices=self.notices,
            ),
        }

    async def change(self, job: Job, command: JobCommand) -> Job:
        change_job = ChangeJob(**self.parts)
        return await change_job.change(job.id, command, etag="", within=SOON, actor=AN_ACTOR)

    async def change_all(self, command: Cancel | Retry, *, state: State | None = None) -> int:
        mongo = self.world.mongo
        bulk = ApplyBulkChange(
            job_list=MongoJobList(mongo=mongo),
            majority_list=MongoJobList(mongo=mongo, is_majority_read=True),
            **self.parts,
        )
        change = BulkChange(filter=JobFilter(state=state), command=command)
        return await bulk.apply(change, actor=AN_ACTOR, within=SOON)


@pytest.fixture
def management(world: MeetingWorld) -> Management:
    return Management(world)


async def invite(world: MeetingWorld, count: int = 1, **others: Any) -> Sequence[Job]:
    await world.create(count, **others)
    await world.reconcile()
    return world.list_jobs()


async def test_cancelling_the_waiting_invitation_removes_its_attendee_within_the_call(
    world: MeetingWorld, management: Management
) -> None:
    first, second = await invite(world, 2)

    await management.change(first, Cancel(reason="not needed"))

    meeting = await world.find()
    assert [each.is_removed for each in meeting.attendees] == [True, False]
    assert meeting.state is MeetingState.SCHEDULED
    await management.change(second, Cancel(reason="off"))
    meeting = await world.find()
    assert (meeting.state, meeting.revision.reason) == (MeetingState.CANCELLED, "off")
    assert meeting.check_time is None
    assert list_mails(world.list_jobs()) == [
        (ADA, "INVITATION", 0, "CANCELLED"),
        ("guest-2@example.org", "INVITATION", 0, "CANCELLED"),
    ]


async def test_a_repeated_cancel_completes_what_an_interrupted_one_left(
    world: MeetingWorld, management: Management
) -> None:
    [job] = await invite(world)
    world.raw.command("collMod", "meetings", validator={"never": True})
    try:
        with pytest.raises(StoreUnavailable):
            await management.change(job, Cancel())
    finally:
        world.raw.command("collMod", "meetings", validator={})
    assert (await world.find()).state is MeetingState.SCHEDULED

    await management.change(job, Cancel())

    assert (await world.find()).state is MeetingState.CANCELLED


async def test_a_damaged_meeting_does_not_keep_its_mail_from_being_cancelled(
    world: MeetingWorld, management: Management
) -> None:
    [job] = await invite(world)
    world.raw["meetings"].update_one({}, {"$set": {"attendees": "Ada"}})

    cancelled = await management.change(job, Cancel())

    assert (cancelled.state, management.notices.waiting) == (State.CANCELLED, 1)


async def test_a_cancelled_reminder_is_not_made_again_and_its_meeting_takes_place(
    world: MeetingWorld, management: Management
) -> None:
    await invite(world, reminders=(Reminder(before=30 * MINUTE),))
    world.send_due()
    await world.reconcile()
    [reminder] = world.list_jobs(state="SCHEDULED")

    await management.change(reminder, Cancel())
    await world.reconcile()

    assert list_mails(world.list_jobs()) == [
        (ADA, "INVITATION", 0, "SENT"),
        (ADA, "REMINDER", 0, "CANCELLED"),
    ]
    assert (await world.find()).state is MeetingState.SCHEDULED


async def test_the_error_for_a_sent_invitation_names_its_meeting(
    world: MeetingWorld, management: Management
) -> None:
    [job] = await invite(world)
    world.end(job)

    with pytest.raises(IllegalTransition) as caught:
        await management.change(job, Cancel())

    assert caught.value.metadata["meeting_id"] == "meeting-1"
    assert caught.value.metadata["state"] == "SENT"


async def test_a_mail_that_a_later_one_replaced_is_not_retried(
    world: MeetingWorld, management: Management
) -> None:
    """The first invitation is held as uncertain, and an update went out since."""
    [job] = await invite(world)
    held = world.end(job, Kind.UNCERTAIN)
    meeting = (await world.reconcile()).meeting
    await world.change(revise_meeting(meeting, location="Room 7"))
    await world.reconcile()

    with pytest.raises(JobSuperseded) as caught:
        await management.change(held, RETRY)

    assert caught.value.metadata == {"job_id": held.id, "meeting_id": "meeting-1"}
    assert "superseded by revision 2" in str(caught.value)
    [stored] = world.list_jobs(_id=held.id)
    assert (stored.state, stored.version) == (State.UNCERTAIN, held.version)


async def test_a_failed_invitation_is_retried_with_what_the_meeting_is_now(
    world: MeetingWorld, management: Management
) -> None:
    [job] = await invite(world)
    failed = world.end(job, Kind.POLICY)
    meeting = (await world.reconcile()).meeting
    await world.change(revise_meeting(meeting, location="Room 7"))
    await world.reconcile()

    await management.change(failed, RETRY)
    assert management.notices.waiting == 1
    await world.reconcile()

    [retried] = world.list_jobs()
    assert (retried.id, retried.state) == (failed.id, State.RETRYING)
    assert retried.revision is not None
    assert retried.revision.location == "Room 7"


async def test_a_cancellation_may_be_retried_and_moved_until_the_end(
    world: MeetingWorld, management: Management
) -> None:
    [job] = await invite(world)
    world.end(job)
    seen = fold_jobs(await world.find(), world.list_jobs())
    await world.change(cancel_meeting(seen, world.act))
    await world.reconcile()
    [cancellation] = world.list_jobs(state="SCHEDULED")
    start, end = a_revision().start, a_revision().end

    moved = await management.change(cancellation, a_reschedule(start + MINUTE))
    assert (moved.due_time, moved.expire_time) == (start + MINUTE, end)
    with pytest.raises(IllegalTransition, match="before the end of its meeting, 2027-01-05T08:30Z"):
        await management.change(cancellation, a_reschedule(end))
    failed = world.end(moved, Kind.POLICY)
    world.clock.now = start + 2 * MINUTE
    retried = await management.change(failed, RETRY)
    assert (retried.state, retried.expire_time) == (State.RETRYING, end)
    world.put(failed)
    world.clock.now = end
    with pytest.raises(IllegalTransition, match="the end of its meeting is over"):
        await management.change(failed, RETRY)


def a_reschedule(moment: Any) -> Reschedule:
    return Reschedule(schedule_time=moment, is_daily=False, keep_trying=DAY)


async def test_other_changes_of_a_job_are_noticed(
    world: MeetingWorld, management: Management
) -> None:
    [job] = await invite(world)

    await management.change(job, a_reschedule(NOW + DAY))
    assert management.notices.waiting == 1
    world.advance(MINUTE)
    assert await world.sweep() == 1
    assert (await world.find()).check_time == NOW + DAY + MINUTE
    held = world.end(world.list_jobs()[0], Kind.UNCERTAIN)
    await management.change(held, Resolve(state=State.SENT, reason="seen"))
    await world.reconcile()
    assert (await world.find()).attendees[0].word.told is Told.SURE


async def test_bulk_changes_are_noticed_and_revive_no_superseded_mail(
    world: MeetingWorld, management: Management
) -> None:
    first, second = await invite(world, 2)
    failed = [world.end(job, Kind.POLICY) for job in (first, second)]
    meeting = (await world.reconcile()).meeting
    gone = replace(meeting.attendees[0], is_removed=True, removed_revision=1)
    await world.change(
        replace(meeting, attendees=(gone, meeting.attendees[1]), version=meeting.version + 1)
    )
    world.clock.now = NOW + timedelta(hours=1)

    assert await management.change_all(RETRY, state=State.FAILED) == 1

    states = {job.id: job.state for job in world.list_jobs()}
    assert [states[job.id] for job in failed] == [State.FAILED, State.RETRYING]
    assert management.notices.waiting == 1
    assert await management.change_all(Cancel(), state=State.RETRYING) == 1
    await world.reconcile()
    assert (await world.find()).state is MeetingState.CANCELLED


async def test_jobs_without_a_meeting_ask_nothing_of_meetings(
    world: MeetingWorld, management: Management
) -> None:
    [job] = await invite(world)
    plain = replace(job, id="plain", dedup_key="plain", meeting=None, template="doc")
    world.put(plain)
    world.raw["meetings"].drop()

    await management.change(plain, a_reschedule(NOW + DAY))
    await management.change(plain, Cancel())

    assert management.notices.waiting == 0
