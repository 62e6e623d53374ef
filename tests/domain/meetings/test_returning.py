"""Attendees who come and go while mails are on their way, and attendees who were forgotten."""

from msgspec.structs import replace

from gcsched.domain.job import State
from gcsched.domain.job_steps import add_step
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.effects import What
from gcsched.domain.meetings.meeting import Attendee
from gcsched.domain.smtp_reply import Kind
from tests.support.meetings.scene import ADA, BOB, Scene, show


def test_a_cancellation_in_flight_is_corrected_by_a_higher_invitation_to_that_attendee_alone() -> (
    None
):
    scene = Scene(ADA, BOB)
    scene.send_all(ADA, BOB)
    scene.remove(ADA)
    begun = scene.begin(scene.last(ADA))
    scene.add(ADA)
    assert show(begun) == (2, 1)
    assert scene.meeting.revision.sequence == 2
    assert scene.meeting.content_revision == 1
    assert scene.list_effects(Purpose.INVITATION) == [(What.MAKES, 1, 0)]
    scene.end(begun)
    scene.reconcile()

    assert show(scene.last(ADA)) == (4, 2)
    assert [job.state for job in scene.jobs(BOB)] == [State.SENT]


def test_a_cancellation_in_flight_that_is_refused_leaves_the_invitation_as_it_is() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.remove(ADA)
    begun = scene.begin(scene.last(ADA))
    scene.add(ADA)
    scene.end(begun, Kind.RECIPIENT)
    scene.reconcile()

    assert [job.state for job in scene.jobs(ADA)] == [State.SENT, State.FAILED]


def test_a_cancellation_that_may_have_arrived_is_told_again_when_the_meeting_is_cancelled() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.remove(ADA)
    scene.send(scene.last(ADA), Kind.UNCERTAIN)
    scene.add(ADA)
    invitation = scene.last(ADA)
    scene.cancel()

    assert scene.world.jobs[invitation.id].state is State.CANCELLED
    cancellation = scene.last(ADA)
    assert cancellation.meeting is not None
    assert cancellation.meeting.purpose is Purpose.CANCELLATION
    assert cancellation.state is State.SCHEDULED


def test_cancelling_the_job_of_a_second_invitation_removes_the_attendee_again() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.remove(ADA)
    scene.send(scene.last(ADA))
    scene.add(ADA)
    scene.cancel_job(scene.last(ADA))

    assert scene.attendee(ADA).is_removed
    assert scene.meeting.is_scheduled
    assert len(scene.jobs(ADA)) == 3


def test_an_invitation_that_a_slow_process_made_after_it_was_cancelled_is_taken_back() -> None:
    scene = Scene(ADA, BOB)
    job = scene.last(ADA)
    changed = job.cancelled(scene.world.now, reason="")
    actor = scene.make_act("CancelJob").actor
    assert scene.world.change_job(job, add_step(job, changed, actor))  # and its process dies
    late = replace(job, id="late")
    assert scene.world.make_job(late)
    scene.send(late)

    assert scene.attendee(ADA).is_removed
    cancellation = scene.last(ADA)
    assert cancellation.meeting is not None
    assert cancellation.meeting.purpose is Purpose.CANCELLATION
    assert show(cancellation)[1] > 0


def test_a_forgotten_attendee_is_left_alone() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA, BOB)
    forgotten = Attendee(email="", word=scene.attendee(ADA).word)
    meeting = replace(scene.meeting, attendees=(forgotten, scene.attendee(BOB)))
    scene.world.put_meeting(meeting)
    for job in scene.jobs(ADA):
        scene.world.jobs[job.id] = replace(job, email="")
    scene.update(summary="Interview", guests_see_each_other=True)
    scene.add(ADA)
    scene.remove(BOB)

    assert [job.state for job in scene.jobs("")] == [State.SENT]
    assert [job.state for job in scene.jobs(ADA)] == [State.SCHEDULED]
    assert [each.email for each in scene.meeting.attendees] == ["", BOB, ADA]
    assert [each.email for each in scene.meeting.revision.guests] == [ADA]
