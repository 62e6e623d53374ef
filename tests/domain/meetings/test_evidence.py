"""What jobs prove, and when a meeting is looked at again."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.calendar_file import Method
from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.evidence import fold_jobs, may_have_left, merge_words, read_word
from gcsched.domain.meetings.meeting import Told, Word
from gcsched.domain.smtp_reply import Kind
from tests.support.builders import a_revision, an_attempt
from tests.support.invitations import an_invitation_job
from tests.support.meetings.scene import ADA, NOW, START, Scene


def a_mail(purpose: Purpose = Purpose.INVITATION, **job: Any) -> Job:
    mail = MeetingMail(revision=a_revision(number=3, sequence=2), purpose=purpose)
    return an_invitation_job(job={"meeting": mail, **job})


@pytest.mark.parametrize(
    ("job", "left"),
    [
        ({"state": State.SCHEDULED}, False),
        ({"state": State.SENDING, "claim": "c"}, False),
        ({"state": State.SENDING, "claim": "c", "begun": NOW}, True),
        ({"state": State.UNCERTAIN}, True),
        ({"state": State.SENT}, True),
        ({"state": State.FAILED, "date": NOW}, False),
        ({"state": State.RETRYING, "attempts": (an_attempt(kind=Kind.UNCERTAIN),)}, True),
        ({"state": State.CANCELLED, "attempts": (an_attempt(kind=Kind.UNCERTAIN),)}, True),
        ({"state": State.RETRYING, "attempts": (an_attempt(kind=Kind.DEFERRED),)}, False),
    ],
)
def test_a_mail_may_have_left_unless_each_body_was_refused(
    job: dict[str, Any], *, left: bool
) -> None:
    mail = a_mail(**job)

    assert may_have_left(mail) is left
    assert (read_word(mail).told is not Told.NOTHING) is left


def test_a_word_has_what_the_mail_showed() -> None:
    sure = Word(told=Told.SURE, method=Method.REQUEST, sequence=2, revision=3)
    assert read_word(a_mail(Purpose.UPDATE, state=State.SENT)) == sure
    cancelled = read_word(a_mail(Purpose.CANCELLATION, state=State.UNCERTAIN))
    assert (cancelled.method, cancelled.told) == (Method.CANCEL, Told.MAYBE)
    assert read_word(a_mail(Purpose.REMINDER, state=State.SENT)) == Word()
    assert read_word(an_invitation_job(job={"meeting": None})) == Word()


def test_the_later_word_counts_and_the_surer_one_of_two_equals() -> None:
    old = Word(told=Told.SURE, sequence=1, revision=2)
    new = Word(told=Told.MAYBE, sequence=2, revision=3)
    surer = replace(new, told=Told.SURE)

    assert merge_words(old, new) == merge_words(new, old) == new
    assert merge_words(new, surer) == merge_words(surer, new) == surer
    assert merge_words(old, Word()) == merge_words(Word(), old) == old


def test_a_body_that_has_begun_proves_nothing_yet() -> None:
    scene = Scene()
    scene.begin(scene.last())
    noted = fold_jobs(scene.meeting, scene.jobs())

    assert noted.attendees[0].word == Word()
    assert noted.attendees[0].delivery is State.SENDING


def test_an_attendee_shows_the_latest_mail_and_how_it_ended() -> None:
    scene = Scene()
    first = scene.send(scene.last())
    attendee = scene.attendee()
    assert (attendee.job_id, attendee.delivery, attendee.mail_revision) == (first.id, "SENT", 1)
    assert attendee.thread == first.message_id
    assert attendee.word == Word(told=Told.SURE, sequence=0, revision=1)

    scene.update(summary="Interview")
    refused = scene.send(scene.last(), Kind.RECIPIENT)
    attendee = scene.attendee()
    assert (attendee.job_id, attendee.delivery) == (refused.id, State.FAILED)
    assert (attendee.delivery_reason, attendee.mail_revision) == ("RECIPIENT", 2)
    assert attendee.thread == first.message_id


def test_what_is_known_is_the_same_value() -> None:
    scene = Scene()
    scene.send_all()

    assert fold_jobs(scene.meeting, scene.jobs()) is scene.meeting
    assert fold_jobs(scene.meeting, ()) is scene.meeting


def test_a_deleted_job_leaves_its_word() -> None:
    scene = Scene()
    scene.send_all()
    scene.world.jobs.clear()
    scene.cancel()

    assert scene.last().meeting is not None
    assert [job.meeting.purpose for job in scene.jobs() if job.meeting] == [Purpose.CANCELLATION]


def test_a_deleted_mail_that_failed_is_not_forgotten_because_of_an_older_one() -> None:
    scene = Scene()
    held = scene.send(scene.last())
    scene.update(summary="Interview")
    refused = scene.send(scene.last(), Kind.RECIPIENT)
    del scene.world.jobs[refused.id]
    scene.reconcile()

    assert [job.id for job in scene.jobs()] == [held.id]
    assert scene.attendee().job_id == refused.id


def test_a_job_that_was_deleted_before_it_was_noted_may_have_been_sent() -> None:
    scene = Scene(ADA, "bob@example.org")
    assert scene.attendee().delivery is State.SCHEDULED
    scene.world.jobs.clear()
    scene.reconcile()
    assert scene.jobs() == []
    assert scene.attendee().word == Word(told=Told.MAYBE, sequence=0, revision=1)

    scene.remove(ADA)
    assert len(scene.jobs()) == 1
    scene.world.jobs.clear()
    scene.reconcile()
    assert scene.attendee().word.method is Method.CANCEL
    assert scene.jobs() == []


def test_a_mail_that_failed_is_not_made_again_after_its_job_was_deleted() -> None:
    scene = Scene()
    scene.send_all()
    scene.update(summary="Interview")
    scene.send(scene.last(), Kind.RECIPIENT)
    scene.world.jobs.clear()
    scene.reconcile()

    assert scene.jobs() == []


def test_a_meeting_is_looked_at_a_minute_after_its_first_mail_is_due() -> None:
    later = NOW + timedelta(hours=3)
    scene = Scene(ADA, "bob@example.org", invite_time=later)
    assert scene.meeting.check_time == later + timedelta(minutes=1)
    scene.reconcile()
    assert scene.meeting.version == 1  # looking again changes nothing


def test_a_late_mail_is_looked_at_less_and_less_often() -> None:
    scene = Scene()
    scene.world.now = NOW + timedelta(minutes=1)
    scene.reconcile()
    assert scene.meeting.check_time == scene.world.now + timedelta(minutes=1)
    scene.world.now = NOW + timedelta(hours=10)
    scene.reconcile()
    assert scene.meeting.check_time == scene.world.now + timedelta(hours=5)


def test_nothing_is_looked_at_once_all_is_told() -> None:
    scene = Scene()
    scene.send_all()
    assert scene.meeting.check_time is None

    scene.update(summary="Interview", plans=False)
    assert scene.meeting.check_time == scene.world.now
    scene.world.now = START + timedelta(hours=2)
    scene.reconcile()
    assert scene.meeting.check_time is None
