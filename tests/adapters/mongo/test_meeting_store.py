"""The store of meetings and revisions. Oracle: what the driver finds, and what was stored."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from msgspec.structs import replace
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meeting_document import decode_revision
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.domain.calendar_file import Method
from gcsched.domain.job import State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.domain.meetings.meeting import MailText, Meeting, MeetingTexts, Told, Word
from gcsched.errors import StoreUnavailable, UnreadableMeeting
from tests.support.builders import NOW, a_revision, an_invitation
from tests.support.clocks import DAY, SECOND
from tests.support.rows import Row
from tests.support.stored_meetings import (
    a_next_revision,
    a_planned_meeting,
    an_invitee,
    revise_meeting,
)
from tests.support.wait import until

RETENTION = timedelta(days=36500)  # MongoDB would delete what is past
WITHIN = 5 * SECOND
SURE = Word(told=Told.SURE, method=Method.REQUEST, sequence=0, revision=1)


@pytest.fixture
def meetings(mongo: Mongo) -> MongoMeetings:
    return MongoMeetings(mongo=mongo, retention=RETENTION)


async def insert(meetings: MongoMeetings, meeting: Meeting) -> Meeting:
    return await meetings.insert(meeting, within=WITHIN)


async def test_a_meeting_is_read_as_it_was_stored(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    meeting = a_planned_meeting(3, client="hr", request_id="R1")

    assert await insert(meetings, meeting) == meeting

    assert await meetings.find("meeting-1") == meeting
    assert await meetings.find("meeting-2") is None
    [row], [revision] = raw["meetings"].find(), raw["meeting_revisions"].find()
    assert row["delete_after"] == revision["delete_after"] == a_revision().end + RETENTION
    assert revision["_id"] == "meeting-1:1"


async def test_one_request_id_is_one_meeting_for_each_client(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    def a_call(number: int, client: str) -> Meeting:
        revision = a_revision(meeting_id=f"meeting-{number}")
        return a_planned_meeting(revision=revision, request_id="R1", client=client)

    calls = [a_call(number, ("", "hr", "it")[number % 3]) for number in range(30)]
    found = await asyncio.gather(*(insert(meetings, call) for call in calls))

    assert len({meeting.id for meeting in found}) == 3
    for call, meeting in zip(calls, found, strict=True):
        assert meeting.client == call.client
        assert await meetings.find_by_request_id("R1", client=call.client) == meeting
    assert await meetings.find_by_request_id("R2", client="hr") is None
    assert raw["meetings"].count_documents({}) == 3
    assert raw["meeting_revisions"].count_documents({}) == 3


async def test_meetings_without_a_request_id_are_all_stored(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    for number in range(3):
        await insert(meetings, a_planned_meeting(revision=a_revision(meeting_id=f"m-{number}")))

    assert raw["meetings"].count_documents({}) == 3


async def test_the_same_insert_again_finds_what_it_stored(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    """Its caller got an error although the write took effect."""
    meeting = a_planned_meeting()
    await insert(meetings, meeting)

    assert await insert(meetings, meeting) == meeting
    raw["meetings"].delete_many({})
    assert await insert(meetings, meeting) == meeting

    assert raw["meetings"].count_documents({}) == raw["meeting_revisions"].count_documents({}) == 1


async def test_a_change_is_stored_only_if_the_meeting_is_as_it_was_seen(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    meeting = await insert(meetings, a_planned_meeting(2))
    moved = revise_meeting(meeting, location="Room 7")

    assert await meetings.replace(meeting, moved, within=WITHIN)
    assert not await meetings.replace(meeting, revise_meeting(meeting), within=WITHIN)

    assert await meetings.find("meeting-1") == moved
    assert await meetings.find_revisions("meeting-1", [1, 2, 3]) == {
        1: meeting.revision,
        2: moved.revision,
    }
    assert raw["meeting_revisions"].count_documents({}) == 2


async def test_values_that_a_change_drops_are_removed(meetings: MongoMeetings) -> None:
    full = a_planned_meeting(
        attendees=(an_invitee(word=SURE, delivery=State.SENT, thread="x@y", is_removed=True),),
        labels={"a": "b"},
        texts=MeetingTexts(mails={Purpose.UPDATE: MailText(subject="New")}),
    )
    plain = a_planned_meeting(version=1, check_time=None)
    await insert(meetings, full)

    assert await meetings.replace(full, plain, within=WITHIN)

    assert await meetings.find("meeting-1") == plain


async def test_attendees_come_and_go(meetings: MongoMeetings) -> None:
    seen = await insert(meetings, a_planned_meeting(2))
    for count in (5, 4, 0, 100):
        changed = replace(a_planned_meeting(count), version=seen.version + 1)
        assert await meetings.replace(seen, changed, within=WITHIN)
        assert changed == await meetings.find("meeting-1")
        seen = changed


async def test_what_a_newer_version_has_stored_beside_stays(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    seen = await insert(meetings, a_planned_meeting(2))
    answer = {"attendees.0.answer": "YES", "attendees.1.answer": "NO", "rule": "WEEKLY"}
    raw["meetings"].update_one({}, {"$set": answer})
    first = replace(seen.attendees[0], word=SURE)
    changed = replace(seen, version=1, attendees=(first, seen.attendees[1]))

    assert await meetings.replace(seen, changed, within=WITHIN)

    [row] = raw["meetings"].find()
    assert [each["answer"] for each in row["attendees"]] == ["YES", "NO"]
    assert (row["rule"], await meetings.find("meeting-1")) == ("WEEKLY", changed)


async def test_many_writers_lose_no_change_and_mix_no_contents(
    meetings: MongoMeetings, another_mongo: Mongo, raw: Database[Row]
) -> None:
    """Each writer adds its mark to the description, and repeats that until it has won."""
    await insert(meetings, a_planned_meeting())
    stores = [meetings, MongoMeetings(mongo=another_mongo, retention=RETENTION)]

    async def write(number: int) -> None:
        for _ in range(200):
            seen = await stores[number % 2].find("meeting-1")
            assert seen is not None
            text = f"{seen.revision.description}<{number}>"
            changed = revise_meeting(seen, description=text)
            if await stores[number % 2].replace(seen, changed, within=WITHIN):
                return
        raise AssertionError("a writer never won")

    await asyncio.gather(*map(write, range(10)))

    last = await meetings.find("meeting-1")
    assert last is not None
    assert sorted(last.revision.description[1:-1].split("><")) == sorted(map(str, range(10)))
    assert (last.changes, last.revision.number) == (10, 11)
    revisions = await meetings.find_revisions("meeting-1", range(1, 12))
    texts = [revisions[number].description for number in range(1, 12)]
    assert all(later.startswith(text) for text, later in pairwise(texts))
    assert raw["meeting_revisions"].count_documents({}) == 11


async def test_a_revision_that_a_dead_writer_left_does_not_become_the_meeting(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    seen = await insert(meetings, a_planned_meeting())
    dead = revise_meeting(seen, location="of the dead writer")
    raw["meetings"].update_one({}, {"$inc": {"version": 1}})
    assert not await meetings.replace(seen, dead, within=WITHIN)
    assert raw["meeting_revisions"].count_documents({}) == 1, "what did not count is removed"
    left = {"_id": "meeting-1:2", "writer": "dead", "number": 2, "location": "of the dead writer"}
    raw["meeting_revisions"].insert_one(left)

    for _ in range(5):
        seen = await meetings.find("meeting-1") or seen
        changed = revise_meeting(seen, location="Room 7")
        if await meetings.replace(seen, changed, within=WITHIN):
            break

    assert await meetings.find("meeting-1") == changed
    stored = raw["meeting_revisions"].find_one({"_id": "meeting-1:2"}) or {}
    assert decode_revision(stored).location == "Room 7"


async def test_a_writer_that_comes_back_too_late_changes_nothing(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    """Its revision was removed, so the meeting must not be pointed to it any more."""
    seen = await insert(meetings, a_planned_meeting())
    slow = revise_meeting(seen, location="slow")
    raw["meeting_revisions"].insert_one({"_id": "meeting-1:2", "writer": "slow", "number": 2})
    fast = revise_meeting(seen, location="fast")
    assert not await meetings.replace(seen, fast, within=WITHIN), "the number was taken"

    change = {"$set": {"revision": slow.revision.number, "version": 1}}
    late = raw["meetings"].update_one({"_id": "meeting-1", "version": 0}, change)

    assert late.matched_count == 0
    assert raw["meeting_revisions"].count_documents({}) == 1


async def test_a_moved_meeting_is_kept_until_a_retention_after_its_new_end(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    seen = await insert(meetings, a_planned_meeting())
    for days in (90, -30):
        start, end = a_revision().start + days * DAY, a_revision().end + days * DAY
        moved = revise_meeting(seen, start=start, end=end)
        assert await meetings.replace(seen, moved, within=WITHIN)
        seen = moved
        rows = [*raw["meetings"].find(), *raw["meeting_revisions"].find()]
        assert {row["delete_after"] for row in rows} == {end + RETENTION}
        [row] = raw["meetings"].find()
        assert (row["start"], row["end"]) == (start, end)


async def test_a_settled_meeting_keeps_its_revisions_as_long_as_itself(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    """The process that moved it to an earlier time died before it had done this."""
    seen = revise_meeting(await insert(meetings, a_planned_meeting()))
    raw["meetings"].update_one({}, {"$set": {"revision": 2, "version": 1}})
    late = {"_id": "meeting-1:2", "delete_after": NOW + 900 * DAY}
    raw["meeting_revisions"].insert_one(late)

    assert await meetings.replace(seen, replace(seen, version=2, check_time=None), within=WITHIN)

    kept = {row["delete_after"] for row in raw["meeting_revisions"].find()}
    assert kept == {a_revision().end + RETENTION}


async def test_mongodb_deletes_meetings_and_revisions_after_their_retention(
    mongo: Mongo, raw: Database[Row]
) -> None:
    """The server of the tests looks every second."""
    meetings = MongoMeetings(mongo=mongo, retention=timedelta(0))
    past = a_revision(start=NOW - 900 * DAY, end=NOW - 899 * DAY)
    await insert(meetings, a_planned_meeting(revision=past))
    names = ("meetings", "meeting_revisions")
    await until(lambda: not any(raw[name].count_documents({}) for name in names), within=30)


async def test_the_meetings_whose_check_time_has_come_are_found_in_order(
    meetings: MongoMeetings,
) -> None:
    for number, seconds in enumerate((30, 10, 20, 70)):
        check_time = NOW + seconds * SECOND
        revision = a_revision(meeting_id=f"m-{number}")
        await insert(meetings, a_planned_meeting(revision=revision, check_time=check_time))
    rest = a_planned_meeting(revision=a_revision(meeting_id="settled"), check_time=None)
    await insert(meetings, rest)

    found = await meetings.find_unchecked(now=NOW + 60 * SECOND, most=10)
    await meetings.put_off(["m-1", "settled", "m-3"], NOW + 65 * SECOND)
    later = await meetings.find_unchecked(now=NOW + 80 * SECOND, most=3)

    assert found == ["m-1", "m-2", "m-0"]
    assert later == ["m-2", "m-0", "m-1"]


async def test_the_jobs_of_a_meeting_are_found_in_every_state(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    jobs = [
        an_invitation(id=f"job-{number}", dedup_key=f"key-{number}", state=state)
        for number, state in enumerate((State.SENT, State.CANCELLED, State.SCHEDULED))
    ]
    other = MeetingMail(revision=a_revision(meeting_id="meeting-2"))
    more = [an_invitation(id="else", dedup_key="else", meeting=other)]
    raw["jobs"].insert_many([encode(job) for job in (*jobs, *more)])
    raw["jobs"].insert_one(encode(jobs[0]) | {"_id": "x", "dedup_key": "x", "state": "UNREADABLE"})

    assert await meetings.find_jobs("meeting-1") == jobs


async def test_a_meeting_of_the_version_before_asks_its_job_what_was_sent(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row]
) -> None:
    job = an_invitation(
        state=State.SENT,
        template="party",
        variables={"a": "b"},
        labels={"c": "d"},
        schedule_time=NOW + DAY,
    )
    await store_as_before(mongo, raw)
    raw["jobs"].insert_one(encode(job))

    meeting = await meetings.find("meeting-1")

    assert meeting is not None
    assert meeting.attendees[0].word == Word(), "its job says the rest"
    assert (meeting.labels, meeting.invite_time) == (job.labels, NOW + DAY)
    text = {Purpose.INVITATION: MailText(template="party")}
    assert meeting.texts == MeetingTexts(mails=text, variables={"a": "b"})
    assert await meetings.replace(meeting, replace(meeting, version=1), within=WITHIN)
    raw["jobs"].delete_many({})
    again = await meetings.find("meeting-1")
    assert again is not None
    assert (again.texts, again.labels) == (meeting.texts, meeting.labels), "they are kept"


@pytest.mark.parametrize("damage", [{}, {"message_id": 7}])
async def test_an_attendee_whose_job_is_gone_or_damaged_may_have_the_invitation(
    mongo: Mongo, meetings: MongoMeetings, raw: Database[Row], damage: Row
) -> None:
    await store_as_before(mongo, raw)
    if damage:
        raw["jobs"].insert_one(encode(an_invitation()) | damage)

    meeting = await meetings.find("meeting-1")

    assert meeting is not None
    assert meeting.attendees[0].word == replace(SURE, told=Told.MAYBE)


async def store_as_before(mongo: Mongo, raw: Database[Row]) -> None:
    """Store the meeting of a request with an event with the fields of the version before."""
    store = MongoEventMeetings(mongo=mongo, retention=RETENTION)
    await store.record([an_invitation()], [], within=WITHIN)
    kept = ("empid", "email", "name", "job_id")
    [row] = raw["meetings"].find()
    attendees = [{name: each[name] for name in kept} for each in row["attendees"]]
    new = ("changes", "content_revision", "invite", "updated", "check", "texts", "labels")
    change = {"$set": {"attendees": attendees}, "$unset": dict.fromkeys(new, "")}
    raw["meetings"].update_one({}, change)


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"version": "many"}},
        {"$set": {"revision": 7}},
        {"$set": {"attendees": [7]}},
        {"$unset": {"attendees": ""}},
    ],
)
async def test_a_damaged_meeting_is_an_error_that_names_its_client(
    meetings: MongoMeetings, raw: Database[Row], change: Row
) -> None:
    await insert(meetings, a_planned_meeting(client="hr"))
    raw["meetings"].update_one({}, change)

    with pytest.raises(UnreadableMeeting) as caught:
        await meetings.find("meeting-1")

    assert (caught.value.client, caught.value.metadata) == ("hr", {"meeting_id": "meeting-1"})


async def test_a_damaged_revision_is_an_error(meetings: MongoMeetings, raw: Database[Row]) -> None:
    await insert(meetings, a_planned_meeting())
    raw["meeting_revisions"].update_one({}, {"$set": {"summary": 7}})

    with pytest.raises(UnreadableMeeting):
        await meetings.find("meeting-1")
    with pytest.raises(UnreadableMeeting):
        await meetings.find_revisions("meeting-1", [1])


async def test_a_refused_write_is_an_error_and_changes_nothing(
    meetings: MongoMeetings, raw: Database[Row]
) -> None:
    seen = await insert(meetings, a_planned_meeting())
    raw.command("collMod", "meetings", validator={"never": True})
    try:
        with pytest.raises(StoreUnavailable):
            await meetings.replace(seen, revise_meeting(seen), within=WITHIN)
        with pytest.raises(StoreUnavailable):
            await insert(meetings, a_planned_meeting(revision=a_revision(meeting_id="m-2")))
    finally:
        raw.command("collMod", "meetings", validator={})

    assert await meetings.find("meeting-1") == seen
    again = replace(revise_meeting(seen), revision=a_next_revision(seen, location="Room 7"))
    for _ in range(3):
        seen = await meetings.find("meeting-1") or seen
        changed = replace(again, version=seen.version + 1)
        if await meetings.replace(seen, changed, within=WITHIN):
            break
    assert await meetings.find("meeting-1") == changed
