"""Reminders: made once the attendee knows of the meeting, and never for an old time."""

from datetime import timedelta

from gcsched.domain.job import Priority, State
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.effects import What
from gcsched.domain.meetings.meeting import MailText, MeetingTexts, Reminder
from gcsched.domain.smtp_reply import Kind
from tests.support.meetings.scene import ADA, BOB, MOVED, NOW, START, Scene, remind

REMINDER = Purpose.REMINDER


def waiting(scene: Scene, email: str = ADA) -> list[timedelta]:
    """Return how long before the start of the meeting the waiting reminders are due."""
    jobs = [job for job in scene.jobs(email, REMINDER) if job.state is State.SCHEDULED]
    return sorted(scene.meeting.revision.start - job.due_time for job in jobs)


def minutes(*each: int) -> list[timedelta]:
    return [timedelta(minutes=minute) for minute in each]


def test_reminders_are_made_once_the_invitation_was_sent_or_may_have_been() -> None:
    scene = Scene(ADA, BOB, reminders=remind(15, 60))
    assert waiting(scene) == []
    scene.send_all(ADA)
    assert waiting(scene) == minutes(15, 60)
    scene.send(scene.last(BOB), Kind.UNCERTAIN)
    assert waiting(scene, BOB) == minutes(15, 60)


def test_a_reminder_is_a_mail_of_its_own() -> None:
    scene = Scene(reminders=remind(15))
    invitation = scene.send(scene.last())
    [job] = scene.jobs(ADA, REMINDER)

    assert job.meeting is not None
    assert (job.message, job.template) == ("Reminder: Review", "reminder")
    assert (job.due_time, job.expire_time) == (START - timedelta(minutes=15), START)
    assert job.meeting.references == invitation.message_id
    assert job.priority is Priority.URGENT


def test_a_reminder_may_have_a_template_of_its_own() -> None:
    texts = MeetingTexts(mails={REMINDER: MailText(template="plain", subject="Soon")})
    own = Reminder(before=timedelta(minutes=5), template="shout")
    scene = Scene(reminders=(own, *remind(15)), texts=texts)
    scene.send_all()

    templates = {job.due_time: job.template for job in scene.jobs(ADA, REMINDER)}
    assert [templates[each] for each in sorted(templates)] == ["plain", "shout"]
    assert {job.message for job in scene.jobs(ADA, REMINDER)} == {"Soon"}


def test_a_time_that_is_past_is_not_made_up_for() -> None:
    scene = Scene(start=NOW + timedelta(minutes=40), reminders=remind(15, 40, 60))
    scene.send_all()

    assert waiting(scene) == minutes(15)


def test_a_move_cancels_the_reminders_and_makes_new_ones() -> None:
    scene = Scene(reminders=remind(15, 60))
    scene.send_all()
    scene.update(start=MOVED)

    states = [job.state for job in scene.jobs(ADA, REMINDER)]
    assert states == [State.CANCELLED, State.CANCELLED, State.SCHEDULED, State.SCHEDULED]
    assert waiting(scene) == minutes(15, 60)
    assert scene.told(REMINDER) == [(What.MAKES, 2, 0), (What.CANCELS, 2, 0)]


def test_a_move_back_makes_the_first_reminders_again() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    scene.update(start=MOVED)
    scene.update(start=START)

    assert waiting(scene) == minutes(15)


def test_new_words_change_the_reminders_that_wait() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    before = scene.last(ADA, REMINDER)
    scene.update(summary="Interview")

    [after] = scene.jobs(ADA, REMINDER)
    assert (after.id, after.due_time) == (before.id, before.due_time)
    assert after.message == "Reminder: Interview"


def test_a_reminder_that_is_dropped_is_cancelled_and_a_new_one_is_made() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    scene.update(reminders=remind(30))

    assert waiting(scene) == minutes(30)
    assert scene.jobs(ADA, REMINDER)[0].state is State.CANCELLED


def test_reminders_end_with_the_meeting_and_for_one_who_is_removed() -> None:
    scene = Scene(ADA, BOB, reminders=remind(15))
    scene.send_all(ADA, BOB)
    scene.remove(ADA)
    assert (waiting(scene, ADA), waiting(scene, BOB)) == ([], minutes(15))
    scene.cancel()
    assert waiting(scene, BOB) == []
    assert scene.last(BOB, REMINDER).reason == "the meeting was cancelled"


def test_one_who_is_added_again_is_reminded_after_the_new_invitation() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    scene.remove(ADA)
    scene.send(scene.last(ADA, Purpose.CANCELLATION))
    scene.add(ADA)
    assert waiting(scene) == []
    scene.send(scene.last(ADA, Purpose.INVITATION))
    assert waiting(scene) == minutes(15)


def test_a_reminder_that_a_caller_cancelled_is_not_made_again() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    scene.cancel_job(scene.last(ADA, REMINDER))
    scene.reconcile()

    assert len(scene.jobs(ADA, REMINDER)) == 1


def test_a_reminder_that_was_sent_is_not_made_again() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    scene.send(scene.last(ADA, REMINDER))
    scene.reconcile()

    assert len(scene.jobs(ADA, REMINDER)) == 1


def test_a_move_counts_the_reminders_that_have_begun() -> None:
    scene = Scene(reminders=remind(15, 30))
    scene.send_all()
    first = min(scene.jobs(ADA, REMINDER), key=lambda job: job.due_time)
    scene.begin(first)
    scene.update(start=MOVED)

    assert scene.told(REMINDER) == [(What.MAKES, 2, 1), (What.CANCELS, 1, 0)]


def test_a_reminder_that_may_have_left_comes_again_unless_the_words_changed() -> None:
    scene = Scene(reminders=remind(15))
    scene.send_all()
    resent = scene.send(scene.last(ADA, REMINDER), Kind.UNCERTAIN)
    scene.update(labels={"team": "sales"})
    assert scene.world.jobs[resent.id] == resent

    scene.update(summary="Interview")
    assert scene.world.jobs[resent.id].state is State.CANCELLED
    assert len(scene.jobs(ADA, REMINDER)) == 1
