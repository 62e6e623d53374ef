"""Mails that are on their way while a meeting changes: held back, or corrected in order."""

from datetime import timedelta

from msgspec.structs import replace

from gcsched.domain.job import State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.effects import What
from gcsched.domain.meetings.meeting import MeetingState, Told
from gcsched.domain.smtp_reply import Kind
from tests.support.meetings.processes import Planner
from tests.support.meetings.scene import ADA, BOB, MOVED, Scene, remind, show


def test_a_claimed_mail_is_given_back_before_anything_else_happens() -> None:
    scene = Scene(ADA, BOB)
    claimed = scene.claim(scene.last(ADA))
    scene.update(summary="Interview", plans=False)
    plan = scene.plan()

    [(seen, changed)] = plan.changes
    assert (seen, changed.state, changed.claim) == (claimed, State.SCHEDULED, None)
    assert changed.revision == seen.revision
    assert (plan.makes, plan.meeting, plan.is_settled) == ((), None, False)
    scene.reconcile()
    assert scene.world.begin(claimed, claimed.claim or "") is None
    assert {show(scene.last(ADA)), show(scene.last(BOB))} == {(2, 0)}


def test_a_claimed_mail_that_is_not_wanted_any_more_is_cancelled() -> None:
    scene = Scene(ADA, BOB)
    scene.claim(scene.last(ADA))
    scene.remove(ADA)

    assert scene.last(ADA).state is State.CANCELLED


def test_a_mail_that_has_begun_raises_the_sequence_before_another_one_is_changed() -> None:
    scene = Scene(ADA, BOB)
    begun = scene.begin(scene.last(ADA))
    scene.update(summary="Interview", plans=False)
    plan = scene.plan()

    assert (plan.changes, plan.makes) == ((), ())
    assert plan.meeting is not None
    assert plan.meeting.revision.sequence == 1
    assert plan.meeting.content_revision == plan.meeting.revision.number == 3
    scene.reconcile()
    assert show(scene.last(BOB)) == (3, 1)
    assert scene.jobs(ADA) == [scene.world.jobs[begun.id]]
    assert scene.list_effects(Purpose.UPDATE, ADA) == [(What.MAKES, 1, 0)]
    assert scene.list_effects(Purpose.INVITATION, ADA) == [(What.NOTHING, 0, 1)]

    scene.end(begun)
    scene.reconcile()
    assert show(scene.last(ADA)) == (3, 1)


def test_a_mail_that_began_and_was_refused_leaves_no_word() -> None:
    scene = Scene()
    begun = scene.begin(scene.last())
    scene.update(summary="Interview")
    scene.end(begun, Kind.DEFERRED)
    scene.reconcile()

    [job] = scene.jobs()
    assert (job.state, job.date, show(job)) == (State.RETRYING, None, (3, 1))
    assert scene.attendee().word.told is Told.NOTHING
    scene.cancel()
    assert [each.state for each in scene.jobs()] == [State.CANCELLED]


def test_a_removal_waits_for_the_mail_in_flight_and_then_corrects_it() -> None:
    scene = Scene(ADA, BOB)
    begun = scene.begin(scene.last(ADA))
    scene.remove(ADA, reason="Too many")
    assert len(scene.jobs(ADA)) == 1
    assert scene.list_effects(Purpose.CANCELLATION) == [(What.MAKES, 1, 0)]
    scene.end(begun)
    scene.reconcile()

    cancellation = scene.last(ADA)
    assert cancellation.meeting is not None
    assert cancellation.meeting.revision.reason == "Too many"
    assert show(cancellation)[1] > show(begun)[1]
    assert show(scene.last(BOB)) == (1, 0)


def test_two_removals_with_mails_in_flight_have_sequences_of_their_own() -> None:
    scene = Scene(ADA, BOB)
    flying = [scene.begin(scene.last(each)) for each in (ADA, BOB)]
    scene.remove(ADA, reason="One")
    scene.remove(BOB, reason="Two")
    for begun in flying:
        scene.end(begun)
    scene.reconcile()

    mails = [scene.last(each).meeting for each in (ADA, BOB)]
    assert [each.revision.reason for each in mails if each] == ["One", "Two"]
    sequences = [each.revision.sequence for each in mails if each]
    assert 0 not in sequences
    assert sequences[0] != sequences[1]


def test_a_removal_after_another_one_never_shares_its_sequence() -> None:
    scene = Scene(ADA, BOB)
    begun = scene.begin(scene.last(ADA))
    scene.remove(ADA, reason="One")
    scene.end(begun)
    flying = scene.begin(scene.last(BOB))
    scene.remove(BOB, reason="Two")
    scene.end(flying)
    scene.reconcile()

    sequences = [show(scene.last(each))[1] for each in (ADA, BOB)]
    assert sequences[0] != sequences[1]


def test_a_cancelled_meeting_corrects_the_mail_that_had_begun() -> None:
    scene = Scene()
    begun = scene.begin(scene.last())
    scene.cancel()
    assert scene.meeting.revision.sequence == 1
    scene.end(begun)
    scene.reconcile()

    assert show(scene.last()) == (3, 1)
    assert scene.last().meeting is not None
    assert scene.last(purpose=Purpose.CANCELLATION).state is State.SCHEDULED


def test_a_mail_that_may_have_left_is_replaced_not_changed() -> None:
    scene = Scene()
    resent = scene.send(scene.last(), Kind.UNCERTAIN)
    assert resent.state is State.RETRYING
    scene.update(start=MOVED)

    stored = scene.world.jobs[resent.id]
    assert (stored.state, stored.meeting) == (State.CANCELLED, resent.meeting)
    assert (scene.last().state, show(scene.last())) == (State.SCHEDULED, (2, 1))


def test_a_mail_that_may_have_left_comes_again_as_it_was_if_its_content_holds() -> None:
    scene = Scene(ADA)
    resent = scene.send(scene.last(), Kind.UNCERTAIN)
    scene.add(BOB)
    scene.update(labels={"team": "sales"})

    assert scene.world.jobs[resent.id] == resent


def test_two_processes_that_plan_at_once_make_one_mail() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview", plans=False)
    first, second = scene.plan(), scene.plan()

    [one], [other] = first.makes, second.makes
    assert one.dedup_key == other.dedup_key
    assert (one.id, scene.world.make_job(one)) != (other.id, scene.world.make_job(other))
    scene.reconcile()
    assert len(scene.jobs(purpose=Purpose.UPDATE)) == 1


def test_processes_that_know_different_versions_of_the_meeting_make_one_mail() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA, BOB)
    scene.update(summary="Interview", plans=False)
    plans = [scene.plan()]
    scene.remove(BOB, plans=False)
    plans.append(scene.plan())
    scene.update(summary="Talk", plans=False)
    plans.append(scene.plan())

    mails = [job for plan in plans for job in plan.makes if job.email == ADA]
    assert [show(job) for job in mails] == [(2, 1), (3, 2), (4, 3)]
    assert [scene.world.make_job(job) for job in mails] == [True, False, False]
    scene.reconcile()
    assert [show(job) for job in scene.jobs(purpose=Purpose.UPDATE)] == [(4, 3)]


def test_a_process_that_planned_before_a_change_does_not_act_on_mails_of_later() -> None:
    scene = Scene()
    planner = Planner(scene.world, rereads=False).run()
    next(planner)
    next(planner)  # it has read the meeting, and not its jobs
    scene.send_all()
    scene.update(start=MOVED)
    update = scene.last()
    for _ in planner:
        assert scene.world.jobs[update.id].state is State.SCHEDULED

    assert scene.last() == update


def test_a_reminder_that_was_dropped_for_a_moment_is_not_cancelled_by_a_slow_process() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    scene.update(reminders=(), plans=False)
    [(seen, cancelled)] = scene.plan().changes
    scene.update(reminders=remind(15))

    assert cancelled.state is State.CANCELLED
    assert not scene.world.change_job(seen, cancelled)
    assert scene.last().state is State.SCHEDULED


def test_an_old_mail_that_a_slow_process_makes_is_stopped_and_then_changed() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview", plans=False)
    [late] = scene.plan().makes
    scene.update(summary="Talk", plans=False)
    assert scene.world.make_job(late)
    claimed = scene.claim(late)

    objection = scene.object_to(claimed)
    assert objection is not None
    assert (objection.reason, objection.is_final) == ("superseded by revision 3", False)
    scene.reconcile()
    [update] = scene.jobs(purpose=Purpose.UPDATE)
    assert (update.state, update.message) == (State.SCHEDULED, "Updated: Talk")


def test_of_two_waiting_mails_to_one_attendee_one_is_kept() -> None:
    scene = Scene()
    [job] = scene.jobs()
    double = replace(job, id="double", dedup_key="another")
    scene.world.make_job(double)
    scene.reconcile()

    assert sorted(each.state for each in scene.jobs()) == [State.CANCELLED, State.SCHEDULED]


def test_cancelling_the_job_of_the_last_waiting_invitation_cancels_the_meeting() -> None:
    scene = Scene(ADA, BOB)
    scene.cancel_job(scene.last(ADA), reason="Wrong person")
    assert scene.attendee(ADA).is_removed
    assert scene.meeting.is_scheduled
    scene.cancel_job(scene.last(BOB), reason="Not now")

    assert scene.meeting.state is MeetingState.CANCELLED
    assert scene.meeting.revision.reason == "Not now"
    assert [each.method for each in scene.meeting.steps] == ["CreateMeeting", *["CancelJob"] * 2]
    assert scene.meeting.changes == 2
    assert len(scene.world.jobs) == 2


def test_cancelling_the_job_of_a_mail_that_may_have_left_cancels_no_meeting() -> None:
    scene = Scene()
    scene.cancel_job(scene.send(scene.last(), Kind.UNCERTAIN))

    assert scene.meeting.is_scheduled
    assert not scene.attendee().is_removed
    scene.cancel()
    assert scene.last().meeting is not None
    assert len(scene.jobs(purpose=Purpose.CANCELLATION)) == 1


def test_an_invitation_that_is_due_later_follows_the_time_of_the_invitations() -> None:
    scene = Scene(invite_time=None)
    later = scene.world.now + timedelta(hours=2)
    scene.update(invite_time=later)
    [job] = scene.jobs()
    assert (job.due_time, job.schedule_time) == (later, later)

    scene.update(summary="Interview")
    assert scene.last().due_time == later
    scene.update(invite_time=scene.world.now)
    assert scene.last().due_time == scene.world.now


def test_a_rescheduled_invitation_keeps_its_time_when_the_text_changes() -> None:
    scene = Scene()
    job = scene.last()
    later = scene.world.now + timedelta(minutes=7)
    moved = job.rescheduled(later, scene.world.now, is_daily=False, expire_time=job.expire_time)
    scene.world.change_job(job, moved)
    scene.update(summary="Interview")

    assert scene.last().due_time == later


def test_an_invitation_of_the_daily_queue_goes_at_once_if_the_meeting_moves_before_the_run() -> (
    None
):
    scene = Scene()
    job = scene.last()
    run = scene.world.now + timedelta(hours=5)
    queued = job.rescheduled(run, scene.world.now, is_daily=True, expire_time=job.expire_time)
    scene.world.change_job(job, queued)
    start = scene.world.now + timedelta(hours=1)
    scene.update(start=start)

    moved = scene.last()
    assert (moved.state, moved.due_time) == (State.SCHEDULED, scene.world.now)
    assert moved.version == queued.version + 1
