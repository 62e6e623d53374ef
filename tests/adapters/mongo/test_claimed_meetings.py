"""The check of claimed mails about meetings. Oracle: `find_objection`, and MongoDB's profile."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.claimed_meetings import (
    MISSING,
    UNREADABLE,
    MongoClaimedMeetings,
)
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.domain.job import Job
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.claims import Objection
from gcsched.domain.meetings.keys import reminder_key
from gcsched.domain.meetings.meeting import Meeting, MeetingState, Reminder
from gcsched.errors import StoreUnavailable
from tests.support.builders import a_revision, an_invitation
from tests.support.clocks import SECOND
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row
from tests.support.stored_meetings import MINUTE, a_planned_meeting, revise_meeting

RETENTION = timedelta(days=36500)  # MongoDB would delete what is past
WITHIN = 5 * SECOND


@pytest.fixture
def meetings(mongo: Mongo) -> MongoMeetings:
    return MongoMeetings(mongo=mongo, retention=RETENTION)


@pytest.fixture
def claimed(mongo: Mongo) -> MongoClaimedMeetings:
    return MongoClaimedMeetings(
        mongo=mongo, event_meetings=MongoEventMeetings(mongo=mongo, retention=RETENTION)
    )


def a_mail(meeting: Meeting, number: int = 1, *, id_: str = "job-1", **details: Any) -> Job:
    mail = MeetingMail(**{"revision": meeting.revision, **details})
    email = meeting.attendees[number - 1].email
    return an_invitation(id=id_, dedup_key=f"key {id_}", email=email, meeting=mail)


async def test_a_mail_that_its_meeting_wants_may_be_sent(
    meetings: MongoMeetings, claimed: MongoClaimedMeetings
) -> None:
    meeting = await meetings.insert(a_planned_meeting(), within=WITHIN)
    elsewhere = replace(a_mail(meeting), email="ADA@example.org")

    assert await claimed.check([a_mail(meeting), replace(elsewhere, id="job-2")]) == {}


async def test_a_batch_is_checked_by_one_read(
    mongo: Mongo, meetings: MongoMeetings, claimed: MongoClaimedMeetings, raw: Database[Row]
) -> None:
    jobs = []
    for number in range(20):
        revision = a_revision(meeting_id=f"meeting-{number}")
        meeting = await meetings.insert(a_planned_meeting(3, revision=revision), within=WITHIN)
        jobs += [a_mail(meeting, each, id_=f"job-{number}-{each}") for each in (1, 2, 3)]

    [read] = await profile_commands(mongo, raw, lambda _: claimed.check(jobs))

    assert "IXSCAN" in stages(read["execStats"])
    assert (read["op"], read["nreturned"], read["keysExamined"] <= 40) == ("query", 20, True)
    assert read["responseLength"] < 20 * 600, "only what decides is read"


async def test_what_the_meeting_does_not_want_is_ended(
    meetings: MongoMeetings, claimed: MongoClaimedMeetings
) -> None:
    first = await meetings.insert(a_planned_meeting(3), within=WITHIN)
    jobs = [a_mail(first, number, id_=f"job-{number}") for number in (1, 2)]
    gone = replace(first.attendees[0], is_removed=True, removed_revision=1)
    kept = replace(first.attendees[1], invited_count=2)
    changed = replace(first, version=1, attendees=(gone, kept, first.attendees[2]))
    await meetings.replace(first, changed, within=WITHIN)

    found = await claimed.check(jobs)

    assert {job_id: each.is_final for job_id, each in found.items()} == {
        "job-1": True,
        "job-2": True,
    }
    assert found["job-1"].reason == "the attendee was removed"
    cancelled = replace(changed, version=2, state=MeetingState.CANCELLED)
    await meetings.replace(changed, cancelled, within=WITHIN)
    third = a_mail(first, 3, id_="job-3")
    assert await claimed.check([third]) == {"job-3": Objection(reason="the meeting was cancelled")}


async def test_a_mail_with_an_old_revision_waits_and_a_reminder_of_an_old_start_ends(
    meetings: MongoMeetings, claimed: MongoClaimedMeetings
) -> None:
    reminders = (Reminder(before=30 * MINUTE),)
    first = await meetings.insert(a_planned_meeting(reminders=reminders), within=WITHIN)
    key = reminder_key(first, first.attendees[0], 30 * MINUTE)
    reminder = replace(a_mail(first, purpose=Purpose.REMINDER, id_="job-2"), dedup_key=key)
    assert await claimed.check([reminder]) == {}
    start, end = first.revision.start + MINUTE, first.revision.end + MINUTE
    await meetings.replace(first, revise_meeting(first, start=start, end=end), within=WITHIN)

    found = await claimed.check([a_mail(first), reminder])

    assert {job_id: each.is_final for job_id, each in found.items()} == {
        "job-1": False,
        "job-2": True,
    }


async def test_the_missing_meeting_of_a_request_with_an_event_is_stored(
    meetings: MongoMeetings, claimed: MongoClaimedMeetings, raw: Database[Row]
) -> None:
    """A process died between the job and its meeting."""
    jobs = [
        an_invitation(
            id=f"job-{number}", meeting=MeetingMail(revision=a_revision(meeting_id=f"m-{number}"))
        )
        for number in range(5)
    ]
    raw["jobs"].insert_many([encode(job) | {"dedup_key": job.id} for job in jobs])

    assert await claimed.check(jobs) == {}

    assert raw["meetings"].count_documents({}) == 5
    assert await meetings.find("m-3") is not None


@pytest.mark.parametrize(
    "details", [{"purpose": Purpose.REMINDER}, {"revision": a_revision(number=2)}]
)
async def test_a_mail_whose_meeting_is_gone_ends(
    claimed: MongoClaimedMeetings, raw: Database[Row], details: dict[str, Any]
) -> None:
    job = a_mail(a_planned_meeting(), **details)

    assert await claimed.check([job]) == {"job-1": MISSING}

    assert raw["meetings"].count_documents({}) == 0


async def test_a_mail_whose_meeting_cannot_be_read_waits(
    meetings: MongoMeetings, claimed: MongoClaimedMeetings, raw: Database[Row]
) -> None:
    meeting = await meetings.insert(a_planned_meeting(), within=WITHIN)
    raw["meetings"].update_one({}, {"$set": {"attendees": "Ada"}})

    assert await claimed.check([a_mail(meeting)]) == {"job-1": UNREADABLE}
    assert not UNREADABLE.is_final


async def test_a_meeting_of_the_version_before_wants_its_invitation(
    claimed: MongoClaimedMeetings, raw: Database[Row]
) -> None:
    raw["meetings"].insert_one(
        {
            "_id": "meeting-1",
            "state": "SCHEDULED",
            "start": a_revision().start,
            "attendees": [{"email": "Ada@example.org", "empid": "E1", "job_id": "job-1"}],
        }
    )

    assert await claimed.check([an_invitation()]) == {}


async def test_a_meeting_that_cannot_be_stored_is_an_error(
    claimed: MongoClaimedMeetings, raw: Database[Row]
) -> None:
    raw.command("collMod", "meetings", validator={"never": True})
    try:
        with pytest.raises(StoreUnavailable):
            await claimed.check([an_invitation()])
    finally:
        raw.command("collMod", "meetings", validator={})
