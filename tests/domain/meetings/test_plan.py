"""Who gets what for each change: the table of docs/meetings.md, on a meeting without any I/O."""

from datetime import timedelta

from gcsched.domain.job import Priority, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.effects import What
from gcsched.domain.meetings.meeting import Told
from gcsched.domain.smtp_reply import Kind
from tests.support.meetings.scene import ADA, BOB, MOVED, NOW, START, Scene, show


def test_a_new_meeting_invites_each_attendee_at_once() -> None:
    scene = Scene(ADA, BOB)

    for email in (ADA, BOB):
        [job] = scene.jobs(email)
        assert job.meeting is not None
        assert job.meeting.purpose is Purpose.INVITATION
        assert (job.state, job.due_time, job.expire_time) == (State.SCHEDULED, NOW, START)
        assert job.message == "Review"
        assert show(job) == (1, 0)
    assert scene.list_effects(Purpose.INVITATION) == [(What.MAKES, 1, 0)]


def test_an_invitation_that_waits_shows_the_change_and_no_second_mail_is_made() -> None:
    scene = Scene()
    before = scene.last()
    scene.update(summary="Interview", start=MOVED)

    [job] = scene.jobs()
    assert (job.id, job.dedup_key, job.due_time) == (before.id, before.dedup_key, before.due_time)
    assert job.message == "Interview"
    assert job.revision is not None
    assert (job.revision.start, job.expire_time) == (MOVED, MOVED)
    assert show(job) == (2, 0)
    assert scene.list_effects(Purpose.INVITATION) == [(What.CHANGES, 1, 0)]


def test_who_has_an_invitation_gets_an_update_with_a_higher_sequence() -> None:
    scene = Scene()
    invitation = scene.send(scene.last())
    scene.update(start=MOVED)

    update = scene.last()
    assert update.meeting is not None
    assert update.meeting.purpose is Purpose.UPDATE
    assert show(update) == (2, 1)
    assert update.due_time == scene.world.now + timedelta(seconds=10)
    assert update.message == "Updated: Review"
    assert update.meeting.references == invitation.message_id
    assert update.meeting.earlier is not None
    assert update.meeting.earlier.start == START
    assert scene.list_effects(Purpose.UPDATE) == [(What.MAKES, 1, 0)]


def test_a_second_change_before_the_update_left_is_still_one_mail() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview")
    scene.pass_time(timedelta(seconds=5))
    scene.update(summary="Talk")

    [update] = scene.jobs(purpose=Purpose.UPDATE)
    assert update.meeting is not None
    assert update.message == "Updated: Talk"
    assert update.due_time == scene.world.now + timedelta(seconds=10)
    assert update.meeting.earlier is not None
    assert update.meeting.earlier.summary == "Review"


def test_an_update_that_would_settle_after_the_start_goes_at_once() -> None:
    scene = Scene()
    scene.send_all()
    scene.world.now = NOW + timedelta(hours=1)
    scene.update(start=scene.world.now + timedelta(seconds=8))

    update = scene.last()
    assert (update.due_time, update.priority) == (scene.world.now, Priority.URGENT)


def test_a_cancelled_meeting_takes_back_what_waits_and_tells_those_who_know() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.cancel(reason="No time")

    [waiting] = scene.jobs(BOB)
    assert (waiting.state, waiting.reason) == (State.CANCELLED, "the meeting was cancelled")
    cancellation = scene.last(ADA)
    assert cancellation.meeting is not None
    assert cancellation.meeting.purpose is Purpose.CANCELLATION
    assert not cancellation.meeting.is_removal
    assert cancellation.meeting.revision.reason == "No time"
    assert cancellation.message == "Cancelled: Review"
    assert show(cancellation) == (2, 1)
    assert cancellation.expire_time == START + timedelta(minutes=45)
    assert scene.list_effects(Purpose.CANCELLATION, ADA) == [(What.MAKES, 1, 0)]
    assert scene.list_effects(Purpose.INVITATION, BOB) == [(What.CANCELS, 1, 0)]


def test_a_waiting_update_is_cancelled_with_the_meeting() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview")
    scene.cancel()

    [update] = scene.jobs(purpose=Purpose.UPDATE)
    [cancellation] = scene.jobs(purpose=Purpose.CANCELLATION)
    assert (update.state, cancellation.state) == (State.CANCELLED, State.SCHEDULED)


def test_a_removed_attendee_is_told_alone_and_reads_nothing_that_came_later() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA, BOB)
    scene.remove(ADA, reason="The room is small", plans=False)
    scene.update(url="https://meet.example.net/secret")

    cancellation = scene.last(ADA)
    assert cancellation.meeting is not None
    assert cancellation.meeting.is_removal
    assert cancellation.meeting.revision.reason == "The room is small"
    assert cancellation.meeting.revision.url == "https://meet.example.net/1"
    update = scene.last(BOB)
    assert update.meeting is not None
    assert update.meeting.revision.reason == ""
    assert update.meeting.revision.url == "https://meet.example.net/secret"


def test_a_removed_attendee_who_surely_has_nothing_gets_nothing() -> None:
    scene = Scene(ADA, BOB)
    scene.remove(ADA)

    [job] = scene.jobs(ADA)
    assert (job.state, job.reason) == (State.CANCELLED, "the attendee was removed")
    assert scene.meeting.revision.sequence == 0
    assert scene.last(BOB).version == 0


def test_a_cancellation_is_of_use_until_what_the_attendee_has_is_over() -> None:
    scene = Scene(ADA, BOB, start=MOVED)
    scene.send_all(ADA, BOB)
    scene.update(start=START)  # ADA never hears of it
    scene.remove(ADA, plans=False)
    scene.update(start=MOVED + timedelta(days=1), plans=False)
    scene.world.now = START + timedelta(hours=2)
    scene.reconcile()

    cancellation = scene.last(ADA)
    assert cancellation.meeting is not None
    assert cancellation.meeting.purpose is Purpose.CANCELLATION
    assert cancellation.expire_time == MOVED + timedelta(minutes=45)


def test_others_get_no_mail_for_an_addition_unless_the_caller_says_so() -> None:
    scene = Scene(ADA)
    scene.send_all(ADA)
    scene.add(BOB)
    assert [job.state for job in scene.jobs(ADA)] == [State.SENT]
    assert show(scene.last(BOB)) == (2, 0)

    scene.add("cleo@example.org", tell_others=True)
    assert scene.last(ADA).message == "Updated: Review"
    assert show(scene.last(ADA)) == (3, 1)


def test_one_who_was_removed_and_told_is_invited_again_with_a_higher_sequence() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.remove(ADA)
    cancellation = scene.send(scene.last(ADA))
    scene.add(ADA)

    invitation = scene.last(ADA)
    assert invitation.meeting is not None
    assert invitation.meeting.purpose is Purpose.INVITATION
    assert invitation.meeting.invited_count == 2
    assert show(invitation)[1] > show(cancellation)[1]
    assert scene.jobs(BOB)[0].version == 0


def test_one_who_was_removed_and_not_told_yet_keeps_the_invitation() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.remove(ADA)
    scene.add(ADA)

    assert [job.state for job in scene.jobs(ADA)] == [State.SENT, State.CANCELLED]


def test_one_who_may_have_an_invitation_is_invited_anew_when_added_again() -> None:
    scene = Scene(ADA, BOB)
    scene.send(scene.last(ADA), Kind.UNCERTAIN)
    scene.remove(ADA)
    scene.add(ADA)

    invitation = scene.last(ADA)
    assert invitation.meeting is not None
    assert (invitation.meeting.purpose, invitation.state) == (Purpose.INVITATION, State.SCHEDULED)


def test_equal_content_again_makes_nothing() -> None:
    scene = Scene()
    scene.send_all()
    before = dict(scene.world.jobs)

    assert not scene.update(summary="Review", start=START)
    assert not scene.add(ADA.upper())
    scene.reconcile()
    assert scene.world.jobs == before


def test_a_refused_invitation_is_not_tried_anew_until_the_attendee_is_added_again() -> None:
    scene = Scene(ADA, BOB)
    scene.send(scene.last(ADA), Kind.RECIPIENT)
    scene.update(summary="Interview")
    assert [job.state for job in scene.jobs(ADA)] == [State.FAILED]

    scene.remove(ADA)
    assert [job.state for job in scene.jobs(ADA)] == [State.FAILED]
    scene.add(ADA)
    assert [job.state for job in scene.jobs(ADA)] == [State.FAILED, State.SCHEDULED]


def test_an_expired_invitation_is_made_again_when_the_meeting_changes() -> None:
    scene = Scene()
    scene.end_otherwise(scene.last(), State.EXPIRED)
    assert len(scene.jobs()) == 1

    scene.update(start=MOVED)
    assert [job.state for job in scene.jobs()] == [State.EXPIRED, State.SCHEDULED]
    assert show(scene.last()) == (2, 0)


def test_a_suppressed_update_is_made_again_by_the_next_change_only() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview")
    scene.end_otherwise(scene.last(), State.SUPPRESSED)
    scene.reconcile()
    assert len(scene.jobs()) == 2

    scene.update(summary="Talk")
    assert scene.last().state is State.SCHEDULED


def test_a_mail_that_a_caller_cancelled_is_not_made_again() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview")
    scene.cancel_job(scene.last())
    scene.reconcile()
    assert [job.state for job in scene.jobs()] == [State.SENT, State.CANCELLED]

    scene.update(summary="Talk")
    assert scene.last().state is State.SCHEDULED


def test_nothing_is_planned_about_a_meeting_that_is_over() -> None:
    scene = Scene()
    scene.send_all()
    scene.cancel(plans=False)
    scene.world.now = START + timedelta(hours=1)
    scene.reconcile()

    assert len(scene.jobs()) == 1
    assert scene.meeting.check_time is None


def test_what_waits_for_a_later_time_ends_with_a_meeting_that_was_moved_to_an_earlier_one() -> None:
    scene = Scene(invite_time=NOW + timedelta(minutes=5))
    scene.update(start=NOW + timedelta(minutes=10), plans=False)
    scene.world.now = NOW + timedelta(hours=2)
    scene.reconcile()

    [job] = scene.jobs()
    assert (job.state, job.reason) == (State.CANCELLED, "the meeting is over")


def test_after_the_start_no_invitation_is_made() -> None:
    scene = Scene()
    scene.add(BOB, plans=False)
    scene.world.now = START
    scene.reconcile()

    assert scene.jobs(BOB) == []
    assert scene.attendee(BOB).word.told is Told.NOTHING


def test_within_an_hour_of_the_start_mails_are_urgent() -> None:
    near = Scene(start=NOW + timedelta(hours=1))
    far = Scene(start=NOW + timedelta(hours=1, minutes=1))

    assert (near.last().priority, far.last().priority) == (Priority.URGENT, Priority.NORMAL)
