"""What each call makes of a meeting, and when it changes nothing."""

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.changes import create_meeting
from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import (
    MAX_STEPS,
    Attendee,
    MailText,
    MeetingState,
    MeetingStep,
    MeetingTexts,
    Reminder,
)
from gcsched.domain.meetings.values import NewMeeting
from gcsched.errors import MeetingCancelled, MeetingOver, UnknownAttendee
from tests.support.builders import a_client
from tests.support.meetings.callers import make_act, make_values
from tests.support.meetings.scene import ADA, BOB, CLEO, MOVED, NOW, START, Scene


def test_a_new_meeting_has_what_was_asked_for() -> None:
    values = make_values(START, texts=MeetingTexts(), labels={"team": "sales"})
    act = make_act("CreateMeeting", NOW + timedelta(milliseconds=300))
    act = replace(act, actor=dataclasses.replace(act.actor, client=a_client("payroll")))
    attendees = (Attendee(email=ADA),)
    new = NewMeeting(
        values=values, attendees=attendees, sender="", request_id="r1", fingerprint="f1"
    )
    meeting = create_meeting(new, act)

    assert len(meeting.id) == 32
    assert meeting.revision.uid == f"{meeting.id}@example.net"
    assert (meeting.revision.number, meeting.revision.sequence) == (1, 0)
    assert (meeting.revision.stamp, meeting.invite_time) == (NOW, NOW)
    assert (meeting.create_time, meeting.check_time) == (act.now, act.now)
    assert (meeting.version, meeting.changes, meeting.content_revision) == (0, 0, 1)
    assert (meeting.client, meeting.request_id, meeting.fingerprint) == ("payroll", "r1", "f1")
    assert meeting.steps == (
        MeetingStep(time=act.now, client="payroll", via="grpc", method="CreateMeeting", revision=1),
    )


def test_two_meetings_have_ids_of_their_own() -> None:
    assert Scene().meeting.id != Scene().meeting.id


def test_a_change_is_counted_and_noted_with_its_caller() -> None:
    scene = Scene()
    seen = scene.meeting
    scene.pass_time(timedelta(minutes=1))
    scene.update(summary="Interview", plans=False)
    meeting = scene.meeting

    assert (meeting.version, meeting.changes) == (seen.version + 1, seen.changes + 1)
    assert etag_of_meeting(meeting) != etag_of_meeting(seen)
    assert meeting.check_time == meeting.update_time == scene.world.now
    assert meeting.steps[-1].method == "UpdateMeeting"
    assert meeting.steps[-1].revision == meeting.revision.number == 2


def test_what_attendees_were_told_does_not_change_the_etag() -> None:
    scene = Scene()
    seen = scene.meeting
    scene.send_all()

    assert scene.meeting.version > seen.version
    assert etag_of_meeting(scene.meeting) == etag_of_meeting(seen)


def test_the_latest_steps_are_kept() -> None:
    scene = Scene()
    for number in range(MAX_STEPS + 3):
        scene.update(summary=f"Interview {number}")

    assert len(scene.meeting.steps) == MAX_STEPS
    assert scene.meeting.steps[0].revision == 5


def test_the_sequence_stays_until_an_attendee_has_or_may_have_something() -> None:
    scene = Scene()
    scene.update(summary="Interview")
    assert scene.meeting.revision.sequence == 0
    scene.send_all()
    scene.update(summary="Talk")
    assert scene.meeting.revision.sequence == 1


def test_a_later_revision_has_a_later_stamp_even_within_a_second() -> None:
    scene = Scene()
    stamps = [scene.meeting.revision.stamp]
    for summary in ("Interview", "Talk"):
        scene.update(summary=summary)
        stamps.append(scene.meeting.revision.stamp)

    assert stamps == [NOW, NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)]


def test_a_revision_for_guests_alone_keeps_the_stamp() -> None:
    scene = Scene(ADA, guests_see_each_other=True)
    scene.pass_time(timedelta(minutes=1))
    scene.add(BOB)

    assert (scene.meeting.revision.number, scene.meeting.revision.stamp) == (2, NOW)
    assert scene.meeting.content_revision == 1
    assert scene.meeting.revision.guests == (Person(email=ADA), Person(email=BOB))


def test_settings_change_without_a_word_to_those_who_know() -> None:
    scene = Scene()
    texts = MeetingTexts(mails={}, variables={"room": "5"})
    reminders = (Reminder(before=timedelta(minutes=5)),)
    assert scene.update(texts=texts, labels={"a": "b"}, reminders=reminders, strict_time=True)

    meeting = scene.meeting
    assert (meeting.texts, meeting.labels, meeting.reminders) == (texts, {"a": "b"}, reminders)
    assert meeting.strict_time
    assert (meeting.revision.number, meeting.changes) == (2, 1)
    assert (meeting.content_revision, meeting.revision.sequence) == (1, 0)
    assert meeting.revision.stamp == NOW
    assert scene.last().variables == {"room": "5"}


def test_new_texts_change_the_mail_that_waits() -> None:
    scene = Scene()
    mails = {Purpose.INVITATION: MailText(template="own", subject="Please come")}
    scene.update(texts=MeetingTexts(mails=mails))

    [job] = scene.jobs()
    assert (job.template, job.message) == ("own", "Please come")


def test_the_guests_are_shown_and_hidden_by_an_update_to_all() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    scene.update(guests_see_each_other=True)
    assert scene.meeting.content_revision == 2
    for email in (ADA, BOB):
        revision = scene.last(email).revision
        assert revision is not None
        assert [each.email for each in revision.guests] == [ADA, BOB]

    scene.update(guests_see_each_other=False)
    revision = scene.last(BOB).revision
    assert revision is not None
    assert revision.guests == ()


def test_the_reason_of_a_removal_is_in_no_other_mail() -> None:
    scene = Scene(ADA, BOB, CLEO, guests_see_each_other=True)
    scene.send_all(ADA)
    scene.remove(ADA, reason="Rude")
    scene.send_all(ADA)
    scene.update(summary="Interview")

    cancellation = scene.jobs(ADA)[-1].revision
    assert cancellation is not None
    assert (cancellation.reason, cancellation.guests) == ("Rude", ())
    for email in (BOB, CLEO):
        revision = scene.last(email).revision
        assert revision is not None
        assert revision.reason == ""
        assert [each.email for each in revision.guests] == [BOB, CLEO]


def test_one_who_is_added_again_is_in_the_old_place_with_new_details() -> None:
    scene = Scene(ADA, BOB)
    scene.send_all(ADA)
    word, thread = scene.attendee(ADA).word, scene.attendee(ADA).thread
    scene.remove(ADA, reason="Rude")
    scene.add("ADA@example.org")

    again, other = scene.meeting.attendees
    assert (again.email, again.invited_count, again.is_removed) == ("ADA@example.org", 2, False)
    assert (again.word, again.thread, again.job_id) == (word, thread, "")
    assert (again.removed_revision, again.removal_reason) == (0, "")
    assert other.email == BOB


def test_equal_calls_change_nothing() -> None:
    scene = Scene(ADA, BOB)
    scene.remove(BOB)
    before = scene.meeting

    assert not scene.remove(BOB.upper())
    assert not scene.add(ADA, tell_others=True)
    assert not scene.update()
    assert scene.meeting == before
    scene.cancel()
    assert not scene.cancel(reason="Again")


def test_an_unknown_attendee_is_named_by_its_place_and_nothing_is_changed() -> None:
    scene = Scene(ADA, BOB)
    before = scene.meeting
    with pytest.raises(UnknownAttendee) as caught:
        scene.remove(ADA, "eve@example.org")

    assert caught.value.metadata == {"meeting_id": before.id, "fields": "emails[1]"}
    assert scene.meeting == before


CHANGES: list[Callable[[Scene], object]] = [
    lambda scene: scene.update(summary="Interview"),
    lambda scene: scene.add(BOB),
    lambda scene: scene.remove(ADA),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_cancelled_meeting_does_not_change(change: Callable[[Scene], object]) -> None:
    scene = Scene()
    scene.cancel()
    assert scene.meeting.state is MeetingState.CANCELLED

    with pytest.raises(MeetingCancelled):
        change(scene)


@pytest.mark.parametrize("change", [*CHANGES, Scene.cancel])
def test_a_meeting_that_is_over_does_not_change(change: Callable[[Scene], object]) -> None:
    scene = Scene()
    scene.world.now = START + timedelta(minutes=45)

    with pytest.raises(MeetingOver):
        change(scene)


def test_a_cancelled_meeting_that_is_over_can_be_cancelled_again() -> None:
    scene = Scene()
    scene.cancel()
    scene.world.now = START + timedelta(hours=3)

    assert not scene.cancel()


def test_after_the_start_a_meeting_can_be_cancelled_or_moved_ahead_only() -> None:
    scene = Scene(ADA, BOB)
    scene.world.now = START + timedelta(minutes=5)
    for change in CHANGES[:2]:
        with pytest.raises(MeetingOver):
            change(scene)

    assert scene.remove(BOB)
    assert scene.update(start=MOVED)
    scene.world.now = MOVED + timedelta(minutes=5)
    assert scene.cancel()


def test_the_time_of_the_invitations_changes_without_a_word_to_those_who_know() -> None:
    scene = Scene(ADA)
    assert not scene.update(invite_time=None)
    later = NOW + timedelta(hours=1)
    assert scene.update(invite_time=later)

    meeting = scene.meeting
    assert (meeting.invite_time, meeting.invite_revision) == (later, 2)
    assert (meeting.content_revision, meeting.revision.sequence) == (1, 0)
    scene.update(invite_time=None)
    assert scene.meeting.invite_time == NOW
