"""The codec of meetings. Oracle: the meeting that was stored, and the driver's BSON."""

from datetime import timedelta
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.adapters.mongo.codec import DECODE_ERRORS
from gcsched.adapters.mongo.meetings.attendee_codec import OPTIONAL_FIELDS as OF_ATTENDEES
from gcsched.adapters.mongo.meetings.claimed_meetings import decode_standing
from gcsched.adapters.mongo.meetings.meeting_codec import (
    OPTIONAL_FIELDS,
    decode_meeting,
    encode_meeting,
)
from gcsched.domain.calendar_file import Method
from gcsched.domain.job import State
from gcsched.domain.meeting_mail import Purpose, Role
from gcsched.domain.meetings.claims import find_standing
from gcsched.domain.meetings.meeting import (
    Attendee,
    MailText,
    Meeting,
    MeetingState,
    MeetingStep,
    MeetingTexts,
    Reminder,
    Told,
    Word,
)
from tests.support.builders import NOW, a_revision
from tests.support.clocks import SECOND
from tests.support.stored_meetings import a_planned_meeting, an_invitee

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TIMES = st.integers(0, 10**6).map(lambda seconds: NOW + seconds * SECOND)
COUNTS = st.integers(0, 99)
AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)

WORDS = st.builds(
    Word,
    told=st.sampled_from([Told.MAYBE, Told.SURE]),
    method=st.sampled_from(Method),
    sequence=COUNTS,
    revision=COUNTS,
) | st.just(Word())
ATTENDEE_FIELDS: dict[str, Any] = {
    "email": st.sampled_from(["ada@example.org", "Zoë@example.org", ""]),
    "name": TEXTS,
    "empid": TEXTS,
    "role": st.sampled_from(Role),
    "is_removed": st.booleans(),
    "removed_revision": COUNTS,
    "removal_reason": TEXTS,
    "invited_count": st.integers(1, 9),
    "invited_revision": st.integers(1, 9),
    "word": WORDS,
    "job_id": TEXTS,
    "delivery": st.none() | st.sampled_from(State),
    "delivery_reason": TEXTS,
    "mail_revision": COUNTS,
    "thread": TEXTS,
}
ATTENDEES = st.builds(an_invitee, **ATTENDEE_FIELDS)
STEPS = st.builds(
    MeetingStep, time=TIMES, client=TEXTS, via=TEXTS, method=TEXTS, revision=COUNTS, reason=TEXTS
)
MEETING_FIELDS: dict[str, Any] = {
    "state": st.sampled_from(MeetingState),
    "version": COUNTS,
    "changes": COUNTS,
    "content_revision": COUNTS,
    "attendees": st.lists(ATTENDEES, max_size=3).map(tuple),
    "reminders": st.lists(
        st.builds(Reminder, before=st.integers(1, 40_320).map(lambda n: timedelta(minutes=n))),
        max_size=2,
    ).map(tuple),
    "guests_see_each_other": st.booleans(),
    "invite_time": TIMES,
    "invite_revision": st.integers(1, 9),
    "reminder_revision": st.integers(1, 9),
    "texts": st.builds(
        MeetingTexts,
        mails=st.dictionaries(
            st.sampled_from(Purpose), st.builds(MailText, template=TEXTS.map("t".__add__))
        ),
        variables=st.dictionaries(st.sampled_from("ab"), TEXTS),
    ),
    "labels": st.dictionaries(st.sampled_from("ab"), TEXTS),
    "sender": TEXTS,
    "strict_time": st.booleans(),
    "client": TEXTS,
    "request_id": TEXTS,
    "fingerprint": TEXTS,
    "create_time": TIMES,
    "update_time": TIMES,
    "check_time": st.none() | TIMES,
    "steps": st.lists(STEPS, max_size=2).map(tuple),
}
MEETINGS = st.builds(a_planned_meeting, **MEETING_FIELDS)


def store(document: dict[str, Any]) -> dict[str, Any]:
    return bson.decode(bson.encode(document), AWARE)


def test_the_meetings_below_vary_in_every_field() -> None:
    """All but the revision, which has a document and a codec of its own."""
    assert ATTENDEE_FIELDS.keys() == set(Attendee.__struct_fields__)
    assert MEETING_FIELDS.keys() == set(Meeting.__struct_fields__) - {"revision"}


@given(MEETINGS)
def test_what_a_claim_is_checked_against_is_read_without_the_revision(meeting: Meeting) -> None:
    assert decode_standing(store(encode_meeting(meeting))) == find_standing(meeting)


@settings(max_examples=200)
@given(MEETINGS)
def test_a_stored_meeting_is_read_back(meeting: Meeting) -> None:
    assert decode_meeting(store(encode_meeting(meeting)), meeting.revision) == meeting


@given(MEETINGS)
def test_each_field_that_may_be_absent_is_known_to_be_so(meeting: Meeting) -> None:
    """A write removes those that have no value any more, so none may be left out of the list."""
    plain = encode_meeting(a_planned_meeting(check_time=None))
    document = encode_meeting(meeting)

    assert document.keys() - plain.keys() <= set(OPTIONAL_FIELDS)
    for attendee in document["attendees"]:
        assert attendee.keys() - {"empid", "email", "folded", "name", "job_id"} <= set(OF_ATTENDEES)


def test_a_document_of_the_version_before_has_defaults() -> None:
    document = {
        "_id": "meeting-1",
        "uid": "meeting-1@example.net",
        "state": "SCHEDULED",
        "version": 0,
        "revision": 1,
        "sequence": 0,
        "start": a_revision().start,
        "end": a_revision().end,
        "start_wall": "2027-01-05T09:00",
        "zone": "Europe/Berlin",
        "organizer": "no-reply@example.net",
        "attendees": [
            {"empid": "E1", "email": "ada@example.org", "name": "Ada", "job_id": "job-1"}
        ],
        "created": NOW,
        "delete_after": NOW,
    }

    meeting = decode_meeting(store(document), a_revision())

    assert meeting == a_planned_meeting(attendees=(an_invitee(job_id="job-1"),), check_time=None)
    assert (meeting.content_revision, meeting.changes, meeting.invite_revision) == (1, 0, 1)


@pytest.mark.parametrize(
    "name", ["state", "version", "attendees", "created", "reminders", "texts", "labels", "check"]
)
def test_a_damaged_field_is_refused(name: str) -> None:
    document = encode_meeting(a_planned_meeting())
    for odd in (1.5, "x" * 70_000, b"x", [1], True):
        with pytest.raises(DECODE_ERRORS, match=name):
            decode_meeting(store(document | {name: odd}), a_revision())


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("email", 1),
        ("email", None),
        ("role", "BOSS"),
        ("removed", "yes"),
        ("told", "OFTEN"),
        ("invited", -1),
        ("delivery", "LOST"),
        ("thread", ["x"]),
    ],
)
def test_a_damaged_attendee_is_refused(name: str, odd: object) -> None:
    document = encode_meeting(a_planned_meeting())
    document["attendees"][0][name] = odd

    with pytest.raises(DECODE_ERRORS, match=name):
        decode_meeting(store(document), a_revision())


def test_a_damaged_step_is_left_out() -> None:
    step = MeetingStep(time=NOW, client="hr", via="grpc", method="UpdateMeeting", revision=2)
    document = encode_meeting(a_planned_meeting(steps=(step,)))
    document["steps"] = [7, {"at": "now"}, *document["steps"]]

    assert decode_meeting(store(document), a_revision()).steps == (step,)
