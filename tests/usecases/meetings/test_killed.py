"""A process that is killed at any write of a change heals. Oracle: the same change unharmed."""

from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from gcsched.domain.meetings.changes import cancel_meeting, remove_attendees
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.meeting import Meeting, Reminder
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import NOW, a_revision
from tests.support.clocks import DAY
from tests.support.killed_writes import Kill, Killed, make_mortal
from tests.support.meeting_worlds import WITHIN, MeetingWorld, list_mails
from tests.support.stored_meetings import MINUTE, a_planned_meeting, revise_meeting

REMINDERS = (Reminder(before=30 * MINUTE), Reminder(before=DAY))

Call = Callable[[MeetingWorld], Awaitable[object]]


async def create(world: MeetingWorld) -> None:
    meeting = a_planned_meeting(3, reminders=REMINDERS, request_id="R1")
    stored = await world.store.insert(meeting, within=WITHIN)
    await world.reconcile(stored.id)


async def change(world: MeetingWorld, decide: Callable[[Meeting], Meeting]) -> None:
    """Change the meeting as a caller who repeats a call until it is OK."""
    for _ in range(5):
        meeting = await world.find()
        seen = fold_jobs(meeting, await world.store.find_jobs(meeting.id))
        changed = decide(seen)
        if changed is seen or await world.store.replace(meeting, changed, within=WITHIN):
            break
    await world.reconcile()


async def move(world: MeetingWorld) -> None:
    def decide(meeting: Meeting) -> Meeting:
        if meeting.revision.start != a_revision().start:
            return meeting
        start, end = a_revision().start + DAY, a_revision().end + DAY
        return revise_meeting(meeting, start=start, end=end)

    await change(world, decide)


async def cancel(world: MeetingWorld) -> None:
    await change(world, lambda meeting: cancel_meeting(meeting, world.act))


async def remove(world: MeetingWorld) -> None:
    emails = ["ada@example.org", "guest-3@example.org"]
    await change(world, lambda meeting: remove_attendees(meeting, emails, world.act))


async def prepare(world: MeetingWorld, call: Call) -> None:
    """Store a meeting of which Ada has the invitation, guest 2 may have it, and 3 has none."""
    for name in ("jobs", "meetings", "meeting_revisions"):
        world.raw[name].delete_many({})
    world.clock.now = NOW
    if call is create:
        return
    await create(world)
    ada, other, _ = world.list_jobs()
    world.end(ada)
    world.end(other, Kind.UNCERTAIN)
    await world.reconcile()


async def run_killed(world: MeetingWorld, call: Call, kill: Kill) -> list[tuple[object, ...]]:
    """Run *call* at a process that dies by *kill*; return what is stored once all has settled."""
    await prepare(world, call)
    mortal = MeetingWorld(mongo=make_mortal(world.mongo, kill), raw=world.raw, clock=world.clock)
    try:
        await call(mortal)
    except Killed:
        if not world.raw["meetings"].count_documents({"changes": 0 if call is create else 1}):
            await call(world)  # nothing is stored that the sweep could find: the caller repeats it
    await world.sweep()
    world.advance(MINUTE)
    await world.sweep()
    return describe(world, await world.find())


def describe(world: MeetingWorld, meeting: Meeting) -> list[tuple[object, ...]]:
    """Return all that matters of the meeting and its mails, without random ids and versions."""
    jobs = {job.id: job for job in world.list_jobs()}
    attendees = [
        (each.email, each.word, each.is_removed, jobs[each.job_id].message)
        for each in meeting.attendees
        if each.job_id in jobs
    ]
    shown = sorted(
        (job.email, job.due_time, job.meeting.revision.number, job.meeting.purpose)
        for job in jobs.values()
        if job.meeting is not None
    )
    state = (meeting.state, meeting.content_revision, meeting.check_time, meeting.changes)
    revision = replace(meeting.revision, meeting_id="", uid="")
    return [*list_mails([*jobs.values()]), *shown, *attendees, state, (revision,)]


@pytest.mark.parametrize("call", [create, move, cancel, remove], ids=lambda call: call.__name__)
async def test_a_kill_at_any_write_changes_nothing_in_the_end(
    world: MeetingWorld, call: Call
) -> None:
    unharmed = Kill(at=None, is_written=False)
    expected = await run_killed(world, call, unharmed)

    assert unharmed.count >= 3
    for at in range(unharmed.count):
        for is_written in (False, True):
            kill = Kill(at=at, is_written=is_written)
            assert await run_killed(world, call, kill) == expected, kill
            assert kill.count == at + 1, "it died there"
