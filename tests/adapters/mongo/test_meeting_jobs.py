"""The jobs of meetings as plans make and change them. Oracle: what the driver finds."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.database import Database

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meetings.meeting_jobs import MongoMeetingJobs
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.meeting_mail import MeetingMail, Purpose
from gcsched.errors import StoreUnavailable
from tests.support.builders import NOW, a_revision, an_attempt, an_invitation
from tests.support.clocks import DAY, SECOND
from tests.support.rows import Row

WITHIN = 5 * SECOND
NEXT = a_revision(number=2, sequence=1, location="Room 7")


@pytest.fixture
def jobs(mongo: Mongo) -> MongoMeetingJobs:
    return MongoMeetingJobs(mongo=mongo, retention=timedelta(days=36500))


def invitations(count: int, prefix: str = "job") -> list[Job]:
    return [
        an_invitation(id=f"{prefix}-{number}", dedup_key=f"key-{number}") for number in range(count)
    ]


def point(job: Job, **others: Any) -> Job:
    """Return *job* with another revision, as a plan points a waiting mail."""
    mail = MeetingMail(revision=NEXT, purpose=Purpose.UPDATE, earlier=a_revision())
    return replace(job, version=job.version + 1, **{"meeting": mail, **others})


async def test_two_processes_make_each_mail_once(
    mongo: Mongo, another_mongo: Mongo, raw: Database[Row]
) -> None:
    makers = [
        MongoMeetingJobs(mongo=each, retention=36500 * DAY) for each in (mongo, another_mongo)
    ]

    made = await asyncio.gather(
        *(
            maker.make(invitations(450, f"job-{number}"), within=WITHIN)
            for number, maker in enumerate(makers)
        )
    )

    ids = [job.id for part in made for job in part]
    assert len(ids) == 450
    assert sorted(ids) == sorted(row["_id"] for row in raw["jobs"].find())


async def test_a_mail_whose_key_is_held_is_not_made(
    jobs: MongoMeetingJobs, raw: Database[Row]
) -> None:
    [sent] = invitations(1)
    raw["jobs"].insert_one(encode(replace(sent, state=State.SENT)))

    made = await jobs.make(invitations(3, "again"), within=WITHIN)

    assert [job.id for job in made] == ["again-1", "again-2"]
    assert await jobs.make([], within=WITHIN) == []


async def test_a_refused_insert_is_an_error(jobs: MongoMeetingJobs, raw: Database[Row]) -> None:
    raw.command("collMod", "jobs", validator={"never": True})
    try:
        with pytest.raises(StoreUnavailable):
            await jobs.make(invitations(2), within=WITHIN)
    finally:
        raw.command("collMod", "jobs", validator={})


async def test_a_waiting_mail_shows_another_revision(
    jobs: MongoMeetingJobs, raw: Database[Row]
) -> None:
    seen = an_invitation(date=NOW, variables={"a": "b"}, priority=Priority.URGENT)
    raw["jobs"].insert_one(encode(seen))
    pointed = point(
        seen,
        message="Updated: Review",
        template="update",
        variables={},
        labels={"c": "d"},
        priority=Priority.NORMAL,
        due_time=NOW + 10 * SECOND,
        expire_time=NOW + DAY,
        date=None,
    )

    assert await jobs.change_all([(seen, pointed)], within=WITHIN) == (1, 0)

    [row] = raw["jobs"].find()
    assert decode(row) == pointed
    assert row["dedup_key"] == seen.dedup_key
    assert not {"invitation_template", "variables", "priority", "date"} & row.keys()
    back = replace(seen, version=2, date=None)
    assert await jobs.change_all([(pointed, back)], within=WITHIN) == (1, 0)
    [row] = raw["jobs"].find()
    assert decode(row) == back
    assert not {"meeting_mail", "meeting_template", "labels"} & row.keys()


@pytest.mark.parametrize(
    "other",
    [
        {"version": 5},
        {"state": "CANCELLED"},
        {"state": "SENDING", "claim": "other"},
        {"state": "SENDING", "claim": "claim-1", "begun": NOW},
    ],
)
async def test_a_mail_that_is_not_as_it_was_seen_stays(
    jobs: MongoMeetingJobs, raw: Database[Row], other: Row
) -> None:
    claimed = an_invitation(state=State.SENDING, claim="claim-1", version=1)
    raw["jobs"].insert_one(encode(claimed) | other)
    [before] = raw["jobs"].find()

    pairs = [(claimed, claimed.cancelled(NOW, reason="superseded")), (claimed, point(claimed))]
    for pair in pairs:
        assert await jobs.change_all([pair], within=WITHIN) == (0, 1)

    assert list(raw["jobs"].find()) == [before]


async def test_a_claimed_mail_that_has_not_begun_is_given_back_or_cancelled(
    jobs: MongoMeetingJobs, raw: Database[Row]
) -> None:
    claimed = [
        replace(job, state=State.SENDING, claim="claim-1", version=1) for job in invitations(2)
    ]
    raw["jobs"].insert_many([encode(job) | {"lease": NOW} for job in claimed])
    ends = [claimed[0].unclaimed(NOW), claimed[1].cancelled(NOW, reason="superseded")]

    assert await jobs.change_all(list(zip(claimed, ends, strict=True)), within=WITHIN) == (2, 0)

    rows = list(raw["jobs"].find().sort("_id"))
    assert [decode(row) for row in rows] == ends
    assert not any({"claim", "lease"} & row.keys() for row in rows)
    assert "delete_after" in rows[1]


async def test_the_history_of_a_mail_stays_when_it_is_pointed(
    jobs: MongoMeetingJobs, raw: Database[Row]
) -> None:
    seen = an_invitation(state=State.RETRYING, attempts=(an_attempt(),), attempt=1)
    raw["jobs"].insert_one(encode(seen) | {"newer": "field"})

    await jobs.change_all([(seen, point(seen))], within=WITHIN)

    [row] = raw["jobs"].find()
    assert (decode(row), row["newer"]) == (point(seen), "field")
