"""The rules of updates: what a mask changes, what stays, and what is refused."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.event import Event
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import Purpose
from gcsched.domain.meetings.acts import Act
from gcsched.domain.meetings.changes import create_meeting, update_meeting
from gcsched.domain.meetings.drafts import AttendeeDraft, MeetingDraft
from gcsched.domain.meetings.meeting import Attendee, MailText, Meeting, MeetingTexts, Told, Word
from gcsched.domain.meetings.requests import (
    Checking,
    validate_new_meeting,
    validate_update,
)
from gcsched.domain.meetings.values import MeetingValues
from gcsched.errors import InvalidRequest
from tests.support.builders import NOW, SENDER, an_event
from tests.support.meetings.callers import make_act
from tests.support.meetings.checking import CHECKING, find_violations
from tests.support.meetings.scene import ADA, BOB, a_draft, remind

START = datetime(2027, 1, 5, 8, tzinfo=UTC)
HALF_AN_HOUR = timedelta(minutes=30)
AT: Act = make_act("UpdateMeeting", NOW)


def a_stored_meeting(**draft: Any) -> Meeting:
    return create_meeting(validate_new_meeting(a_draft(**draft), CHECKING), AT)


def an_update(**fields: Any) -> MeetingDraft:
    """Build a draft that sets *fields*; `event` are fields of the event."""
    event = {"start": "", "time_zone": "", **fields.pop("event", {})}
    return MeetingDraft(event=Event(**event), **fields)


def update(
    draft: MeetingDraft,
    mask: Collection[str] | None = None,
    *,
    meeting: Meeting | None = None,
    by: Checking = CHECKING,
) -> MeetingValues:
    return validate_update(draft, mask, meeting or a_stored_meeting(), by)


def problems(*args: Any, **options: Any) -> list[tuple[str, str]]:
    return find_violations(lambda: update(*args, **options))


def test_without_a_mask_the_fields_that_are_set_change() -> None:
    values = update(an_update(summary=" Talk ", event={"location": "Room 6"}))

    assert (values.summary, values.occasion.location) == ("Talk", "Room 6")
    assert (values.occasion.start, values.occasion.zone) == (START, "Europe/Berlin")
    assert values.reminders == remind(15)


def test_an_update_that_sets_nothing_changes_nothing() -> None:
    meeting = a_stored_meeting()
    assert update_meeting(meeting, update(an_update(), meeting=meeting), AT) is meeting


def test_a_mask_clears_what_is_not_set() -> None:
    mask = ("location", "reminders", "labels", "description", "url")
    values = update(an_update(summary="Talk"), mask, meeting=a_stored_meeting(labels={"a": "b"}))

    assert values.summary == "Review"
    assert (values.occasion.location, values.reminders, values.labels) == ("", (), {})


def test_a_new_start_keeps_the_length_of_the_meeting() -> None:
    values = update(an_update(event={"start": "2027-01-06T10:15"}))

    occasion = values.occasion
    assert occasion.start == START + timedelta(days=1, hours=1, minutes=15)
    assert occasion.end - occasion.start == HALF_AN_HOUR
    assert occasion.start_wall == datetime.fromisoformat("2027-01-06T10:15")


AS_READ = {
    "start": "2027-01-05T09:00",
    "time_zone": "Europe/Berlin",
    "end": "2027-01-05T09:30",
    "duration": HALF_AN_HOUR,
}


@pytest.mark.parametrize("mask", [None, ("start", "end", "duration"), ("*",)])
@pytest.mark.parametrize(
    ("changed", "start", "end"),
    [
        ({}, "09:00", "09:30"),
        ({"start": "2027-01-05T10:00"}, "10:00", "10:30"),
        ({"end": "2027-01-05T11:00"}, "09:00", "11:00"),
        ({"duration": timedelta(hours=1)}, "09:00", "10:00"),
        ({"start": "2027-01-05T08:00", "end": "2027-01-05T11:00"}, "08:00", "11:00"),
        ({"start": "2027-01-05T08:00", "duration": timedelta(hours=1)}, "08:00", "09:00"),
    ],
    ids=["nothing", "start", "end", "duration", "start and end", "start and duration"],
)
def test_a_meeting_as_it_was_read_can_be_sent_back_with_a_field_changed(
    mask: Collection[str] | None, changed: dict[str, Any], start: str, end: str
) -> None:
    draft = an_update(summary="Review", event={**AS_READ, **changed})

    occasion = update(draft, mask).occasion

    assert occasion.start_wall == datetime.fromisoformat(f"2027-01-05T{start}")
    assert occasion.end_wall == datetime.fromisoformat(f"2027-01-05T{end}")


@pytest.mark.parametrize(
    ("times", "mask"),
    [({"end": "2027-01-05T12:00", "duration": timedelta(hours=1)}, None), ({}, ("end",))],
    ids=["both are new", "neither"],
)
def test_exactly_one_of_end_and_duration_is_taken(
    times: dict[str, Any], mask: Collection[str] | None
) -> None:
    found = problems(an_update(event=times), mask)

    assert found == [("meeting", "must have exactly one of end and duration")]


def test_a_new_end_or_duration_keeps_the_start() -> None:
    by_end = update(an_update(event={"end": "2027-01-05T11:00"}))
    by_duration = update(an_update(event={"duration": timedelta(hours=2)}), ("duration",))

    assert by_end.occasion == by_duration.occasion
    assert (by_end.occasion.start, by_end.occasion.end) == (START, START + timedelta(hours=2))


def test_a_new_zone_keeps_what_clocks_show() -> None:
    values = update(an_update(event={"time_zone": "America/New_York"}))

    assert values.occasion.start == START + timedelta(hours=6)
    assert values.occasion.start_wall == datetime.fromisoformat("2027-01-05T09:00")
    assert values.occasion.end - values.occasion.start == HALF_AN_HOUR


def test_a_star_takes_everything_from_the_request() -> None:
    draft = a_draft(summary="Talk", event=an_event(start="2027-02-01T12:00"), reminders=())
    values = update(draft, ("*",))

    assert (values.summary, values.occasion.location, values.reminders) == ("Talk", "", ())
    assert values.occasion.start == datetime(2027, 2, 1, 11, tzinfo=UTC)
    assert values.invite_time is None
    assert problems(an_update(), ("*",))


def test_the_rules_of_new_meetings_hold_for_what_changes() -> None:
    draft = an_update(
        summary="x" * 256,
        event={"start": "2026-01-01T09:00", "url": "x", "location": "\n", "description": "\0"},
        reminders=remind(5, 5),
        texts=MeetingTexts(mails={Purpose.UPDATE: MailText(template="?")}),
        labels={"": ""},
    )

    assert sorted(field for field, _ in problems(draft)) == [
        "meeting.description",
        "meeting.labels",
        "meeting.reminders[1].before",
        "meeting.start",
        "meeting.summary",
        "meeting.texts.update.template",
        "meeting.url",
    ]


def test_a_start_that_stays_may_be_past() -> None:
    meeting = a_stored_meeting()
    late = Checking(context=CHECKING.context, client=CHECKING.client, now=START + HALF_AN_HOUR / 2)
    draft = an_update(event={"start": "2027-01-05T09:00", "end": "2027-01-05T11:00"})
    assert update(draft, meeting=meeting, by=late).occasion.start == START

    draft = an_update(event={"start": "2027-01-05T09:05"})
    [(field, problem)] = problems(draft, meeting=meeting, by=late)
    assert (field, problem) == ("meeting.start", "must not be past; it is 2027-01-05T08:05Z")


def test_a_change_of_clocks_is_noted_or_refused() -> None:
    draft = an_update(event={"start": "2027-03-28T02:30"})
    assert "does not exist" in update(draft).occasion.time_note
    strict = a_stored_meeting(event=an_event(strict_time=True))
    [(field, _)] = problems(draft, meeting=strict)
    assert field == "meeting.start"
    assert update(draft, ("start", "strict_time"), meeting=strict).strict_time is False


def test_new_times_are_those_of_the_present_rules_of_zones() -> None:
    newer = Checking(
        context=CHECKING.context, client=CHECKING.client, now=NOW, zone_version="2027a"
    )
    moved = update(an_update(event={"start": "2027-01-06T09:00"}), by=newer)
    named = update(an_update(summary="Talk"), by=newer)

    assert (moved.zone_version, named.zone_version) == ("2027a", "2026f")


def test_what_never_changes_may_be_sent_back_as_it_was() -> None:
    meeting = a_stored_meeting()
    removed = Attendee(email="gone@example.org", is_removed=True)
    meeting = replace(meeting, attendees=(*meeting.attendees, removed))
    people = (AttendeeDraft(email=ADA.upper()), AttendeeDraft(email=BOB))
    draft = an_update(
        summary="Talk",
        attendees=(*people, AttendeeDraft(email="gone@example.org")),
        sender="no-reply@example.net",
        event={"organizer": SENDER},
    )
    assert update(draft, meeting=meeting).summary == "Talk"
    assert update(replace(draft, attendees=people), meeting=meeting).summary == "Talk"


def test_what_never_changes_is_refused() -> None:
    draft = an_update(
        attendees=(AttendeeDraft(email=ADA),),
        sender="hr@example.com",
        event={"organizer": Person(email="boss@example.com")},
    )
    assert [field for field, _ in problems(draft)] == [
        "meeting.organizer",
        "meeting.attendees",
        "meeting.sender",
    ]
    assert problems(an_update(sender="?"))[0][0] == "meeting.sender"


@pytest.mark.parametrize(
    ("mask", "problem"),
    [
        (("attendees",), "use AddAttendees and RemoveAttendees"),
        (("organizer",), '"organizer" is none of them'),
        (("texts.update",), '"texts.update" is none of them'),
        (("*", "summary"), "must be * alone"),
    ],
)
def test_a_mask_has_fields_that_can_change(mask: tuple[str, ...], problem: str) -> None:
    found = dict(problems(a_draft(), mask))
    assert problem in found["update_mask"]


def test_the_time_of_the_invitations_changes_until_one_has_begun() -> None:
    later = NOW + timedelta(days=3)
    meeting = a_stored_meeting()
    assert update(an_update(invite_time=later), meeting=meeting).invite_time == later
    attendees = tuple(
        replace(each, word=Word(told=Told.MAYBE, revision=1)) for each in meeting.attendees
    )
    told = replace(meeting, attendees=attendees)
    assert problems(an_update(invite_time=later), meeting=told) == [
        ("meeting.invite_at", "must stay as it is: an invitation has begun")
    ]
    assert update(an_update(), ("invite_at",), meeting=told).invite_time is None


def test_a_meeting_does_not_move_before_its_invitations() -> None:
    meeting = a_stored_meeting(invite_time=START - timedelta(hours=1))
    draft = an_update(event={"start": "2027-01-05T07:00"})
    [(field, problem)] = problems(draft, meeting=meeting)
    assert field == "meeting.start"
    assert "2027-01-05T07:00Z; change invite_at as well" in problem

    both = replace(draft, invite_time=NOW + timedelta(days=1))
    assert update(both, meeting=meeting).invite_time == NOW + timedelta(days=1)


def test_a_template_of_a_reminder_needs_the_variables_of_the_meeting() -> None:
    reminders = (replace(remind(5)[0], template="shout"),)
    with pytest.raises(InvalidRequest, match="must have a value for 'room'"):
        update(an_update(reminders=reminders))
    meeting = a_stored_meeting(texts=MeetingTexts(variables={"room": "5"}))
    assert update(an_update(reminders=reminders), meeting=meeting).reminders == reminders
