"""Writes that are not confirmed while MongoDB replies: the record of failures, and real servers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.meetings.event_meetings import MongoEventMeetings
from gcsched.adapters.mongo.write_checks import probe_write
from gcsched.adapters.mongo.write_failures import (
    QUIET_SECONDS,
    REMEMBERED_SECONDS,
    WriteFailures,
)
from gcsched.dev.stores.mongod import MongodOptions
from gcsched.errors import StoreUnavailable
from tests.chaos.replica_set import PARAMETERS, a_replica_set
from tests.support.builders import a_job, an_invitation
from tests.support.clocks import FakeMonotonicClock
from tests.support.stores import OwnServer, own_mongod

WITH_FAIL_POINTS = MongodOptions(parameters={"enableTestCommands": "1"})
NOT_CONFIRMED = {"code": 64, "codeName": "WriteConcernTimeout", "errmsg": "waiting"}
SOON = timedelta(seconds=1)


def test_a_failure_is_reported_until_a_write_of_its_kind_is_confirmed() -> None:
    failures = WriteFailures(clock=FakeMonotonicClock())
    assert failures.problem is None

    failures.record_failure("storing the job", "WriteConcernTimeout")
    assert failures.problem == (
        "writes are not confirmed: failed while storing the job: WriteConcernTimeout"
    )

    failures.record_success("storing the job")
    assert failures.problem is None


def test_a_single_failure_is_cleared_by_any_write_but_a_repeated_one_is_not() -> None:
    clock = FakeMonotonicClock()
    failures = WriteFailures(clock=clock)
    failures.record_failure("storing the job", "")
    failures.record_success("writing outcomes")
    assert failures.problem is None

    failures.record_failure("storing the job", "")
    failures.record_failure("storing the job", "")
    failures.record_success("writing outcomes")
    assert failures.problem == "writes are not confirmed: failed while storing the job: no reply"

    clock.now += REMEMBERED_SECONDS + 0.1
    failures.record_success("writing outcomes")
    assert failures.problem is None


def test_failures_are_kept_while_no_write_is_confirmed() -> None:
    clock = FakeMonotonicClock()
    failures = WriteFailures(clock=clock)
    failures.record_failure("storing the job", "")

    clock.now += 3600

    assert failures.problem is not None


def test_a_probe_is_needed_after_a_failure_or_without_a_recent_confirmation() -> None:
    clock = FakeMonotonicClock()
    failures = WriteFailures(clock=clock)
    assert failures.needs_probe, "none was confirmed yet"

    failures.record_success("writing outcomes")
    assert not failures.needs_probe
    failures.record_failure("storing the job", "")
    assert failures.needs_probe

    failures.record_success("storing the job")
    assert not failures.needs_probe
    clock.now += QUIET_SECONDS
    assert failures.needs_probe


async def can_write(mongo: Mongo) -> bool:
    try:
        await probe_write(mongo)
    except StoreUnavailable:
        return False
    return True


async def test_the_probe_stores_nothing(mongo: Mongo) -> None:
    before = await mongo.runs.count_documents({})

    assert await can_write(mongo)

    assert await mongo.runs.count_documents({}) == before
    assert mongo.write_failures.problem is None


@asynccontextmanager
async def fail_commands(server: OwnServer, data: Mapping[str, Any]) -> AsyncIterator[None]:
    with MongoClient[dict[str, Any]](server.uri) as control:
        point = "failCommand"
        await asyncio.to_thread(
            control.admin.command, "configureFailPoint", point, mode="alwaysOn", data=data
        )
        try:
            yield
        finally:
            await asyncio.to_thread(control.admin.command, "configureFailPoint", point, mode="off")


@pytest.mark.parametrize("command", ["insert", "update"])
async def test_an_unconfirmed_write_is_a_problem_until_one_is_confirmed(
    tmp_path: Path, command: str
) -> None:
    async with own_mongod(tmp_path, WITH_FAIL_POINTS) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        admissions = MongoAdmissions(mongo=mongo)
        data = {"failCommands": [command], "writeConcernError": NOT_CONFIRMED}
        async with fail_commands(server, data):
            is_insert = command == "insert"
            write = admissions.admit([a_job()], within=SOON) if is_insert else probe_write(mongo)
            with pytest.raises(StoreUnavailable):
                await write

            await mongo.ping()
            problem = mongo.write_failures.problem or ""
            assert ": WriteConcernTimeout: a majority of its replica set is away" in problem

        assert await can_write(mongo)
        await admissions.admit([a_job(id="job-2", dedup_key="key-2")], within=SOON)
        assert mongo.write_failures.problem is None


DISK_FULL, WRITES_BLOCKED = 14031, 371  # OutOfDiskSpace, UserWritesBlocked


@pytest.mark.parametrize(
    ("code", "text"), [(DISK_FULL, "its disk is full"), (WRITES_BLOCKED, "it accepts no writes")]
)
async def test_a_mongodb_that_refuses_every_write_is_a_problem_until_it_accepts_one(
    tmp_path: Path, code: int, text: str
) -> None:
    async with own_mongod(tmp_path, WITH_FAIL_POINTS) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        async with fail_commands(server, {"failCommands": ["update"], "errorCode": code}):
            assert not await can_write(mongo)
            await mongo.ping()
            assert text in (mongo.write_failures.problem or "")

        assert await can_write(mongo)
        assert mongo.write_failures.problem is None


async def test_a_refusal_of_one_statement_is_not_a_problem_with_all_writes(tmp_path: Path) -> None:
    async with own_mongod(tmp_path, WITH_FAIL_POINTS) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        unauthorized = 13
        async with fail_commands(server, {"failCommands": ["update"], "errorCode": unauthorized}):
            assert not await can_write(mongo)

        assert mongo.write_failures.problem is None


async def test_all_statements_for_the_meetings_of_a_group_share_one_time_limit(
    tmp_path: Path,
) -> None:
    """Each of the two reads and the two writes takes 0.3 s; the limit is 1 s for all."""
    async with own_mongod(tmp_path, WITH_FAIL_POINTS) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        job = an_invitation()
        await MongoAdmissions(mongo=mongo).admit([job], within=5 * SOON)
        meetings = MongoEventMeetings(mongo=mongo, retention=timedelta(days=30))
        replayed = [("job-1", "meeting-1")]
        slow = {
            "failCommands": ["find", "update", "bulkWrite"],
            "blockConnection": True,
            "blockTimeMS": 300,
        }
        async with fail_commands(server, slow):
            errors = await meetings.record([], replayed, within=SOON)

        assert [*errors] == ["meeting-1"]
        assert await meetings.record([], replayed, within=5 * SOON) == {}
        assert await mongo.meetings.count_documents({}) == 1


async def test_a_locked_mongodb_replies_but_is_a_problem(tmp_path: Path) -> None:
    async with own_mongod(tmp_path) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        with MongoClient[dict[str, Any]](server.uri) as control:
            await asyncio.to_thread(control.admin.command, "fsync", lock=True)
            try:
                await mongo.ping()
                assert not await can_write(mongo)
                assert mongo.write_failures.problem is not None
            finally:
                await asyncio.to_thread(control.admin.command, "fsyncUnlock")

        assert await can_write(mongo)
        assert mongo.write_failures.problem is None


async def test_a_primary_without_its_majority_is_a_problem(tmp_path: Path) -> None:
    parameters = {**PARAMETERS, "enableTestCommands": "1"}
    async with a_replica_set(tmp_path, parameters) as replica_set:
        primary = await replica_set.wait_for_primary()
        others = [each for each in replica_set.members if each is not primary]
        async with open_mongo(replica_set.uri("service")) as mongo:
            await mongo.prepare()
            assert await can_write(mongo)

            replica_set.set_replication(others, enabled=False)
            with pytest.raises(StoreUnavailable):
                await MongoAdmissions(mongo=mongo).admit([a_job()], within=SOON)
            await mongo.ping()
            assert not await can_write(mongo), (
                "the probe changes nothing, but waits for the majority"
            )
            assert mongo.write_failures.problem is not None

            replica_set.set_replication(others, enabled=True)
            assert await can_write(mongo)


async def test_a_direct_connection_to_a_secondary_is_reported(
    tmp_path: Path,
) -> None:
    async with a_replica_set(tmp_path) as replica_set:
        primary = await replica_set.wait_for_primary()
        other = next(each for each in replica_set.members if each is not primary)
        direct = "mongodb://127.0.0.1:{}/gcsched?directConnection=true"
        async with (
            open_mongo(direct.format(primary.server.port)) as healthy,
            open_mongo(direct.format(other.server.port)) as mongo,
        ):
            await healthy.ping()
            with pytest.raises(StoreUnavailable) as away:
                await mongo.ping()

    assert "it is not the primary of its replica set" in away.value.why
    assert "without directConnection" in away.value.why
