"""Every statement about meetings uses an index (P8). Oracle: the server's own profile."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.meeting_codec import encode_meeting
from gcsched.adapters.mongo.meetings.revision_codec import encode_revision_document
from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.domain.meeting_mail import MeetingMail
from tests.support.builders import NOW, a_revision, an_invitation
from tests.support.clocks import SECOND
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row
from tests.support.stored_meetings import a_planned_meeting, an_invitee, revise_meeting

MEETINGS, DUE, JOBS = 500, 20, 30
WITHIN = 5 * SECOND
KEPT = timedelta(days=36500)
OVER = a_revision().end

Use = Callable[[MongoMeetings], Awaitable[object]]


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    return new_mongo_uri


def fill(raw: Database[Row]) -> None:
    """Store many meetings of which few have something left to do, and the jobs of one."""
    meetings = [
        a_planned_meeting(
            revision=a_revision(meeting_id=f"m-{number:04}"),
            attendees=(an_invitee(number),),
            client="hr" if number % 2 else "",
            request_id=f"R{number}",
            check_time=NOW if number < DUE else None,
        )
        for number in range(MEETINGS)
    ]
    raw["meetings"].insert_many([encode_meeting(each) for each in meetings])
    raw["meeting_revisions"].insert_many(
        [encode_revision_document(each.revision, delete_after=OVER + KEPT) for each in meetings]
    )
    for number in (7, 8):
        mail = MeetingMail(revision=meetings[number].revision)
        job = an_invitation(meeting=mail, empid=f"E{number}")
        raw["jobs"].insert_many(
            [
                encode(replace(job, id=f"job-{number}-{n}", dedup_key=f"{number} {n}"))
                for n in range(JOBS)
            ]
        )


async def find(meetings: MongoMeetings) -> None:
    assert await meetings.find("m-0007")


async def find_by_request_id(meetings: MongoMeetings) -> None:
    assert await meetings.find_by_request_id("R7", client="hr")
    assert await meetings.find_by_request_id("R8", client="")


async def find_unchecked(meetings: MongoMeetings) -> None:
    assert len(await meetings.find_unchecked(now=NOW, most=100)) == DUE


async def put_off(meetings: MongoMeetings) -> None:
    await meetings.put_off(["m-0007"], NOW + SECOND)


async def find_jobs(meetings: MongoMeetings) -> None:
    assert len(await meetings.find_jobs("m-0007")) == JOBS


async def change(meetings: MongoMeetings) -> None:
    seen = await meetings.find("m-0007")
    assert seen is not None
    later = seen.revision.end + SECOND
    assert await meetings.replace(seen, revise_meeting(seen, end=later), within=WITHIN)


async def forget(meetings: MongoMeetings) -> None:
    data = MongoPersonalData(mongo=meetings.mongo)
    await meetings.mongo.jobs.update_many({"empid": "E7"}, {"$set": {"state": "SENT"}})
    erased = await data.erase_meetings("E7", after="", most=10, now=OVER)
    assert erased.kept == 0


USES = [find, find_by_request_id, find_unchecked, put_off, find_jobs, change]


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
async def test_every_statement_reads_only_what_it_needs_by_index(
    mongo: Mongo, raw: Database[Row], use: Use
) -> None:
    meetings = MongoMeetings(mongo=mongo, retention=KEPT)
    fill(raw)

    profile = await profile_commands(mongo, raw, lambda _: use(meetings))

    assert profile, "nothing was profiled"
    for each in profile:
        assert not {"COLLSCAN", "SORT"} & set(stages(each["execStats"])), each["command"]
        assert max(each["keysExamined"], each["docsExamined"]) <= JOBS + 1, each["command"]


async def test_forgetting_an_employee_reads_their_meetings_only(
    mongo: Mongo, raw: Database[Row]
) -> None:
    fill(raw)

    profile = await profile_commands(
        mongo, raw, lambda _: forget(MongoMeetings(mongo=mongo, retention=KEPT))
    )

    erasing = [each for each in profile if "SENT" not in str(each["command"].get("u"))]
    assert len(erasing) >= 5
    assert not [each for each in erasing if "COLLSCAN" in stages(each["execStats"])]
    assert max(each["docsExamined"] for each in erasing) <= JOBS + 1
