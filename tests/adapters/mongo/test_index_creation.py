"""Which indexes a service creates, keeps and drops at its start."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.index_names import CLIENT_INDEXES
from gcsched.adapters.mongo.index_repair import MongoIndexes
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.other_documents import INDEXES
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.errors import StoreRefused
from tests.support.builders import a_job
from tests.support.clocks import SECOND
from tests.support.index_statements import NOW, RETENTION
from tests.support.rows import Row
from tests.support.wait import until


async def test_prepare_is_safe_to_repeat_and_to_run_in_two_processes(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_job()))
    before = jobs.index_information()

    await mongo.prepare()
    await another_mongo.prepare()

    assert jobs.index_information() == before
    assert set(before) == {
        "_id_",
        "dedup_key",
        "request_id",
        "request_id_id",
        "own_request_id_client",
        "own_request_id_id",
        "client_id",
        "client_state_due_id",
        "state_due_id",
        "priority_state_due",
        "claim",
        "empid_id",
        "email_id",
        "folded_id",
        "invitation_meeting_id",
        "email_folded",
        "delete_after",
    }
    assert list(jobs.find()) == [encode(a_job())]


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    return new_mongo_uri


@pytest.fixture
async def uncontrolled(raw: Database[Row], new_mongo_uri: str) -> AsyncIterator[Mongo]:
    """A service without access control, on a database that has not been used with it."""
    for collection in INDEXES:
        for name in CLIENT_INDEXES & set(raw[collection].index_information()):
            raw[collection].drop_index(name)
    async with open_mongo(new_mongo_uri, has_clients=False) as mongo:
        await mongo.prepare()
        yield mongo


async def test_without_access_control_there_are_no_indexes_of_clients(
    uncontrolled: Mongo, raw: Database[Row]
) -> None:
    made = {name: set(raw[name].index_information()) for name in INDEXES}

    assert {"dedup_key", "request_id_id"} <= made["jobs"]
    assert {"request_id", "start_id"} <= made["meetings"]
    assert not set().union(*made.values()) & CLIENT_INDEXES
    assert await MongoIndexes(mongo=uncontrolled).check() == []


async def test_without_access_control_no_job_has_a_client(
    uncontrolled: Mongo, raw: Database[Row]
) -> None:
    failed = a_job(state=State.FAILED, dedup_key=None, released_key="key", request_id="R")
    raw["jobs"].insert_one(encode(failed))
    lists = MongoJobList(mongo=uncontrolled)
    majority_lists = MongoJobList(mongo=uncontrolled, is_majority_read=True)
    found = [
        [job.id for job in page.jobs]
        for each in (lists, majority_lists)
        for given in (JobFilter(request_id="R"), JobFilter(client="hr"))
        for page in [
            await each.read_page(
                JobListQuery(filter=given, order=JobOrder.CREATE_TIME_ASC),
                None,
                most=9,
                is_full=False,
            )
        ]
    ]
    by_state = JobFilter(client="hr", state=State.FAILED)
    retried = failed.reset_for_retry(NOW, expire_time=NOW, dedup_until=NOW)
    changes = MongoJobChanges(mongo=uncontrolled, retention=RETENTION)

    assert found == [["job-1"], []] * 2
    assert [await lists.count(each, most=9) for each in (JobFilter(request_id="R"), by_state)] == [
        1,
        0,
    ]
    assert await changes.change_all([(failed, retried)]) == (1, 0)


async def test_without_access_control_a_missing_index_is_still_an_error(
    uncontrolled: Mongo, raw: Database[Row]
) -> None:
    raw["jobs"].drop_index("request_id_id")

    with pytest.raises(StoreRefused):
        await MongoJobList(mongo=uncontrolled).count(JobFilter(request_id="R"), most=9)


async def test_access_control_that_is_switched_on_makes_the_indexes(
    uncontrolled: Mongo, raw: Database[Row], new_mongo_uri: str
) -> None:
    before = {name: set(raw[name].index_information()) for name in INDEXES}
    async with open_mongo(new_mongo_uri, has_clients=True) as mongo:
        await mongo.prepare()

    after = {name: set(raw[name].index_information()) for name in INDEXES}
    assert set().union(*(after[name] - before[name] for name in INDEXES)) == CLIENT_INDEXES
    assert {name for name in INDEXES if after[name] != before[name]} == {"jobs", "meetings"}
    assert await MongoIndexes(mongo=uncontrolled).check() == []


async def test_prepare_drops_retired_indexes_except_those_that_older_processes_name(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    """Its processes may still run, and would claim or sweep nothing without these indexes."""
    jobs.create_index([("state", 1), ("due", 1)], name="state_due")
    leased = {"lease": {"$exists": True}}
    jobs.create_index("lease", name="lease", partialFilterExpression=leased)
    before = jobs.index_information()
    jobs.create_index([("empid", 1), ("created", -1)], name="empid_created")
    jobs.create_index([("email", 1), ("created", -1)], name="email_created")
    jobs.insert_one(encode(a_job()))

    await asyncio.gather(mongo.prepare(), another_mongo.prepare())

    assert jobs.index_information() == before
    assert list(jobs.find()) == [encode(a_job())]


async def test_mongodb_deletes_a_job_when_its_retention_ends(
    jobs: Collection[Row],
) -> None:
    now = datetime.now(UTC)
    jobs.insert_many(
        [
            encode(a_job(id="over", dedup_key=None)) | {"delete_after": now - SECOND},
            encode(a_job(id="kept", dedup_key=None)) | {"delete_after": now + RETENTION},
            encode(a_job(id="waiting", dedup_key=None)),
        ]
    )

    await until(lambda: not jobs.find_one({"_id": "over"}), within=65)

    assert {row["_id"] for row in jobs.find()} == {"kept", "waiting"}
