"""The meetings of requests with an event, beside their jobs. Oracle: what the driver finds."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meeting_document import decode_revision
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.domain.dedup import AdmissionResult
from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.meeting import MailText
from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import ErasedMeetings
from tests.support.builders import NOW, SENDER, a_job, a_revision, an_invitation
from tests.support.clocks import DAY, SECOND
from tests.support.corrupt_jobs import PAST
from tests.support.rows import Row

RETENTION = timedelta(days=36500)  # MongoDB would delete what is past
WITHIN = 5 * SECOND
OVER = a_revision().end


@pytest.fixture
def meetings(mongo: Mongo) -> MongoEventMeetings:
    return MongoEventMeetings(mongo=mongo, retention=RETENTION)


def invitations(count: int, **others: Any) -> list[Job]:
    return [
        an_invitation(
            id=f"job-{number}",
            dedup_key=f"key-{number}",
            meeting=MeetingMail(revision=a_revision(meeting_id=f"meeting-{number}")),
            **others,
        )
        for number in range(count)
    ]


async def test_a_meeting_and_its_first_revision_are_stored(
    meetings: MongoEventMeetings, raw: Database[Row]
) -> None:
    job = an_invitation(client="hr")

    await meetings.record([job, a_job()], [], within=WITHIN)

    [meeting] = raw["meetings"].find()
    [revision] = raw["meeting_revisions"].find()
    kept_until = a_revision().end + RETENTION
    assert meeting == {
        "_id": "meeting-1",
        "uid": "meeting-1@example.net",
        "state": "SCHEDULED",
        "version": 0,
        "changes": 0,
        "revision": 1,
        "content_revision": 1,
        "sequence": 0,
        "start": a_revision().start,
        "end": a_revision().end,
        "start_wall": "2027-01-05T09:00",
        "zone": "Europe/Berlin",
        "organizer": SENDER.email,
        "attendees": [
            {
                "empid": "E1",
                "email": "ada@example.org",
                "folded": "ada@example.org",
                "name": "Ada",
                "job_id": "job-1",
                "shown": 1,
            }
        ],
        "client": "hr",
        "created": NOW,
        "updated": NOW,
        "invite": NOW,
        "check": NOW + 60 * SECOND,
        "delete_after": kept_until,
    }
    assert (revision["_id"], revision["delete_after"]) == ("meeting-1:1", kept_until)
    assert decode_revision(revision) == job.revision


async def test_a_meeting_keeps_what_later_mails_need_of_its_job(
    mongo: Mongo, meetings: MongoEventMeetings
) -> None:
    job = an_invitation(
        template="party",
        variables={"a": "b"},
        labels={"c": "d"},
        sender="people",
        schedule_time=NOW + DAY,
        due_time=NOW + DAY,
    )

    await meetings.record([job], [], within=WITHIN)

    found = await MongoMeetings(mongo=mongo, retention=RETENTION).find("meeting-1")
    assert found is not None
    assert found.texts.mails == {Purpose.INVITATION: MailText(template="party")}
    assert (found.texts.variables, found.labels) == (job.variables, job.labels)
    assert (found.sender, found.invite_time) == ("people", NOW + DAY)
    assert found.check_time == NOW + DAY + 60 * SECOND


async def test_what_is_stored_stays_as_it_is(
    meetings: MongoEventMeetings, raw: Database[Row]
) -> None:
    await meetings.record([an_invitation()], [], within=WITHIN)
    raw["meetings"].update_one({}, {"$set": {"sequence": 3, "version": 3}})

    await meetings.record([an_invitation(name="Eve")], [], within=WITHIN)
    await meetings.restore([an_invitation(name="Eve")])

    [meeting] = raw["meetings"].find()
    assert (meeting["sequence"], meeting["attendees"][0]["name"]) == (3, "Ada")


async def test_many_processes_store_one_meeting(
    meetings: MongoEventMeetings, another_mongo: Mongo, raw: Database[Row]
) -> None:
    others = MongoEventMeetings(mongo=another_mongo, retention=RETENTION)
    jobs = invitations(5)

    await asyncio.gather(
        *(each.record(jobs, [], within=WITHIN) for each in [meetings, others] * 10)
    )

    assert raw["meetings"].count_documents({}) == raw["meeting_revisions"].count_documents({}) == 5


async def test_a_repeated_call_stores_what_a_process_that_died_had_not(
    mongo: Mongo, meetings: MongoEventMeetings, raw: Database[Row]
) -> None:
    first, second = invitations(2)
    admissions = MongoAdmissions(mongo=mongo)
    await admissions.admit([first, second], within=WITHIN)
    await meetings.record([second], [], within=WITHIN)
    raw["meetings"].update_one({"_id": "meeting-1"}, {"$set": {"sequence": 3}})

    again = an_invitation(
        id="job-9", dedup_key="key-0", meeting=MeetingMail(revision=a_revision(meeting_id="new"))
    )
    [answer] = await admissions.admit([again], within=WITHIN)
    assert isinstance(answer, AdmissionResult)
    replayed = [(answer.job_id, answer.meeting_id), ("job-1", "meeting-1")]
    assert replayed[0] == ("job-0", "meeting-0")
    await meetings.record([], replayed, within=WITHIN)

    found = {row["_id"]: row["sequence"] for row in raw["meetings"].find()}
    assert found == {"meeting-0": 0, "meeting-1": 3}
    assert raw["meeting_revisions"].count_documents({}) == 2


async def test_a_refusal_is_an_error(meetings: MongoEventMeetings, raw: Database[Row]) -> None:
    raw.command("collMod", "meetings", validator={"never": True})
    try:
        with pytest.raises(StoreUnavailable):
            await meetings.record([an_invitation()], [], within=WITHIN)
        assert raw["meetings"].count_documents({}) == 0
    finally:
        raw.command("collMod", "meetings", validator={})
    await meetings.restore([an_invitation()])
    assert raw["meetings"].count_documents({}) == 1


async def test_forgetting_an_employee_erases_the_invitation_and_the_meeting(
    mongo: Mongo, meetings: MongoEventMeetings, raw: Database[Row]
) -> None:
    texts = {"location": "Ada's flat", "url": "https://ada.example.org", "description": "Ada"}
    revision = a_revision(summary="Talk with Ada", **texts)
    other = an_invitation(
        id="job-2", empid="E2", meeting=MeetingMail(revision=a_revision(meeting_id="meeting-2"))
    )
    sent = an_invitation(
        state=State.SENT, meeting=MeetingMail(revision=revision), message="Talk with Ada"
    )
    await meetings.record([sent, other], [], within=WITHIN)
    raw["jobs"].insert_one(encode(sent))
    data = MongoPersonalData(mongo=mongo)

    await data.erase_jobs("E1", after="", most=10, now=NOW)
    erased = await data.erase_meetings("E1", after="", most=10, now=OVER)
    assert erased == ErasedMeetings(kept=0, last=None)

    rest = [*raw["jobs"].find(), *raw["meetings"].find(), *raw["meeting_revisions"].find()]
    about_ada = [row for row in rest if "meeting-2" not in row["_id"]]
    assert len(about_ada) == 3
    assert "Ada" not in str(about_ada)
    assert "ada" not in str(about_ada).replace("metadata", "")
    job = decode(raw["jobs"].find_one() or {})
    assert job.revision is not None
    assert job.revision.meeting_id == "meeting-1"
    assert job.revision.organizer == SENDER
    [kept] = raw["meetings"].find({"_id": "meeting-2"})
    assert kept["attendees"][0]["name"] == "Ada"


async def test_the_meeting_of_a_job_that_is_not_finished_is_kept(
    mongo: Mongo, meetings: MongoEventMeetings, raw: Database[Row]
) -> None:
    jobs = invitations(3)
    await meetings.record(jobs, [], within=WITHIN)
    raw["jobs"].insert_one(encode(jobs[1]))
    data, after = MongoPersonalData(mongo=mongo), ""

    for _ in range(4):
        batch = await data.erase_meetings("E1", after=after, most=1, now=OVER)
        assert batch.kept == 0, "the unfinished job is counted already"
        if batch.last is None:
            break
        after = batch.last

    names = {row["_id"]: row["attendees"][0]["name"] for row in raw["meetings"].find()}
    assert names == {"meeting-0": "", "meeting-1": "Ada", "meeting-2": ""}


async def test_an_erased_job_makes_no_personal_meeting(
    mongo: Mongo, meetings: MongoEventMeetings, raw: Database[Row]
) -> None:
    """Its process died before the meeting was stored, and its call is repeated after erasure."""
    raw["jobs"].insert_one(encode(an_invitation(state=State.SENT)))
    await MongoPersonalData(mongo=mongo).erase_jobs("E1", after="", most=10, now=NOW)

    await meetings.record([], [("job-1", "meeting-1")], within=WITHIN)

    [meeting], [revision] = raw["meetings"].find(), raw["meeting_revisions"].find()
    assert (meeting["attendees"][0]["email"], revision["summary"]) == ("", "(erased)")


async def test_a_damaged_invitation_is_erased_too(mongo: Mongo, raw: Database[Row]) -> None:
    rows = [
        encode(an_invitation(id=f"job-{n}", dedup_key=None, state=State.FAILED)) for n in range(3)
    ]
    for row, odd in zip(rows, ["Ada", ["Ada"], {"summary": 7, "location": ["Ada"]}], strict=True):
        raw["jobs"].insert_one(row | {"invitation": odd})

    batch = await MongoPersonalData(mongo=mongo).erase_jobs("E1", after="", most=10, now=NOW)

    assert batch.jobs == 3
    assert "Ada" not in str([*raw["jobs"].find()])


async def test_what_an_older_version_erased_without_its_meeting_is_erased(
    mongo: Mongo, raw: Database[Row]
) -> None:
    rest = {"email": "", "name": "", "message": ""}
    raw["jobs"].insert_one(encode(an_invitation(state=State.SENT)) | rest)
    data = MongoPersonalData(mongo=mongo)

    first = await data.erase_jobs("E1", after="", most=10, now=NOW)
    again = await data.erase_jobs("E1", after="", most=10, now=NOW)

    [row] = raw["jobs"].find()
    assert (first.jobs, again.jobs, row["invitation"]["summary"]) == (1, 0, "(erased)")


async def test_a_job_with_a_damaged_invitation_is_quarantined_until_it_is_repaired(
    mongo: Mongo, raw: Database[Row], recovery: MongoRecovery
) -> None:
    document = encode(an_invitation(due_time=PAST))
    raw["jobs"].insert_one(document | {"invitation": document["invitation"] | {"uid": 7}})
    claims = MongoClaims(mongo=mongo)

    claimed = await claims.claim("token", 10, now=datetime.now(UTC))
    [quarantined] = raw["jobs"].find()
    raw["jobs"].update_one({}, {"$set": {"invitation": document["invitation"]}})
    await recovery.check_unreadable(10)
    later = await claims.claim("token", 10, now=datetime.now(UTC))

    assert (claimed.jobs, quarantined["state"]) == ((), "UNREADABLE")
    assert [job.revision for job in later.jobs] == [a_revision()]
