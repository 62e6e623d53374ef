"""Which claimed mails may still be sent, and which jobs may be retried."""

from msgspec.structs import replace

from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.claims import find_supersession
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import a_job
from tests.support.meetings.scene import ADA, BOB, MOVED, START, Scene, remind


def objection(scene: Scene, job: Job) -> tuple[str, bool] | None:
    found = scene.object_to(job)
    return None if found is None else (found.reason, found.is_final)


def test_a_mail_that_shows_the_present_may_go() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()

    assert [objection(scene, job) for job in scene.jobs()] == [None, None]
    assert objection(scene, a_job()) is None


def test_a_mail_with_older_content_waits() -> None:
    scene = Scene()
    job = scene.last()
    scene.update(summary="Interview")

    assert objection(scene, job) == ("superseded by revision 2", False)


def test_content_that_still_holds_may_go_with_an_older_revision() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(BOB)
    job = scene.last(ADA)
    scene.remove(BOB)

    assert scene.meeting.revision.number == 2
    assert objection(scene, job) is None


def test_mails_of_a_cancelled_meeting_end() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    invitation, reminder = scene.jobs()
    scene.cancel()

    ended = ("the meeting was cancelled", True)
    assert [objection(scene, job) for job in (invitation, reminder)] == [ended, ended]
    assert objection(scene, scene.last(ADA, Purpose.CANCELLATION)) is None


def test_mails_to_one_who_was_removed_end() -> None:
    scene = Scene(ADA, BOB, reminders=remind(15))
    scene.send_all(ADA)
    jobs = scene.jobs(ADA)
    scene.remove(ADA)

    ended = ("the attendee was removed", True)
    assert [objection(scene, job) for job in jobs] == [ended, ended]
    assert objection(scene, scene.last(ADA)) is None
    assert objection(scene, replace(jobs[0], email="eve@example.org")) == ended


def test_a_cancellation_ends_once_its_attendee_is_invited_again() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.remove(ADA)
    cancellation = scene.last(ADA)
    scene.add(ADA)
    ended = ("the meeting takes place, with the attendee", True)
    assert objection(scene, cancellation) == ended

    scene.remove(ADA)
    assert objection(scene, cancellation) == ended
    assert objection(scene, scene.last(ADA)) is None


def test_a_cancellation_that_a_slow_process_made_ends_where_the_meeting_takes_place() -> None:
    scene = Scene()
    scene.send_all()
    scene.cancel()
    cancellation, scene = scene.last(), Scene()

    assert objection(scene, cancellation) == ("the meeting takes place, with the attendee", True)


def test_a_cancellation_with_too_low_a_sequence_waits() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.remove(ADA)
    cancellation, attendee = scene.last(ADA), scene.attendee(ADA)
    raised = replace(attendee, removed_revision=attendee.removed_revision + 1)
    attendees = tuple(raised if each == attendee else each for each in scene.meeting.attendees)
    scene.world.put_meeting(replace(scene.meeting, attendees=attendees))

    assert objection(scene, cancellation) == ("superseded by revision 3", False)


def test_an_invitation_of_before_the_removal_ends() -> None:
    scene = Scene(ADA, BOB)
    first = scene.last(ADA)
    scene.remove(ADA)
    scene.add(ADA)

    assert objection(scene, first) == ("superseded by revision 1", True)
    assert objection(scene, scene.last(ADA)) is None


def test_a_reminder_of_another_start_or_one_that_was_dropped_ends() -> None:
    scene = Scene(reminders=remind(15, 30))
    scene.send_all()
    first, second = scene.jobs(ADA, Purpose.REMINDER)
    scene.update(start=MOVED, plans=False)
    ended = ("superseded by revision 2", True)
    assert [objection(scene, job) for job in (first, second)] == [ended, ended]

    scene.update(start=START, reminders=remind(30), plans=False)
    assert objection(scene, first) == ("superseded by revision 3", True)
    assert objection(scene, second) == ("superseded by revision 3", False)  # its words are old


def test_a_mail_that_was_refused_may_be_retried_with_new_words() -> None:
    scene = Scene()
    refused = scene.send(scene.last(), Kind.RECIPIENT)
    assert find_supersession(refused, scene.meeting) == ""
    scene.update(summary="Interview")

    assert find_supersession(refused, scene.meeting) == ""


def test_a_mail_that_a_later_word_corrects_may_not_be_retried() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview")
    refused = scene.send(scene.last(), Kind.RECIPIENT)
    assert find_supersession(refused, scene.meeting) == ""
    scene.update(summary="Talk")
    scene.send_all()

    assert find_supersession(refused, scene.meeting) == "superseded by revision 3"


def test_a_mail_that_may_have_left_is_not_retried_with_new_words() -> None:
    scene = Scene()
    held = replace(scene.send(scene.last(), Kind.UNCERTAIN), state=State.UNCERTAIN)
    assert find_supersession(held, scene.meeting) == ""
    scene.update(summary="Interview")

    assert find_supersession(held, scene.meeting) == "superseded by revision 2"


def test_a_mail_of_a_cancelled_meeting_may_not_be_retried() -> None:
    scene = Scene()
    refused = scene.send(scene.last(), Kind.RECIPIENT)
    scene.cancel()

    assert find_supersession(refused, scene.meeting) == "the meeting was cancelled"
