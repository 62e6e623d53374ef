"""Forgetting an employee in meetings of several people. Oracle: what the driver finds."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from pymongo.database import Database

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.domain.job import Job, State
from gcsched.domain.meeting import Person
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.meeting import (
    Meeting,
    MeetingState,
    MeetingStep,
    MeetingTexts,
    Told,
)
from gcsched.usecases.ports import ErasedMeetings
from tests.support.builders import NOW, a_revision, an_invitation
from tests.support.clocks import SECOND
from tests.support.rows import Row
from tests.support.stored_meetings import a_planned_meeting, an_invitee, send

WITHIN = 5 * SECOND
OVER = a_revision().end
GUESTS = (Person("ada@example.org", "Ada"), Person("guest-2@example.org", "Guest-2"))
STEP = MeetingStep(
    time=NOW, client="hr", via="grpc", method="CancelMeeting", revision=1, reason="Ada is ill"
)


@pytest.fixture
def meetings(mongo: Mongo) -> MongoMeetings:
    return MongoMeetings(mongo=mongo, retention=timedelta(days=36500))


@pytest.fixture
def data(mongo: Mongo) -> MongoPersonalData:
    return MongoPersonalData(mongo=mongo)


def a_meeting_of_two(**others: object) -> Meeting:
    meeting = a_planned_meeting(2, **{"check_time": None, "steps": (STEP,), **others})
    revision = replace(meeting.revision, guests=GUESTS, reason="Ada is ill", location="Ada's flat")
    variables = MeetingTexts(variables={"who": "Ada"})
    return replace(meeting, revision=revision, labels={"for": "Ada"}, texts=variables)


def an_invitation_to(
    meeting: Meeting, number: int, mail: MeetingMail | None = None, **others: object
) -> Job:
    attendee = meeting.attendees[number - 1]
    return an_invitation(
        id=f"job-{number}",
        dedup_key=f"key-{number}",
        empid=attendee.empid,
        email=attendee.email,
        name=attendee.name,
        meeting=mail or MeetingMail(revision=meeting.revision),
        **others,
    )


async def test_an_attendee_of_a_meeting_that_is_over_is_erased_everywhere(
    meetings: MongoMeetings, data: MongoPersonalData, raw: Database[Row]
) -> None:
    meeting = a_meeting_of_two()
    ada = replace(
        meeting.attendees[0], delivery_reason="550 Ada", removal_reason="Ada", is_removed=True
    )
    meeting = replace(meeting, attendees=(ada, meeting.attendees[1]))
    await meetings.insert(meeting, within=WITHIN)
    mail = MeetingMail(revision=meeting.revision, purpose=Purpose.UPDATE, earlier=meeting.revision)
    jobs = [send(an_invitation_to(meeting, 1, mail)), send(an_invitation_to(meeting, 2))]
    raw["jobs"].insert_many(map(encode, jobs))

    await data.erase_jobs("E1", after="", most=10, now=OVER)
    erased = await data.erase_meetings("E1", after="", most=10, now=OVER)
    again = await data.erase_meetings("E1", after="", most=10, now=OVER)

    assert erased == again == ErasedMeetings(kept=0, last=None)
    other = raw["jobs"].find_one({"_id": "job-2"}) or {}
    rest = [*raw["jobs"].find({"_id": "job-1"}), *raw["meetings"].find()]
    rest += [*raw["meeting_revisions"].find(), other["invitation"]["guests"]]
    assert "Ada" not in str(rest)
    assert "ada" not in str(rest).replace("metadata", "")
    assert [each["name"] for each in other["invitation"]["guests"]] == ["Guest-2"]
    found = await meetings.find("meeting-1")
    assert found is not None
    assert [each.name for each in found.attendees] == ["", "Guest-2"]
    assert found.version == meeting.version + 1
    assert [decode(row).meeting is not None for row in raw["jobs"].find()] == [True, True]


async def test_an_attendee_who_may_have_to_be_mailed_is_kept_and_counted(
    meetings: MongoMeetings, data: MongoPersonalData, raw: Database[Row]
) -> None:
    meeting = a_meeting_of_two()
    await meetings.insert(meeting, within=WITHIN)
    raw["jobs"].insert_one(encode(send(an_invitation_to(meeting, 1))))

    before = OVER - timedelta(milliseconds=1)
    assert await data.erase_meetings("E1", after="", most=10, now=before) == ErasedMeetings(
        kept=1, last=None
    )

    assert await meetings.find("meeting-1") == meeting


async def test_a_meeting_with_an_unfinished_mail_is_kept_and_its_job_counted(
    meetings: MongoMeetings, data: MongoPersonalData, raw: Database[Row]
) -> None:
    meeting = a_meeting_of_two()
    await meetings.insert(meeting, within=WITHIN)
    raw["jobs"].insert_one(encode(an_invitation_to(meeting, 1, state=State.UNCERTAIN)))

    erased = await data.erase_meetings("E1", after="", most=10, now=OVER)
    other = await data.erase_meetings("E2", after="", most=10, now=OVER)

    assert (erased.kept, other.kept) == (0, 0)
    found = await meetings.find("meeting-1")
    assert found is not None
    assert [each.name for each in found.attendees] == ["Ada", ""]


@pytest.mark.parametrize("check_time", [None, NOW])
@pytest.mark.parametrize("why", ["cancelled", "removed"])
async def test_a_meeting_is_over_for_one_who_will_get_no_mail_about_it(
    meetings: MongoMeetings,
    data: MongoPersonalData,
    raw: Database[Row],
    check_time: object,
    why: str,
) -> None:
    """It was cancelled, or the attendee removed, and the mails about that have ended."""
    meeting = a_meeting_of_two(check_time=check_time)
    if why == "cancelled":
        meeting = replace(meeting, state=MeetingState.CANCELLED)
    else:
        gone = replace(meeting.attendees[0], is_removed=True)
        meeting = replace(meeting, attendees=(gone, meeting.attendees[1]))
    await meetings.insert(meeting, within=WITHIN)

    erased = await data.erase_meetings("E1", after="", most=10, now=NOW)

    found = await meetings.find("meeting-1")
    assert found is not None
    is_erased = check_time is None
    assert (erased.kept, found.attendees[0].email == "") == (0 if is_erased else 1, is_erased)
    [revision] = raw["meeting_revisions"].find()
    guests = [each["name"] for each in revision.get("guests", [])]
    if not is_erased:
        assert guests == ["Ada", "Guest-2"]
    elif why == "cancelled":
        assert (guests, revision["location"]) == ([], "")
    else:
        assert (guests, revision["location"]) == (["Guest-2"], "Ada's flat"), "others need it"


async def test_an_erased_mail_still_proves_what_its_attendee_was_sent(
    meetings: MongoMeetings, data: MongoPersonalData, raw: Database[Row]
) -> None:
    """The employee was forgotten before the outcome was noted, and the meeting is ahead."""
    meeting = a_planned_meeting(attendees=(an_invitee(job_id="job-1"), an_invitee(2)))
    await meetings.insert(meeting, within=WITHIN)
    raw["jobs"].insert_one(encode(send(an_invitation_to(meeting, 1))))
    await data.erase_jobs("E1", after="", most=10, now=NOW)

    jobs = await meetings.find_jobs("meeting-1")

    noted = fold_jobs(meeting, jobs)
    assert [each.word.told for each in noted.attendees] == [Told.SURE, Told.NOTHING]
