"""Meetings of the client, field by field; mistakes are found before anything is sent."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest

from gcsched import client, errors
from gcsched.client import (
    Aborted,
    AlreadyExists,
    AsyncClient,
    Attendee,
    CallFailed,
    Client,
    Effect,
    FailedPrecondition,
    MailText,
    Meeting,
    MeetingOptions,
    MeetingState,
    MeetingStep,
    MeetingTexts,
    NotFound,
    Person,
    Reminder,
)
from gcsched.client.calls import meetings as calls
from gcsched.client.results.reading import read_message
from gcsched.pb import task_pb2
from tests.support.client_calls import MethodCall
from tests.support.fake_scheduler import fake_scheduler

UNCHECKED: Any = client
NOWHERE = "127.0.0.1:9"
ADA = Attendee(email="ada@example.org")
NOON = datetime(2030, 1, 5, 12, tzinfo=UTC)
TWICE = datetime.fromisoformat("2030-10-27T02:30").replace(fold=1)
REVIEW: dict[str, Any] = {
    "summary": "Review",
    "start": "2030-01-05T09:00",
    "time_zone": "Europe/Berlin",
    "attendees": [ADA],
}


def build_creation(**options: Any) -> Any:
    return calls.create_meeting(**{**REVIEW, **options}).request


def build_change(**changes: Any) -> Any:
    return calls.update_meeting("M", **changes).request


async def test_a_meeting_is_read_with_all_that_it_has(run_method: MethodCall) -> None:
    message = task_pb2.Meeting(
        meeting_id="M",
        state=task_pb2.Meeting.CANCELLED,
        start="2030-01-05T12:00",
        duration=timedelta(minutes=30),
        organizer=task_pb2.Person(email="eve@example.com"),
        attendees=[
            task_pb2.Attendee(
                email="ada@example.org",
                role=task_pb2.Attendee.INFORMED,
                told=task_pb2.Attendee.MAYBE,
                delivery=task_pb2.Job.UNCERTAIN,
            ),
            task_pb2.Attendee(email="bob@example.org", removed=True),
        ],
        reminders=[task_pb2.Reminder(before=timedelta(days=1))],
        texts=task_pb2.MeetingTexts(
            update=task_pb2.MeetingTexts.Mail(subject="Moved"), variables={"room": "4.2"}
        ),
        start_time=NOON,
        effects=[
            task_pb2.Effect(
                email="ada@example.org",
                purpose=task_pb2.Job.CANCELLATION,
                what=task_pb2.Effect.MAKES,
                in_flight=1,
            )
        ],
        steps=[task_pb2.MeetingStep(time=NOON, method="CancelMeeting", revision=2)],
    )
    async with fake_scheduler(GetMeeting=message) as server:
        meeting = await run_method(server.target, "get_meeting", "M")

    assert meeting == Meeting(
        meeting_id="M",
        state="CANCELLED",
        start="2030-01-05T12:00",
        duration=timedelta(minutes=30),
        organizer=Person(email="eve@example.com"),
        attendees=(
            Attendee(email="ada@example.org", role="INFORMED", told="MAYBE", delivery="UNCERTAIN"),
            Attendee(email="bob@example.org", removed=True),
        ),
        reminders=(Reminder(before=timedelta(days=1)),),
        texts=MeetingTexts(update=MailText(subject="Moved"), variables={"room": "4.2"}),
        start_time=NOON,
        effects=(
            Effect(email="ada@example.org", purpose="CANCELLATION", what="MAKES", in_flight=1),
        ),
        steps=(MeetingStep(time=NOON, method="CancelMeeting", revision=2),),
    )
    assert meeting.state == MeetingState.CANCELLED


def test_a_role_that_is_newer_can_be_given_back() -> None:
    newer = task_pb2.Attendee.FromString(b"\x0a\x01a\x20\x07")  # field 4, role: 7

    attendee = read_message(Attendee, newer)
    request: Any = calls.add_attendees("M", [attendee], tell_others=False).request

    assert attendee.role == "7"
    assert request.attendees[0] == newer


async def test_a_creation_has_a_request_id_of_its_own_and_is_repeated_with_it(
    run_method: MethodCall,
) -> None:
    away = grpc.StatusCode.UNAVAILABLE
    async with fake_scheduler(CreateMeeting=[away, task_pb2.Meeting(meeting_id="M")]) as server:
        made = await run_method(server.target, "create_meeting", **REVIEW)
        for options in ({}, {"request_id": "r"}, {"validate_only": True}):
            await run_method(server.target, "create_meeting", **REVIEW, **options)
        bare = task_pb2.CreateMeetingRequest(meeting={"summary": "Review"})
        await run_method(server.target, "call", "CreateMeeting", bare)

    requests: list[Any] = [*server.requests]
    first, repeated, second, named, trial, called = (each.request_id for each in requests)
    assert made.meeting_id == "M"
    assert first == repeated
    assert len({UUID(first), UUID(second), UUID(called)}) == 3
    assert (named, trial, bare.request_id) == ("r", "", "")


def test_wall_times_are_texts_or_datetimes_without_a_zone() -> None:
    nine = datetime.fromisoformat("2030-01-05T09:00")
    request = build_creation(start=nine, end=nine + timedelta(hours=1))

    assert (request.meeting.start, request.meeting.end) == (
        "2030-01-05T09:00:00",
        "2030-01-05T10:00:00",
    )


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({}, {}),
        ({"location": None}, {}),
        ({"location": ""}, {}),
        ({"end": None, "duration": timedelta(hours=1)}, {"duration": timedelta(hours=1)}),
        ({"reminders": None, "invite_at": None, "texts": None, "labels": None}, {}),
        ({"reminders": [], "labels": {}}, {}),
        ({"guests_see_each_other": False, "strict_time": False}, {}),
        (
            {"summary": "Plan", "url": None, "description": "New"},
            {"summary": "Plan", "description": "New"},
        ),
    ],
)
def test_the_mask_has_what_is_given_and_none_takes_it_away(
    changes: dict[str, Any], sent: dict[str, Any]
) -> None:
    request = build_change(**changes, etag="e")

    assert request.update_mask.paths == sorted(changes)
    assert request.meeting == task_pb2.Meeting(meeting_id="M", etag="e", **sent)


GIVE = "give a gcsched.client"
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"start": NOON}, "start has a tzinfo; give text like"),
    ({"start": TWICE}, "start has fold=1"),
    ({"end": 9}, "end is 9; give a str"),
    ({"duration": 30}, "duration is 30; give a timedelta"),
    ({"attendees": ADA}, r"attendees is Attendee\(.*; give a list of gcsched.client.Attendee"),
    ({"attendees": ["ada"]}, rf"attendees\[0\] is 'ada'; {GIVE}.Attendee"),
    ({"attendees": [ADA, UNCHECKED.Attendee(email=7)]}, r"attendees\[1\].email is 7; give a str"),
    (
        {"attendees": [Attendee(email="a", role="OPTIONEL")]},
        r"attendees\[0\].role is 'OPTIONEL' \(did you mean 'OPTIONAL'\?\)",
    ),
    ({"reminders": [60]}, rf"reminders\[0\] is 60; {GIVE}.Reminder"),
    (
        {"reminders": [UNCHECKED.Reminder(before=60)]},
        r"reminders\[0\].before is 60; give a timedelta",
    ),
    ({"texts": {"update": "x"}}, rf"{GIVE}.MeetingTexts"),
    (
        {"texts": UNCHECKED.MeetingTexts(update="Moved")},
        rf"texts.update is 'Moved'; {GIVE}.MailText",
    ),
    (
        {"texts": UNCHECKED.MeetingTexts(variables={"a": 1})},
        r"texts.variables\['a'\] is 1; give a str",
    ),
    ({"organizer": "eve@example.com"}, f"organizer is .*; {GIVE}.Person"),
    ({"invite_at": NOON.replace(tzinfo=None)}, "invite_at has no time zone"),
    ({"validate_only": "yes"}, "validate_only is 'yes'; give True or False"),
    ({"labels": ["a"]}, "labels is .*; give a dict of str to str"),
    ({"remindres": []}, r"create_meeting\(\) got .*'remindres' \(did you mean 'reminders'\?\)"),
]


@pytest.mark.parametrize(("options", "problem"), MISTAKES)
def test_a_mistake_says_what_to_give(options: dict[str, Any], problem: str) -> None:
    with pytest.raises((TypeError, ValueError), match=problem):
        build_creation(**options)


@pytest.mark.parametrize(
    ("method", "given", "problem"),
    [
        ("update_meeting", {"summary": None}, "summary is None, and a meeting always has one"),
        ("update_meeting", {"start": None}, "start is None, and"),
        ("update_meeting", {"organizer": None}, r"update_meeting\(\) got .* 'organizer'"),
        ("update_meeting", {"attendees": [ADA]}, "got .* 'attendees'"),
        ("remove_attendees", {"emails": "a@example.org"}, "emails is 'a@e.*; give a list of str"),
        ("remove_attendees", {"emails": [ADA]}, r"emails\[0\] is Attendee.*; give a str"),
        ("add_attendees", {"attendees": None}, "attendees is None; give a list of"),
        ("cancel_meeting", {"reason": 7}, "reason is 7; give a str"),
        ("cancel_meeting", {"etga": "e"}, r"'etga' \(did you mean 'etag'\?\)"),
    ],
)
def test_a_mistake_in_a_change_says_what_to_give(
    method: str, given: dict[str, Any], problem: str
) -> None:
    with Client(NOWHERE) as opened, pytest.raises((TypeError, ValueError), match=problem):
        getattr(opened, method)("M", **given)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_wrong_filter_is_reported_before_the_first_item(kind: type[Any]) -> None:
    opened = kind(NOWHERE)

    with pytest.raises(ValueError, match="order is 'DUE_TIME_ASC'"):
        opened.list_meetings(order="DUE_TIME_ASC")
    with pytest.raises(TypeError, match=r"'organiser' \(did you mean 'organizer'\?\)"):
        opened.list_meetings(organiser="eve@example.com")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.UnknownMeeting("M"), NotFound),
        (errors.UnknownAttendee("M", ["emails[0]"]), NotFound),
        (errors.MeetingOver("M", NOON), FailedPrecondition),
        (errors.MeetingCancelled("M"), FailedPrecondition),
        (errors.EtagMismatch("M"), Aborted),
        (errors.RequestIdReused("r", "M"), AlreadyExists),
    ],
)
async def test_an_error_has_its_class_and_its_reason(
    run_method: MethodCall, error: errors.GcschedError, kind: type[CallFailed]
) -> None:
    async with fake_scheduler(CancelMeeting=error) as server:
        with pytest.raises(kind) as caught:
            await run_method(server.target, "cancel_meeting", "M")

    assert caught.value.reason
    assert caught.value.metadata == dict(error.metadata)


def test_options_may_be_kept_in_a_dictionary() -> None:
    usual: MeetingOptions = {"duration": timedelta(minutes=30), "labels": {"team": "hr"}}

    assert build_creation(**usual).meeting.labels == {"team": "hr"}
