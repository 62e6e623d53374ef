"""Noting sent mails in many meetings at once. Oracle: what the driver finds, and its profile."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.domain.calendar_file import Method
from gcsched.domain.job import Job, State
from gcsched.domain.meeting_mail import MeetingMail
from gcsched.domain.meetings.evidence import fold_jobs
from gcsched.domain.meetings.meeting import Told, Word
from gcsched.errors import StoreRefused
from gcsched.usecases.meetings.notices import make_word
from gcsched.usecases.ports import SentWord
from tests.support.builders import a_revision, an_invitation
from tests.support.clocks import SECOND
from tests.support.mongo_profile import profile_commands
from tests.support.rows import Row
from tests.support.stored_meetings import MINUTE, a_planned_meeting, send

RETENTION = timedelta(days=36500)  # MongoDB would delete what is past
WITHIN = 5 * SECOND


@pytest.fixture
def meetings(mongo: Mongo) -> MongoMeetings:
    return MongoMeetings(mongo=mongo, retention=RETENTION)


async def schedule(mongo: Mongo, count: int) -> list[Job]:
    """Store *count* requests with an event, as they are once their mails were sent."""
    jobs = [
        an_invitation(
            id=f"job-{number}",
            dedup_key=f"key-{number}",
            message_id=f"job-{number}@example.net",
            meeting=MeetingMail(revision=a_revision(meeting_id=f"m-{number}")),
        )
        for number in range(count)
    ]
    await MongoEventMeetings(mongo=mongo, retention=RETENTION).record(jobs, [], within=WITHIN)
    sent = [send(job) for job in jobs]
    await mongo.jobs.insert_many([encode(job) for job in sent])
    return sent


def words_of(jobs: list[Job]) -> list[SentWord]:
    return [make_word(job, job.meeting) for job in jobs if job.meeting is not None]


async def test_sent_invitations_are_noted_without_a_read_and_nothing_is_left_to_do(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row]
) -> None:
    jobs = await schedule(mongo, 50)

    profile = await profile_commands(mongo, raw, lambda _: meetings.note_sent(words_of(jobs)))

    [statement] = profile
    assert statement["op"] == "update"
    assert statement["keysExamined"] <= len(jobs) + 1
    assert statement["docsExamined"] == len(jobs)
    assert raw["meetings"].count_documents({"check": {"$exists": True}}) == 0
    meeting = await meetings.find("m-7")
    assert meeting is not None
    [attendee] = meeting.attendees
    assert attendee.word == Word(told=Told.SURE, method=Method.REQUEST, sequence=0, revision=1)
    assert (attendee.delivery, attendee.thread) == (State.SENT, "job-7@example.net")
    assert meeting.version == 1
    noted = fold_jobs(meeting, await meetings.find_jobs("m-7"))
    assert noted == meeting, "a plan would note nothing else"


async def test_a_repeated_note_has_nothing_to_do(mongo: Mongo, meetings: MongoMeetings) -> None:
    jobs = await schedule(mongo, 3)

    assert await meetings.note_sent(words_of(jobs)) == ()
    assert not await meetings.note_sent(words_of(jobs))

    meeting = await meetings.find("m-1")
    assert meeting is not None
    assert meeting.version == 1


@pytest.mark.parametrize(
    "change",
    [
        {"reminders": [{"before": 600, "template": ""}]},
        {"state": "CANCELLED"},
        {"content_revision": 2},
        {"version": "1"},
        {"attendees.0.removed": True},
        {"attendees.0.invited": 2},
        {"attendees.0.job_id": "job-9"},
        {"attendees.1": {"email": "eve@example.org", "job_id": ""}},
    ],
    ids=str,
)
async def test_a_meeting_with_more_to_do_stays_as_it_is_and_is_to_be_looked_at(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row], change: Row
) -> None:
    jobs = await schedule(mongo, 3)
    raw["meetings"].update_one({"_id": "m-1"}, {"$set": change})
    before = raw["meetings"].find_one({"_id": "m-1"})

    assert set(await meetings.note_sent(words_of(jobs))) == {"m-1"}

    assert raw["meetings"].find_one({"_id": "m-1"}) == before
    assert raw["meetings"].count_documents({"check": {"$exists": True}}) == 1


async def test_each_meeting_gets_the_word_and_the_thread_of_its_own_mail(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row]
) -> None:
    words = words_of(await schedule(mongo, 4))
    words[2] = replace(words[2], word=replace(words[2].word, revision=2, sequence=1))
    older = replace(words[3], job_id="job-9", message_id="job-9@example.net")

    assert not await meetings.note_sent([*words, older])

    noted = {row["_id"]: row["attendees"][0] for row in raw["meetings"].find()}
    assert {key: row["thread"] for key, row in noted.items()} == {
        f"m-{number}": f"job-{number}@example.net" for number in range(4)
    }
    assert {key: (row["sequence"], row["heard"], row["shown"]) for key, row in noted.items()} == {
        "m-0": (0, 1, 1),
        "m-1": (0, 1, 1),
        "m-2": (1, 2, 2),
        "m-3": (0, 1, 1),
    }


async def test_all_else_in_a_noted_meeting_is_as_it_was(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row]
) -> None:
    jobs = await schedule(mongo, 2)
    marks = {"attendees.0.role": "OPTIONAL", "attendees.0.note": {"by": "$hand"}, "changes": 3}
    raw["meetings"].update_one(
        {"_id": "m-1"},
        {"$set": {**marks, "attendees.0.delivery_reason": "no route", "content_revision": 1}},
    )
    before = raw["meetings"].find_one({"_id": "m-1"})
    assert before is not None

    await meetings.note_sent(words_of(jobs))

    noted = {"told": "SURE", "method": "REQUEST", "sequence": 0, "heard": 1, "shown": 1}
    [attendee] = before["attendees"]
    del before["check"], attendee["delivery_reason"]
    attendee |= {**noted, "delivery": "SENT", "thread": "job-1@example.net"}
    assert raw["meetings"].find_one({"_id": "m-1"}) == {**before, "version": 1}


async def test_meetings_that_cannot_be_written_do_not_stop_the_others(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row]
) -> None:
    jobs = await schedule(mongo, 40)
    bad = {f"m-{number}" for number in range(0, 40, 5)}
    raw["meetings"].update_many({"_id": {"$in": [*bad]}}, {"$set": {"zone": "bad"}})
    raw.command("collMod", "meetings", validator={"zone": {"$ne": "bad"}})
    try:
        assert set(await meetings.note_sent(words_of(jobs))) == bad
    finally:
        raw.command("collMod", "meetings", validator={})

    assert raw["meetings"].count_documents({"attendees.told": "SURE", "version": 1}) == 32
    assert {row["_id"] for row in raw["meetings"].find({"check": {"$exists": True}})} == bad


async def test_a_refusal_of_too_many_meetings_is_an_error_and_the_notes_may_be_repeated(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row]
) -> None:
    jobs = await schedule(mongo, 12)
    raw.command("collMod", "meetings", validator={"never": True})
    try:
        with pytest.raises(StoreRefused):
            await meetings.note_sent(words_of(jobs))
    finally:
        raw.command("collMod", "meetings", validator={})

    assert not await meetings.note_sent(words_of(jobs))
    assert raw["meetings"].count_documents({"attendees.told": "SURE", "version": 1}) == 12


async def test_meetings_that_are_gone_are_left_out(mongo: Mongo, meetings: MongoMeetings) -> None:
    jobs = await schedule(mongo, 2)
    await mongo.meetings.delete_one({"_id": "m-0"})

    assert not await meetings.note_sent(words_of(jobs))


async def test_a_change_that_was_made_meanwhile_is_not_lost(
    mongo: Mongo, meetings: MongoMeetings
) -> None:
    jobs = await schedule(mongo, 1)
    seen = await meetings.find("m-0")
    assert seen is not None
    await meetings.note_sent(words_of(jobs))

    stale = replace(seen, version=1, check_time=seen.create_time + MINUTE)

    assert not await meetings.replace(seen, stale, within=WITHIN)


async def test_each_attendee_of_a_meeting_of_several_is_left_to_a_plan(
    meetings: MongoMeetings,
) -> None:
    planned = a_planned_meeting(2)
    await meetings.insert(planned, within=WITHIN)
    jobs = [send(an_invitation(id=f"job-{number}")) for number in (1, 2)]

    assert set(await meetings.note_sent(words_of(jobs))) == {"meeting-1"}
    assert await meetings.find("meeting-1") == planned
