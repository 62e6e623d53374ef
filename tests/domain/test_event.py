"""The rules of the event of a request. The oracle of times is `datetime` with `zoneinfo`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gcsched.domain.access import ANYONE
from gcsched.domain.event import Occasion
from gcsched.domain.meeting import Person
from gcsched.domain.request import MeetRequest, validate_request
from gcsched.errors import InvalidRequest
from tests.support.builders import NOON, NOW, SENDER, WITH_INVITATIONS, a_request, an_event


def an_event_request(request: dict[str, Any] | None = None, **event: Any) -> MeetRequest:
    fields = {"template": "invitation", "event": an_event(**event), **(request or {})}
    return a_request(**fields)


def read(request: dict[str, Any] | None = None, **event: Any) -> Occasion:
    raw = an_event_request(request, **event)
    occasion = validate_request(raw, now=NOW, context=WITH_INVITATIONS, client=ANYONE).occasion
    assert occasion is not None
    return occasion


def problems(request: dict[str, Any] | None = None, **event: Any) -> list[tuple[str, str]]:
    raw = an_event_request(request, **event)
    with pytest.raises(InvalidRequest) as caught:
        validate_request(raw, now=NOW, context=WITH_INVITATIONS, client=ANYONE)
    return [(each.field, each.problem) for each in caught.value.violations]


def fields(request: dict[str, Any] | None = None, **event: Any) -> list[str]:
    return [field for field, _ in problems(request, **event)]


def test_an_event_is_read_with_its_instants_and_wall_times() -> None:
    occasion = read(location=" Room 5 ", url="https://meet.example.org/j/1", description="Plan\n")

    assert occasion == Occasion(
        start=datetime(2027, 1, 5, 8, tzinfo=UTC),
        end=datetime(2027, 1, 5, 8, 30, tzinfo=UTC),
        start_wall=datetime.fromisoformat("2027-01-05T09:00"),
        end_wall=datetime.fromisoformat("2027-01-05T09:30"),
        zone="Europe/Berlin",
        location="Room 5",
        url="https://meet.example.org/j/1",
        description="Plan",
        organizer=SENDER,
    )


def test_an_end_is_a_wall_time_and_a_duration_is_exact() -> None:
    night: dict[str, Any] = {"start": "2027-03-28T01:00"}  # the clocks go from 02:00 to 03:00
    with_end = read(**night, end="2027-03-28T04:00", duration=None)
    with_duration = read(**night, duration=timedelta(hours=3))

    assert with_end.end - with_end.start == timedelta(hours=2)
    assert with_duration.end_wall == datetime.fromisoformat("2027-03-28T05:00")


def test_a_change_of_clocks_is_said() -> None:
    skipped = read(start="2027-03-28T02:30")
    repeated = read(start="2026-10-25T02:30")

    assert skipped.start_wall == datetime.fromisoformat("2027-03-28T03:30")
    assert "does not exist in Europe/Berlin" in skipped.time_note
    assert repeated.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert "occurs twice in Europe/Berlin" in repeated.time_note


def test_a_change_of_clocks_is_refused_if_the_caller_wants_that() -> None:
    [(field, problem)] = problems(start="2027-03-28T02:30", strict_time=True)

    assert field == "event.start"
    assert "as strict_time asks: 2027-03-28T02:30 does not exist" in problem


@pytest.mark.parametrize(
    ("event", "violation"),
    [
        ({"start": "2026-07-01T13:59"}, ("event.start", "must not be past")),
        ({"start": "2036-07-02T09:00"}, ("event.start", "must not be more than ten years ahead")),
        ({"start": "2027-01-05T09:00+01:00"}, ("event.start", "must not have an offset")),
        ({"start": "tomorrow"}, ("event.start", "must be a date and a time")),
        ({"time_zone": "Europe/Berln"}, ("event.time_zone", "must be the name of an IANA")),
        ({"time_zone": ""}, ("event.time_zone", "must be the name of an IANA")),
        ({"duration": None}, ("event", "must have exactly one of end and duration")),
        ({"end": "2027-01-05T10:00"}, ("event", "must have exactly one of end and duration")),
        ({"duration": timedelta(0)}, ("event.duration", "must be whole minutes")),
        ({"duration": timedelta(seconds=90)}, ("event.duration", "must be whole minutes")),
        ({"duration": timedelta(days=30, minutes=1)}, ("event.duration", "must be whole minutes")),
        (
            {"duration": None, "end": "2027-01-05T09:00"},
            ("event.end", "must be after the start"),
        ),
        (
            {"duration": None, "end": "2027-02-04T09:01"},
            ("event.end", "must be at most 30 days after the start"),
        ),
        ({"location": "x" * 256}, ("event.location", "must have 0 to 255")),
        ({"location": "a\nb"}, ("event.location", "must not contain")),
        ({"description": "x" * 8_001}, ("event.description", "must have at most 8000")),
        ({"description": "a\x00b"}, ("event.description", "must not contain control characters")),
        ({"url": "nowhere"}, ("event.url", "must be a link like")),
        ({"organizer": Person(email="nobody")}, ("event.organizer.email", "")),
        (
            {"organizer": Person(email="ada@example.com", name="x" * 257)},
            ("event.organizer.name", ""),
        ),
    ],
)
def test_an_invalid_event_is_refused(event: dict[str, Any], violation: tuple[str, str]) -> None:
    [(field, problem)] = problems(**event)

    assert field == violation[0]
    assert violation[1] in problem


def test_all_that_is_wrong_is_said_at_once() -> None:
    assert fields(
        {"message": "x" * 256, "reply_to": "nowhere"},
        start="then",
        duration=timedelta(0),
        time_zone="Mars/Base",
        url="nowhere",
        location="\x07",
        organizer=Person(email="eve@example.net"),
    ) == [
        *("message", "reply_to", "event.location", "event.url", "event.organizer.email"),
        *("event.time_zone", "event.start", "event.duration"),
    ]


def test_what_is_at_its_limit_is_accepted() -> None:
    occasion = read(
        {"message": "x" * 255},
        start="2036-06-30T09:00",
        duration=timedelta(days=30),
        location="x" * 255,
        description="x\n\t" * 2_666,
    )

    assert len(occasion.location) == 255


START = int(datetime(2027, 1, 5, 8, tzinfo=UTC).timestamp())


def test_the_mail_must_come_before_the_start() -> None:
    assert fields({"timestamp": START}) == ["timestamp"]
    read({"timestamp": START - 1})
    assert fields({"timestamp": 0}, start="2026-07-02T09:00") == ["timestamp"]  # the run is at ten
    read({"timestamp": 0}, start="2026-07-02T10:01")


def test_a_mail_must_not_be_allowed_after_the_start() -> None:
    assert problems({"not_after": START + 1}) == [
        ("not_after", "must not be after the start of the event, 2027-01-05T08:00Z")
    ]
    read({"not_after": START})


def test_nobody_invites_himself() -> None:
    sender = {"email": "No-Reply@example.net"}

    assert fields(sender) == ["emailID"]
    assert fields({"email": "ada@example.com"}, organizer=Person(email="ADA@example.com")) == [
        "emailID"
    ]
    read(sender, organizer=Person(email="ada@example.com"))


def test_only_listed_domains_may_invite_instead_of_the_sender() -> None:
    ada = Person(email="ada@team.example.com", name="Ada")

    assert read(organizer=ada).organizer == ada
    assert fields(organizer=Person(email="eve@example.org")) == ["event.organizer.email"]
    assert fields(organizer=Person(email="ada@notexample.com")) == ["event.organizer.email"]


def test_the_sender_may_be_named() -> None:
    assert read(organizer=Person(email="no-reply@EXAMPLE.net")).organizer == SENDER
    named = read(organizer=Person(email="no-reply@example.net", name="HR"))
    assert named.organizer == Person(email=SENDER.email, name="HR")


def test_a_request_without_an_event_may_have_a_longer_message() -> None:
    plain = a_request(message="x" * 256, timestamp=NOON)

    assert validate_request(plain, now=NOW, context=WITH_INVITATIONS, client=ANYONE) is plain
