"""What newer rules of a time zone make of a meeting. Oracle: the offsets of Berlin, by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import Meeting, MeetingState, Reminder
from gcsched.domain.meetings.zone_rules import StoredTimes, apply_zone_rules, may_move
from tests.support.builders import NOW, a_revision
from tests.support.stored_meetings import a_planned_meeting

HOUR = timedelta(hours=1)
RIGHT = datetime(2027, 1, 5, 8, tzinfo=UTC)  # 09:00 in Berlin in winter
OUTDATED = RIGHT - HOUR  # by rules that had summer time all year
VERSION = "2026f"

wall = datetime.fromisoformat


def an_outdated_meeting(**content: Any) -> Meeting:
    times = {"start": OUTDATED, "end": OUTDATED + HOUR / 2, **content}
    return a_planned_meeting(revision=a_revision(**times), reminders=(Reminder(before=HOUR),))


def test_wall_times_stay_and_the_instants_move() -> None:
    meeting = an_outdated_meeting()

    moved = apply_zone_rules(meeting, VERSION, NOW)

    revision = moved.revision
    assert (revision.start, revision.end) == (RIGHT, RIGHT + HOUR / 2)
    assert revision.start_wall == meeting.revision.start_wall
    assert (revision.zone_version, revision.number) == (VERSION, 2)
    assert moved.reminders == meeting.reminders
    assert etag_of_meeting(moved) != etag_of_meeting(meeting)
    [step] = moved.steps
    assert (step.client, step.via, step.method, step.revision) == ("gcsched", "sweep", "", 2)
    assert step.reason == "the rules of the time zone Europe/Berlin have changed (2026f)"
    assert apply_zone_rules(moved, VERSION, NOW) is moved


def test_an_end_can_move_alone() -> None:
    days = {"end": RIGHT + 2 * timedelta(days=1) - HOUR, "end_wall": wall("2027-01-07T09:00")}
    meeting = a_planned_meeting(revision=a_revision(**days))

    moved = apply_zone_rules(meeting, VERSION, NOW)

    assert (moved.revision.start, moved.revision.end) == (RIGHT, RIGHT + timedelta(days=2))


def test_a_meeting_keeps_its_length_if_its_end_is_skipped() -> None:
    """On 28 March 2027 clocks in Berlin go from 02:00 to 03:00, which is 01:00 in UTC."""
    walls = {
        "start_wall": wall("2027-03-28T02:30"),  # skipped, and so 03:30
        "end_wall": wall("2027-03-28T03:10"),
        "start": datetime(2027, 3, 28, 0, 30, tzinfo=UTC),
        "end": datetime(2027, 3, 28, 1, 10, tzinfo=UTC),
    }
    meeting = a_planned_meeting(revision=a_revision(**walls))

    moved = apply_zone_rules(meeting, VERSION, NOW)

    start = datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert (moved.revision.start, moved.revision.end) == (start, start + timedelta(minutes=40))


@pytest.mark.parametrize(
    "meeting",
    [
        a_planned_meeting(),
        an_outdated_meeting(zone_version="2026f"),
        an_outdated_meeting(zone_version="2027a"),
        an_outdated_meeting(zone="Mars/Olympus"),
        replace(an_outdated_meeting(), state=MeetingState.CANCELLED),
    ],
    ids=["the same", "these rules", "newer rules", "no such zone", "cancelled"],
)
def test_other_meetings_stay(meeting: Meeting) -> None:
    assert apply_zone_rules(meeting, VERSION, NOW) is meeting


def test_a_meeting_that_has_begun_stays() -> None:
    meeting = an_outdated_meeting()
    assert apply_zone_rules(meeting, VERSION, OUTDATED) is meeting


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({}, False),
        ({"start": OUTDATED}, True),
        ({"end": RIGHT + timedelta(days=2)}, True),
        ({"start_wall": None}, True),
        ({"start": OUTDATED, "zone": "Mars/Olympus"}, False),
    ],
    ids=["right", "outdated", "long", "damaged", "no such zone"],
)
def test_a_revision_is_read_only_where_the_times_may_have_moved(
    times: dict[str, Any], expected: object
) -> None:
    ordinary = {
        "meeting_id": "meeting-1",
        "start": RIGHT,
        "end": RIGHT + HOUR,
        "start_wall": wall("2027-01-05T09:00"),
        "zone": "Europe/Berlin",
    }
    assert may_move(StoredTimes(**{**ordinary, **times})) is expected
