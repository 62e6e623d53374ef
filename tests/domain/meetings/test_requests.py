"""The rules of requests about meetings: all violations at once, named by the contract's fields."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.access import ANYONE, Client
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import Purpose, Role
from gcsched.domain.meetings.drafts import AttendeeDraft
from gcsched.domain.meetings.meeting import Attendee, MailText, Meeting, MeetingTexts, Reminder
from gcsched.domain.meetings.requests import (
    Checking,
    validate_attendees,
    validate_new_meeting,
    validate_reason,
    validate_removal,
)
from gcsched.domain.meetings.values import NewMeeting
from gcsched.domain.recipient_list import RecipientList
from tests.support.builders import NOW, SENDER, a_client, an_event
from tests.support.meetings.checking import CHECKING, CONTEXT, find_violations
from tests.support.meetings.scene import ADA, BOB, Scene, a_draft, remind


def checking(client: Client = ANYONE, **context: Any) -> Checking:
    changed = dataclasses.replace(CONTEXT, **context)
    return dataclasses.replace(CHECKING, client=client, context=changed)


def read(*, by: Checking = CHECKING, **draft: Any) -> NewMeeting:
    return validate_new_meeting(a_draft(**draft), by)


def problems(*, by: Checking = CHECKING, **draft: Any) -> list[tuple[str, str]]:
    return find_violations(lambda: read(by=by, **draft))


def fields(*, by: Checking = CHECKING, **draft: Any) -> list[str]:
    return [field for field, _ in problems(by=by, **draft)]


def people(*emails: str) -> tuple[AttendeeDraft, ...]:
    return tuple(AttendeeDraft(email=each) for each in emails)


def test_a_meeting_is_read_with_all_that_it_has() -> None:
    new = read(summary=" Review ", labels={"team": "sales"}, request_id="r-1")

    assert new.attendees == (Attendee(email=ADA, name="Ada"), Attendee(email=BOB))
    assert new.values.summary == "Review"
    assert new.values.occasion.start == datetime(2027, 1, 5, 8, tzinfo=UTC)
    assert new.values.occasion.location == "Room 5"
    assert new.values.occasion.organizer == SENDER
    assert (new.values.sent_by, new.values.zone_version) == ("", "2026f")
    assert (new.values.invite_time, new.values.reminders) == (None, remind(15))
    assert (new.sender, new.request_id, len(new.fingerprint)) == ("", "r-1", 64)
    assert read().fingerprint == ""


def test_all_violations_come_at_once() -> None:
    found = fields(
        summary="",
        event=an_event(start="2027-01-05 09:00", location="x" * 256, url="ftp://example.org"),
        attendees=(AttendeeDraft(email="ada", name="x" * 257, empid="\n", role=None),),
        reminders=(
            Reminder(before=timedelta(seconds=90)),
            Reminder(before=timedelta(), template="?"),
        ),
        labels={"": "x"},
        sender="boss@example.com",
        texts=MeetingTexts(
            mails={Purpose.UPDATE: MailText(template="?", subject="a\nb")},
            variables={"meeting": ""},
        ),
        request_id="\n",
    )

    assert sorted(found) == [
        "meeting.attendees[0].email",
        "meeting.attendees[0].empid",
        "meeting.attendees[0].name",
        "meeting.attendees[0].role",
        "meeting.labels",
        "meeting.location",
        "meeting.reminders[0].before",
        "meeting.reminders[1].before",
        "meeting.reminders[1].template",
        "meeting.sender",
        "meeting.start",
        "meeting.summary",
        "meeting.texts.update.subject",
        "meeting.texts.update.template",
        "meeting.texts.variables",
        "meeting.url",
        "request_id",
    ]


@pytest.mark.parametrize(
    ("event", "field", "problem"),
    [
        ({"start": "2026-07-01T13:59"}, "meeting.start", "must not be past"),
        ({"start": "2037-01-05T09:00"}, "meeting.start", "more than ten years"),
        ({"duration": None}, "meeting", "exactly one of end and duration"),
        ({"duration": timedelta(seconds=90)}, "meeting.duration", "whole minutes"),
        ({"end": "2027-01-05T08:00", "duration": None}, "meeting.end", "after the start"),
        ({"time_zone": "Europe/Berln"}, "meeting.time_zone", "did you mean Europe/Berlin or"),
        ({"start": "2027-03-28T02:30", "strict_time": True}, "meeting.start", "must be one time"),
        ({"description": "x" * 8001}, "meeting.description", "at most 8000"),
        ({"organizer": Person("eve@example.org")}, "meeting.organizer.email", "must be the sender"),
    ],
)
def test_times_and_texts_have_the_rules_of_events(
    event: dict[str, Any], field: str, problem: str
) -> None:
    [(found, sentence)] = problems(event=an_event(**event))

    assert found == field
    assert problem in sentence


def test_a_change_of_clocks_is_noted() -> None:
    new = read(event=an_event(start="2027-03-28T02:30"))
    assert "does not exist in Europe/Berlin" in new.values.occasion.time_note


def test_another_organizer_is_sent_for() -> None:
    new = read(event=an_event(organizer=Person("boss@example.com", "Boss")))
    assert new.values.occasion.organizer == Person("boss@example.com", "Boss")
    assert new.values.sent_by == SENDER.email


def test_there_are_one_to_a_hundred_attendees() -> None:
    many = people(*(f"p{number}@example.org" for number in range(101)))
    assert problems(attendees=()) == [("meeting.attendees", "must be 1 to 100, are 0")]
    assert problems(attendees=many) == [("meeting.attendees", "must be 1 to 100, are 101")]
    assert len(read(attendees=many[:100]).attendees) == 100


def test_an_attendee_comes_once_in_any_spelling() -> None:
    found = problems(attendees=people(ADA, BOB, "ADA@example.org", BOB))
    assert found == [
        ("meeting.attendees[2].email", "must differ from meeting.attendees[0]"),
        ("meeting.attendees[3].email", "must differ from meeting.attendees[1]"),
    ]


def test_many_violations_of_attendees_are_cut_off() -> None:
    found = problems(attendees=people(*["x"] * 40))
    assert len(found) == 11
    assert found[-1] == (
        "meeting.attendees",
        "have more violations; correct the reported ones first",
    )


def test_the_organizer_is_no_attendee() -> None:
    problem = "must not be the organizer of the meeting, whom calendars do not ask"
    assert problems(attendees=people(ADA, SENDER.email.upper())) == [
        ("meeting.attendees[1].email", problem)
    ]


def test_recipients_are_limited_as_for_one_mail() -> None:
    allowed = RecipientList.parse("example.org")
    [(field, problem)] = problems(
        by=checking(allowed_recipients=allowed), attendees=people(ADA, "eve@example.com")
    )
    assert field == "meeting.attendees[1].email"
    assert "GCSCHED_ALLOWED_RECIPIENTS" in problem

    client = a_client(recipient_domains=("example.com",))
    [(field, problem)] = problems(by=checking(client), attendees=people(ADA, "eve@example.com"))
    assert field == "meeting.attendees[0].email"
    assert "client 'payroll' may mail" in problem


def test_an_address_is_normalised_and_a_role_kept() -> None:
    draft = AttendeeDraft(email="Ada@EXAMPLE.org", empid="E1", role=Role.OPTIONAL)
    [attendee] = read(attendees=(draft,)).attendees

    assert (attendee.email, attendee.empid, attendee.role) == (
        "Ada@example.org",
        "E1",
        Role.OPTIONAL,
    )


def test_reminders_are_five_at_most_and_differ() -> None:
    assert read(reminders=remind(1, 2, 3, 60 * 24, 28 * 24 * 60)).values.reminders
    assert problems(reminders=remind(1, 2, 3, 4, 5, 6)) == [
        ("meeting.reminders", "must be 5 at most, are 6")
    ]
    assert problems(reminders=remind(5, 7, 5)) == [
        ("meeting.reminders[2].before", "must differ from meeting.reminders[0]")
    ]
    [(field, problem)] = problems(reminders=remind(28 * 24 * 60 + 1))
    assert (field, problem) == (
        "meeting.reminders[0].before",
        "must be whole minutes, from one minute to 28 days",
    )


def test_the_invitations_go_before_the_start() -> None:
    start = datetime(2027, 1, 5, 8, tzinfo=UTC)
    early = start - timedelta(milliseconds=1500)
    assert read(invite_time=early).values.invite_time == start - timedelta(seconds=1)
    assert read(invite_time=NOW - timedelta(days=1)).values.invite_time is None
    assert problems(invite_time=start) == [
        ("meeting.invite_at", "must be before the start of the meeting, 2027-01-05T08:00Z")
    ]


def with_template(template: str, purpose: Purpose = Purpose.INVITATION) -> MeetingTexts:
    return MeetingTexts(mails={purpose: MailText(template=template)})


def test_templates_exist_and_get_the_variables_that_they_need() -> None:
    named = "must be one of doc, invitation, shout, soft"
    assert problems(texts=with_template("loud", Purpose.REMINDER)) == [
        ("meeting.texts.reminder.template", named)
    ]
    needed = [("meeting.texts.variables", "must have a value for 'room': the template needs it")]
    assert problems(texts=with_template("shout", Purpose.CANCELLATION)) == needed
    assert problems(reminders=(Reminder(before=timedelta(minutes=5), template="shout"),)) == needed
    texts = replace(with_template("shout"), variables={"room": "5"})
    assert read(texts=texts).values.texts == texts


def test_a_client_uses_the_templates_and_senders_that_it_may_use() -> None:
    client = a_client(templates=("soft",), senders=("hr@example.com",))
    limited = checking(client)
    assert fields(by=limited) == ["meeting.texts.invitation.template"]
    assert read(by=limited, texts=with_template("soft")).sender == "hr@example.com"
    assert fields(by=limited, texts=with_template("soft"), sender="no-reply@example.net") == [
        "meeting.sender"
    ]
    reminder = (Reminder(before=timedelta(minutes=5), template="doc"),)
    assert fields(by=limited, texts=with_template("soft"), reminders=reminder) == [
        "meeting.reminders[0].template"
    ]


def add(emails: Sequence[str], meeting: Meeting, by: Checking = CHECKING) -> tuple[str, ...]:
    return tuple(each.email for each in validate_attendees(people(*emails), meeting, by))


def test_added_attendees_have_the_rules_of_the_first_ones() -> None:
    meeting = Scene(ADA).meeting
    assert add(["Bob@EXAMPLE.org", ADA], meeting) == ("Bob@example.org", ADA)
    found = find_violations(lambda: add(["x", BOB, BOB.upper(), "meet@example.net"], meeting))
    assert [field for field, _ in found] == [
        "attendees[0].email",
        "attendees[2].email",
        "attendees[3].email",
    ]
    assert find_violations(lambda: add([], meeting)) == [("attendees", "must be 1 to 100, are 0")]


def test_a_meeting_has_at_most_a_hundred_who_are_not_removed() -> None:
    names = [f"p{number}@example.org" for number in range(100)]
    meeting = Scene(*names[:99]).meeting
    assert add([names[99], names[0]], meeting)
    assert find_violations(lambda: add([names[99], BOB], meeting)) == [
        ("attendees", "must leave the meeting with at most 100, would be 101")
    ]


def test_a_meeting_does_not_keep_endlessly_many_who_were_removed() -> None:
    removed = [Attendee(email=f"p{n}@example.org", is_removed=True) for n in range(299)]
    meeting = replace(Scene(ADA).meeting, attendees=tuple(removed))
    assert add([BOB], meeting)
    [(field, problem)] = find_violations(lambda: add([ADA, BOB], meeting))
    assert field == "attendees"
    assert "at most 300 with those who were removed, would be 301" in problem


def test_addresses_to_remove_are_read_in_any_domain() -> None:
    assert validate_removal(["Ada@EXAMPLE.org", "x@corp.local"], "") == (
        "Ada@example.org",
        "x@corp.local",
    )
    found = find_violations(lambda: validate_removal(["x", ADA], "a\nb"))
    assert [field for field, _ in found] == ["emails[0]", "reason"]
    assert find_violations(lambda: validate_removal([], "")) == [
        ("emails", "must be 1 to 100, are 0")
    ]


def test_a_reason_is_short() -> None:
    assert validate_reason("No time") == "No time"
    [(field, _)] = find_violations(lambda: validate_reason("x" * 257))
    assert field == "reason"
