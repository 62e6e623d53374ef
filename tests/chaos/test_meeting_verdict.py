"""The verdict on chaos with meetings finds each promise that is broken. Oracle: mails by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.calendar_file import write_cancel, write_request
from gcsched.domain.meeting import MeetingRevision, Person
from tests.chaos.meetings.calendars import Notice, read_notice
from tests.chaos.meetings.organizers import Plan
from tests.chaos.meetings.verdict import Evidence, problems
from tests.support.builders import a_revision

ADA = "m0-1@example.com"
FIRST = a_revision(meeting_id="m1", summary="Meeting 0")
MOVED = replace(
    FIRST,
    number=2,
    sequence=1,
    stamp=FIRST.stamp + timedelta(seconds=5),
    start=FIRST.start + timedelta(hours=1),
    end=FIRST.end + timedelta(hours=1),
)


def a_notice(
    revision: MeetingRevision, at: float, message_id: str, *, is_cancel: bool = False
) -> Notice:
    person, request = Person(ADA), write_request(revision, Person(ADA))
    file = write_cancel(revision, person, is_removal=False) if is_cancel else request
    method = "CANCEL" if is_cancel else "REQUEST"
    head = f"Message-ID: <{message_id}>\r\nContent-Type: text/calendar; method={method}\r\n\r\n"
    return read_notice(ADA, at, head.encode() + file)


def a_reminder(at: float, message_id: str) -> Notice:
    head = f"Message-ID: <{message_id}>\r\nSubject: Reminder: Meeting 0\r\n\r\nSoon"
    return read_notice(ADA, at, head.encode())


def a_plan(**others: Any) -> Plan:
    ordinary: dict[str, Any] = {
        "number": 0,
        "attendees": {ADA: True},
        "finals": [(MOVED.start, "Meeting 0")],
        "meeting_id": "m1",
        "moves": [(10.0, FIRST.start, 0)],
    }
    return Plan(**{**ordinary, **others})


def judge(notices: Sequence[Notice], plan: Plan | None = None) -> list[str]:
    jobs = [
        {
            "email": ADA,
            "state": "SENT",
            "reason": "",
            "message_id": message_id,
            "attempts": [],
            "invitation": {"meeting": "m1", "start": start},
        }
        for message_id, start in (("i", FIRST.start), ("u", MOVED.start), ("r", FIRST.start))
    ]
    return problems(
        Evidence(
            plans=[plan or a_plan()],
            unexpected=[],
            notices=notices,
            jobs=jobs,
            meetings={"m1": {}},
        )
    )


INVITED, UPDATED = a_notice(FIRST, 1.0, "i"), a_notice(MOVED, 20.0, "u")


def test_an_invitation_and_its_update_keep_all_promises() -> None:
    assert MOVED.start.tzinfo is UTC
    assert isinstance(UPDATED.start, datetime)
    assert judge([INVITED, UPDATED, a_reminder(5.0, "r")]) == []


@pytest.mark.parametrize(
    ("notices", "plan", "promise"),
    [
        ([INVITED], None, "M3"),
        ([INVITED, UPDATED], a_plan(attendees={ADA: False}), "M3"),
        ([a_notice(MOVED, 1.0, "u", is_cancel=True)], a_plan(is_cancelled=True), "M3"),
        ([a_notice(replace(MOVED, sequence=0), 1.0, "u"), INVITED], None, "M2"),
        ([UPDATED, a_notice(FIRST, 30.0, "i")], None, "M4"),
        ([INVITED, UPDATED, a_reminder(15.0, "r")], None, "M5"),
        ([INVITED, UPDATED, UPDATED], None, "arrived 2 times"),
        ([INVITED, UPDATED, a_notice(MOVED, 40.0, "other")], None, "in 2 mails"),
    ],
    ids=["old word", "removed", "strange cancel", "two contents", "order", "reminder", "2", "told"],
)
def test_each_broken_promise_is_found(
    notices: Sequence[Notice], plan: Plan | None, promise: str
) -> None:
    assert any(promise in each for each in judge(notices, plan))


def test_no_mail_may_show_the_address_of_another_attendee() -> None:
    shown = replace(FIRST, description="Ask m0-2@example.com")

    found = judge([a_notice(shown, 1.0, "i"), UPDATED])

    assert any("M7" in each for each in found)
