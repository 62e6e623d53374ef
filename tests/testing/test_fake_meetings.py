"""The fake keeps meetings: it answers as a service does whose mails leave when they are due."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gcsched.client import (
    Aborted,
    AlreadyExists,
    Attendee,
    Client,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    Meeting,
    MeetingOrder,
    NotFound,
    Reminder,
    Role,
    Unavailable,
)
from gcsched.pb import task_pb2
from gcsched.testing import FakeScheduler

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ADA, BOB = Attendee(email="ada@example.org", name="Ada"), Attendee(email="bob@example.org")
REVIEW: dict[str, Any] = {
    "summary": "Review",
    "start": "2030-01-05T09:00",
    "duration": timedelta(minutes=30),
    "time_zone": "Europe/Berlin",
    "attendees": [ADA],
}


class Clock:
    """The time of the fake, which the test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(clock: Clock) -> Any:
    with FakeScheduler(now=clock) as fake:
        yield fake


def list_effects(meeting: Meeting) -> list[tuple[str, str, str]]:
    return [(each.email.partition("@")[0], each.what, each.purpose) for each in meeting.effects]


def list_told(meeting: Meeting) -> list[tuple[str, str, int, str]]:
    return [
        (each.email.partition("@")[0], each.told, each.told_sequence, each.delivery)
        for each in meeting.attendees
    ]


def test_a_meeting_is_created_moved_and_cancelled(
    fake: FakeScheduler, client: Client, clock: Clock
) -> None:
    made = client.create_meeting(**REVIEW)
    assert (made.state, made.sequence, made.end) == ("SCHEDULED", 0, "2030-01-05T09:30")
    assert list_effects(made) == [("ada", "MAKES", "INVITATION")]
    assert list_told(client.get_meeting(made.meeting_id)) == [("ada", "SURE", 0, "SENT")]

    moved = client.update_meeting(made.meeting_id, start="2030-01-05T10:00")
    assert (moved.sequence, moved.end, moved.uid) == (1, "2030-01-05T10:30", made.uid)
    assert list_effects(moved) == [("ada", "MAKES", "UPDATE")]
    again = client.update_meeting(made.meeting_id, location="Room 5")
    assert list_effects(again) == [("ada", "CHANGES", "UPDATE")], "it waits for some seconds"

    clock.advance(seconds=15)
    assert list_told(fake.meetings[0]) == [("ada", "SURE", 2, "SENT")]
    cancelled = client.cancel_meeting(made.meeting_id, reason="postponed")
    assert (cancelled.state, cancelled.reason) == ("CANCELLED", "postponed")
    assert list_effects(cancelled) == [("ada", "MAKES", "CANCELLATION")]
    [kept] = fake.meetings
    assert [each.method for each in kept.steps] == [
        *("CreateMeeting", "UpdateMeeting", "UpdateMeeting", "CancelMeeting"),
    ]
    assert list_told(kept) == [("ada", "SURE", 3, "SENT")]


def test_an_invitation_that_waits_is_changed_or_not_sent_at_all(
    fake: FakeScheduler, client: Client, clock: Clock
) -> None:
    made = client.create_meeting(**REVIEW, invite_at=NOON + timedelta(hours=1))
    moved = client.update_meeting(made.meeting_id, start="2030-01-05T10:00")
    cancelled = client.cancel_meeting(made.meeting_id)

    assert list_effects(moved) == [("ada", "CHANGES", "INVITATION")]
    assert list_effects(cancelled) == [("ada", "CANCELS", "INVITATION")]
    clock.advance(hours=2)
    assert list_told(fake.meetings[0]) == [("ada", "NOTHING", 0, "CANCELLED")]
    assert fake.meetings[0].sequence == 0


def test_attendees_are_added_and_removed_and_reminded(
    fake: FakeScheduler, client: Client, clock: Clock
) -> None:
    made = client.create_meeting(**REVIEW, reminders=[Reminder(before=timedelta(days=1))])
    added = client.add_attendees(made.meeting_id, [Attendee(email=BOB.email, role=Role.OPTIONAL)])
    removed = client.remove_attendees(made.meeting_id, ["ADA@example.org"], reason="left")

    assert [each.role for each in added.attendees] == ["REQUIRED", "OPTIONAL"]
    assert ("bob", "MAKES", "INVITATION") in list_effects(added)
    assert {("ada", "MAKES", "CANCELLATION"), ("ada", "CANCELS", "REMINDER")} < {
        *list_effects(removed)
    }
    [meeting] = fake.meetings
    assert [(each.email, each.removed) for each in meeting.attendees] == [
        ("ada@example.org", True),
        ("bob@example.org", False),
    ]
    clock.advance(days=4)
    with pytest.raises(FailedPrecondition) as caught:
        client.add_attendees(made.meeting_id, [ADA])
    assert caught.value.reason == "MEETING_OVER"


def test_a_trial_changes_nothing(fake: FakeScheduler, client: Client) -> None:
    valid = client.create_meeting(**REVIEW, validate_only=True)
    made = client.create_meeting(**REVIEW)
    would = client.cancel_meeting(made.meeting_id, validate_only=True)

    assert (valid.meeting_id, list_effects(valid)) == ("", [("ada", "MAKES", "INVITATION")])
    assert list_effects(would) == [("ada", "MAKES", "CANCELLATION")]
    [kept] = fake.meetings
    assert (kept.meeting_id, kept.state) == (made.meeting_id, "SCHEDULED")


def test_a_repeated_creation_is_the_same_meeting(fake: FakeScheduler, client: Client) -> None:
    first = client.create_meeting(**REVIEW, request_id="r")
    second = client.create_meeting(**REVIEW, request_id="r")
    other = client.create_meeting(**REVIEW)

    assert first.meeting_id == second.meeting_id != other.meeting_id
    with pytest.raises(AlreadyExists) as caught:
        client.create_meeting(**{**REVIEW, "summary": "Plan"}, request_id="r")
    assert caught.value.metadata["meeting_id"] == first.meeting_id
    assert len(fake.meetings) == 2


def test_what_has_changed_or_is_unknown_is_an_error(fake: FakeScheduler, client: Client) -> None:
    made = client.create_meeting(**REVIEW)
    client.update_meeting(made.meeting_id, location="Room 5", etag=made.etag)

    with pytest.raises(Aborted):
        client.cancel_meeting(made.meeting_id, etag=made.etag)
    with pytest.raises(NotFound, match="no meeting with id 'M'"):
        client.get_meeting("M")
    with pytest.raises(NotFound) as caught:
        client.remove_attendees(made.meeting_id, ["cy@example.org"])
    assert caught.value.reason == "ATTENDEE_NOT_FOUND"
    with pytest.raises(InvalidArgument) as refused:
        client.update_meeting(made.meeting_id, url="nowhere", start="2020-01-01T09:00")
    assert [each.field for each in refused.value.violations] == ["meeting.url", "meeting.start"]
    assert fake.meetings[0].location == "Room 5"


def test_lists_have_filters_orders_and_pages(client: Client) -> None:
    days = ("07", "05", "06")
    for day in days:
        client.create_meeting(**{**REVIEW, "summary": day, "start": f"2030-01-{day}T09:00"})
    client.create_meeting(**{**REVIEW, "summary": "other", "attendees": [BOB]})

    def find(**which: Any) -> list[str]:
        return [each.summary for each in client.list_meetings(page_size=2, **which)]

    assert find() == ["other", "06", "05", "07"]
    assert find(attendee="Ada@example.org", order=MeetingOrder.CREATE_TIME_ASC) == [*days]
    sixth = datetime(2030, 1, 6, tzinfo=UTC)
    assert find(start_time_from=sixth) == ["06", "07"]
    assert find(start_time_before=sixth, order=MeetingOrder.START_TIME_DESC) == ["other", "05"]
    assert find(organizer="no-reply@example.org") == ["05", "other", "06", "07"]
    assert find(organizer="eve@example.org") == find(client="hr") == []
    with pytest.raises(InvalidArgument, match="must be one of"):
        find(attendee="ada@example.org", organizer="eve@example.org")


def test_calendar_files_are_those_of_the_mails(client: Client) -> None:
    made = client.create_meeting(**REVIEW)
    invited = client.meeting_calendar(made.meeting_id, "ADA@example.org")
    public = client.meeting_calendar(made.meeting_id)
    client.cancel_meeting(made.meeting_id)
    cancelled = client.meeting_calendar(made.meeting_id, "ada@example.org")

    assert b"METHOD:REQUEST" in invited.content
    assert b"ATTENDEE" not in public.content
    assert b"METHOD:CANCEL" in cancelled.content
    with pytest.raises(NotFound):
        client.meeting_calendar(made.meeting_id, "cy@example.org")


def test_a_test_chooses_errors_and_answers(fake: FakeScheduler, client: Client) -> None:
    fake.fail_next("STORE_UNAVAILABLE", method="CreateMeeting")
    with pytest.raises(Unavailable):
        client.create_meeting(**REVIEW)
    fake.fail("MEETING_CANCELLED", method="UpdateMeeting")
    with pytest.raises(FailedPrecondition):
        client.update_meeting("M", location="Room 5")
    fake.recover()
    fake.fail_next("DEADLINE_EXCEEDED", method="GetMeeting")
    with pytest.raises(DeadlineExceeded):
        client.get_meeting("M")
    fake.answer("GetMeeting", task_pb2.Meeting(meeting_id="M", summary="Chosen"))
    assert client.get_meeting("M").summary == "Chosen"

    assert fake.meetings == []
    assert [call.failure for call in fake.calls] == [
        *("STORE_UNAVAILABLE", "MEETING_CANCELLED", "DEADLINE_EXCEEDED", ""),
    ]


def test_a_chosen_answer_does_not_excuse_an_invalid_request(
    fake: FakeScheduler, client: Client
) -> None:
    fake.answer("CreateMeeting", task_pb2.Meeting(meeting_id="M"))

    with pytest.raises(InvalidArgument):
        client.create_meeting(**{**REVIEW, "attendees": []})
    assert client.create_meeting(**REVIEW).meeting_id == "M"
    assert fake.meetings == []


def test_reset_forgets_meetings(fake: FakeScheduler, client: Client) -> None:
    client.create_meeting(**REVIEW)

    fake.reset()

    assert (fake.meetings, list(client.list_meetings())) == ([], [])
