"""Admission of new jobs. Oracle: what the driver finds in the collection."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.admissions import MongoAdmissions, find_duplicates
from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.job_reader import MongoJobReader
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.dev.stores.mongod import MongodOptions
from gcsched.domain.dedup import AdmissionAnswer, AdmissionResult
from gcsched.domain.job import Job, Priority, State
from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import Conclusion
from tests.support.builders import NOW, a_claimed_job, a_job, an_admitted, an_attempt
from tests.support.clocks import DAY
from tests.support.rows import Row
from tests.support.stores import own_mongod

TAKEN = {"index": 1, "code": 11000, "errmsg": "E11000 duplicate key error"}
DETAILS: dict[str, Any] = {
    "variables": {"room": "4"},
    "labels": {"a.b": "$c"},
    "reply_to": "bob@example.org",
    "request_id": "R",
    "fingerprint": "f",
    "dedup_until": NOW,
    "has_own_expire_time": True,
    "priority": Priority.URGENT,
}
NO_MAJORITY = {"code": 64, "errmsg": "waiting for replication timed out"}


async def admit(mongo: Mongo, *jobs: Job) -> list[AdmissionAnswer]:
    return await MongoAdmissions(mongo=mongo).admit(jobs, within=timedelta(seconds=5))


def some_jobs(count: int, *, start: int = 0) -> list[Job]:
    """Make *count* jobs with different ids from the same request, sent by an impatient caller."""
    return [a_job(id=f"job-{number}") for number in range(start, start + count)]


async def test_a_new_job_is_stored_with_all_its_fields(mongo: Mongo, jobs: Collection[Row]) -> None:
    job = a_job(schedule_time=NOW + DAY, due_time=NOW + DAY)

    assert await admit(mongo, job) == [an_admitted(job)]

    assert list(jobs.find()) == [
        {
            "_id": "job-1",
            "state": "SCHEDULED",
            "empid": "E1",
            "email": "ada@example.org",
            "folded": "ada@example.org",
            "message": "Stand-up",
            "name": "Ada",
            "created": NOW,
            "due_at": NOW + DAY,
            "due": NOW + DAY,
            "not_after": NOW + DAY,
            "since": NOW,
            "message_id": "job-1@example.org",
            "dedup_key": "key-1",
            "template": "doc",
            "attempt": 0,
            "takebacks": 0,
            "version": 0,
            "reason": "",
            "attempts": [],
        }
    ]


async def test_every_field_of_a_job_is_read_back(jobs: Collection[Row]) -> None:
    history = (an_attempt(), an_attempt(code=None, enhanced_code="4.2.2"))
    job = a_claimed_job(
        attempts=history, attempt=2, lease_expirations=3, reason="busy", template="other", **DETAILS
    )
    jobs.insert_one(encode(job))

    assert await MongoJobReader().get("job-1") == job
    assert await MongoJobReader().get("job-2") is None


def test_a_job_stored_without_an_expire_time_may_be_sent_for_a_day() -> None:
    document = encode(a_job(schedule_time=NOW + 2 * DAY))
    del document["not_after"]

    read = [decode(document), decode(document | {"not_after": None})]

    assert [job.expire_time for job in read] == [NOW + 3 * DAY] * 2


async def test_a_group_is_one_write_confirmed_by_a_majority_and_its_journals(
    mongo: Mongo, raw: Database[Row]
) -> None:
    raw["system.profile"].drop()  # another test may have had this database before
    raw.command("profile", 2)
    group = [a_job(id=f"job-{number}", dedup_key=f"key-{number}") for number in range(20)]

    await admit(mongo, *group)

    raw.command("profile", 0)
    [write] = raw["system.profile"].find({"op": "insert", "ns": f"{raw.name}.jobs"})
    command = write["command"]
    assert command["writeConcern"] == {"w": "majority", "j": True}
    assert 4000 < command["maxTimeMS"] <= 5000
    assert write["ninserted"] == 20


async def test_a_repeated_request_returns_the_first_job(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    first, again = some_jobs(2)
    await admit(mongo, first)
    [before] = jobs.find()

    answers = await admit(mongo, again)

    assert answers == [an_admitted(first, is_new=False)]
    assert list(jobs.find()) == [before]


async def test_new_and_repeated_requests_in_a_group_each_get_their_answer(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    await admit(mongo, a_job(id="old", dedup_key="old key"))
    group = [
        a_job(id="a", dedup_key="new key"),
        a_job(id="b", dedup_key="old key"),
        a_job(id="c", dedup_key="new key"),
        a_job(id="d", dedup_key="other key"),
    ]

    answers = await admit(mongo, *group)

    assert answers == [
        an_admitted(a_job(id="a")),
        an_admitted(a_job(id="old"), is_new=False),
        an_admitted(a_job(id="a"), is_new=False),
        an_admitted(a_job(id="d")),
    ]
    assert {row["_id"] for row in jobs.find()} == {"old", "a", "d"}


async def test_200_callers_with_the_same_request_at_two_replicas_get_one_job(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    repeated = some_jobs(200)
    calls = [admit((mongo, another_mongo)[n % 2], job) for n, job in enumerate(repeated)]

    answers = [each for [each] in await asyncio.gather(*calls) if isinstance(each, AdmissionResult)]

    [row] = jobs.find()
    assert len(answers) == 200
    assert all(answer.is_accepted for answer in answers)
    assert {answer.job_id for answer in answers} == {row["_id"]}
    assert [answer.is_new for answer in answers].count(True) == 1


async def test_storing_the_same_job_again_is_not_a_duplicate(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    """The group commit does this when the first write was not confirmed."""
    await admit(mongo, a_job())

    answers = await admit(mongo, a_job())

    assert answers == [an_admitted()]
    assert jobs.count_documents({}) == 1


@pytest.mark.parametrize(
    "state", [State.FAILED, State.CANCELLED, State.EXPIRED, State.SUPPRESSED], ids=str
)
async def test_a_request_may_be_repeated_after_its_job_failed(
    mongo: Mongo, jobs: Collection[Row], state: State
) -> None:
    await conclude(mongo, jobs, a_claimed_job(version=2, state=state, dedup_key=None))

    assert await admit(mongo, a_job(id="job-2")) == [an_admitted(a_job(id="job-2"))]

    assert {row["_id"]: row["state"] for row in jobs.find()} == {
        "job-1": state,
        "job-2": "SCHEDULED",
    }


async def test_a_sent_mail_is_not_sent_again(mongo: Mongo, jobs: Collection[Row]) -> None:
    await conclude(mongo, jobs, a_claimed_job().sent(an_attempt()))

    assert await admit(mongo, a_job(id="job-2")) == [
        an_admitted(a_job(state=State.SENT), is_new=False)
    ]

    assert [row["_id"] for row in jobs.find()] == ["job-1"]


async def conclude(mongo: Mongo, jobs: Collection[Row], job: Job) -> None:
    jobs.insert_one(encode(a_claimed_job()))
    outcomes = MongoOutcomes(mongo=mongo, retention=36500 * DAY)
    assert not await outcomes.conclude([Conclusion(claim="claim-1", job=job)])


async def test_a_key_released_between_the_write_and_the_lookup_is_taken(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    class KeyReleasedMeanwhile(MongoAdmissions):
        """Its rival fails at that moment and releases the key."""

        async def _resolve_duplicates(
            self, duplicates: Sequence[Job]
        ) -> dict[str, AdmissionAnswer]:
            jobs.update_one({"_id": "rival"}, {"$unset": {"dedup_key": ""}})
            return await super()._resolve_duplicates(duplicates)

    jobs.insert_one(encode(a_job(id="rival")))

    answers = await KeyReleasedMeanwhile(mongo=mongo).admit([a_job()], within=timedelta(seconds=5))

    assert answers == [an_admitted()]
    assert {row["_id"] for row in jobs.find()} == {"rival", "job-1"}


async def test_a_key_whose_holder_has_no_majority_yet_is_unavailable(mongo: Mongo) -> None:
    class NoHolderFound(MongoAdmissions):
        async def _resolve_duplicates(
            self, duplicates: Sequence[Job]
        ) -> dict[str, AdmissionAnswer]:
            assert duplicates
            return {}

    await admit(mongo, a_job(id="rival"))

    with pytest.raises(StoreUnavailable):
        await NoHolderFound(mongo=mongo).admit([a_job()], within=timedelta(seconds=5))


def test_taken_keys_are_duplicates() -> None:
    error = BulkWriteError({"writeErrors": [TAKEN, {**TAKEN, "index": 4}]})

    assert find_duplicates(error) == [1, 4]


@pytest.mark.parametrize(
    "details",
    [
        {"writeErrors": [TAKEN], "writeConcernErrors": [NO_MAJORITY]},
        {"writeErrors": [], "writeConcernErrors": [NO_MAJORITY]},
        {"writeErrors": [TAKEN, {"index": 2, "code": 121, "errmsg": "validation"}]},
    ],
    ids=["taken, but no majority", "no majority", "another error"],
)
def test_a_taken_key_beside_another_error_is_not_a_duplicate(details: Row) -> None:
    error = BulkWriteError(details)

    with pytest.raises(BulkWriteError) as raised:
        find_duplicates(error)

    assert raised.value is error


async def test_an_unconfirmed_job_is_found_by_the_next_call(
    tmp_path: Path,
) -> None:
    options = MongodOptions(parameters={"enableTestCommands": "1"})
    async with own_mongod(tmp_path, options) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        with MongoClient[Row](server.uri) as driver:
            withhold_confirmation(driver, times=2)
            first, second, third = some_jobs(3)

            with pytest.raises(StoreUnavailable):
                await admit(mongo, first)
            with pytest.raises(StoreUnavailable):
                await admit(mongo, second)
            answers = await admit(mongo, third)

            rows = list(driver["gcsched"]["jobs"].find())
    assert answers == [an_admitted(first, is_new=False)]
    assert [row["_id"] for row in rows] == [first.id]


def withhold_confirmation(driver: MongoClient[Row], *, times: int) -> None:
    """Make the next inserts succeed without a confirmation, as if the majority were away."""
    driver.admin.command(
        {
            "configureFailPoint": "failCommand",
            "mode": {"times": times},
            "data": {"failCommands": ["insert"], "writeConcernError": NO_MAJORITY},
        }
    )


async def test_times_are_truncated_to_milliseconds(mongo: Mongo, jobs: Collection[Row]) -> None:
    created = datetime(2026, 7, 1, 12, 0, 0, 123_456, UTC)

    await admit(mongo, a_job(create_time=created))

    [row] = jobs.find()
    assert row["created"] == datetime(2026, 7, 1, 12, 0, 0, 123_000, UTC)
