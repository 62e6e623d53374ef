"""Which revision the calendar file of an attendee shows. Oracle: what the contract says of it."""

from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.calendar_file import Method
from gcsched.domain.meetings.calendars import (
    find_attendee,
    find_shown_number,
    write_calendar,
)
from gcsched.domain.meetings.meeting import Attendee, Meeting, MeetingState, Told, Word
from tests.support.builders import a_revision
from tests.support.stored_meetings import a_planned_meeting, an_invitee

REQUESTED, CANCELLED = (
    Word(told=Told.SURE, method=method, revision=revision)
    for method, revision in ((Method.REQUEST, 2), (Method.CANCEL, 3))
)


def a_meeting(content: int, *attendees: Attendee, **others: Any) -> Meeting:
    """Build a meeting whose fifth revision is the latest, and whose content is older."""
    return a_planned_meeting(
        revision=a_revision(number=5),
        content_revision=content,
        attendees=attendees or (an_invitee(),),
        **others,
    )


@pytest.mark.parametrize(
    ("attendee", "content", "shown"),
    [
        (an_invitee(), 2, 5),
        (an_invitee(word=REQUESTED), 2, 2),
        (an_invitee(word=REQUESTED), 3, 5),
        (an_invitee(word=CANCELLED), 2, 5),
        (an_invitee(word=CANCELLED, is_removed=True, removed_revision=3), 2, 3),
        (an_invitee(word=REQUESTED, is_removed=True, removed_revision=4), 2, 4),
    ],
)
def test_it_shows_what_the_latest_mail_has_or_would_have(
    attendee: Attendee, content: int, shown: int
) -> None:
    assert find_shown_number(a_meeting(content, attendee), attendee) == shown


def test_a_cancelled_meeting_is_shown_as_the_cancellation_has_it() -> None:
    state = MeetingState.CANCELLED
    for word, shown in ((CANCELLED, 3), (REQUESTED, 5), (Word(), 5)):
        attendee = an_invitee(word=word)
        assert find_shown_number(a_meeting(5, attendee, state=state), attendee) == shown


def test_an_attendee_is_found_in_any_spelling_while_a_mail_may_have_left() -> None:
    removed = an_invitee(is_removed=True)
    known = replace(removed, word=REQUESTED)
    erased = replace(an_invitee(), email="")

    assert find_attendee(a_meeting(1), "ADA@Example.org") == an_invitee()
    assert find_attendee(a_meeting(1), "eve@example.org") is None
    assert find_attendee(a_meeting(1, removed), "ada@example.org") is None
    assert find_attendee(a_meeting(1, known), "ada@example.org") == known
    assert find_attendee(a_meeting(1, erased), "ada@example.org") is None


def test_only_a_cancelled_meeting_is_off_for_all() -> None:
    removed = an_invitee(word=REQUESTED, is_removed=True)
    meeting = a_meeting(1, removed, an_invitee(2))
    off = replace(meeting, state=MeetingState.CANCELLED)
    revision = meeting.revision

    uninvited = write_calendar(meeting, removed, revision)
    cancelled = write_calendar(off, meeting.attendees[1], revision)

    assert b"METHOD:CANCEL" in uninvited
    assert b"STATUS" not in uninvited
    assert b"METHOD:CANCEL" in cancelled
    assert b"STATUS:CANCELLED" in cancelled
    assert b"METHOD:REQUEST" in write_calendar(meeting, meeting.attendees[1], revision)
