"""The check and repair of indexes while the service runs. Oracle: what the driver finds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest
from pymongo import IndexModel, MongoClient
from pymongo.database import Database
from structlog.testing import capture_logs

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.index_repair import MongoIndexes, find_index_problem
from gcsched.adapters.mongo.other_documents import INDEXES
from gcsched.errors import AdmissionClosed, StoreUnavailable
from gcsched.pb import task_pb2
from gcsched.usecases.ports import IndexFault, IndexProblem
from gcsched.usecases.recovery.index_keeper import IndexKeeper
from tests.support.builders import a_job
from tests.support.handler_server import read_error_status
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.probes import probe_http
from tests.support.relay.server import Relay
from tests.support.rows import Row
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

EACH = [(name, each.document["name"]) for name, models in INDEXES.items() for each in models]
REPAIRED_WITHIN_SECONDS = 5.0


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    return new_mongo_uri


def read_definition(raw: Database[Row], collection: str, name: str) -> Row | None:
    found = {each["name"]: dict(each) for each in raw[collection].list_indexes()}
    return found.get(name)


async def is_repaired(keeper: IndexKeeper) -> bool:
    await keeper.check()
    return keeper.problem is None


class FastClock:
    """A clock that passes every pause before the next check."""

    seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 60
        return self.seconds


@pytest.fixture
async def keeper(mongo: Mongo) -> IndexKeeper:
    keeper = IndexKeeper(indexes=MongoIndexes(mongo=mongo), clock=FastClock())
    await keeper.check()
    assert keeper.problem is None
    return keeper


async def test_an_index_that_was_dropped_or_hidden_is_restored(
    keeper: IndexKeeper, raw: Database[Row]
) -> None:
    for collection, name in EACH:
        before = read_definition(raw, collection, name)

        raw[collection].drop_index(name)
        await keeper.check()
        dropped = keeper.problems
        await until(lambda: is_repaired(keeper))
        again = read_definition(raw, collection, name)
        raw.command("collMod", collection, index={"name": name, "hidden": True})
        await keeper.check()
        hidden = keeper.problems
        await until(lambda: is_repaired(keeper))

        assert dropped == [f"index {name} of {collection} is missing"]
        assert hidden == [f"index {name} of {collection} is hidden"]
        assert again == before == read_definition(raw, collection, name)


@pytest.mark.parametrize("name", ["claim", "dedup_key"])
async def test_a_foreign_index_with_the_name_of_ours_is_reported_and_kept(
    keeper: IndexKeeper, raw: Database[Row], name: str
) -> None:
    raw["jobs"].drop_index(name)
    raw["jobs"].create_indexes([IndexModel([("other", 1)], name=name)])

    await keeper.check()

    assert (read_definition(raw, "jobs", name) or {})["key"] == {"other": 1}
    assert keeper.problem is not None
    assert f"index {name} of jobs has another definition" in keeper.problem
    if name == "dedup_key":
        with pytest.raises(AdmissionClosed, match="drop it"):
            await keeper.check_admission()
    raw["jobs"].drop_index(name)
    await until(lambda: is_repaired(keeper))


async def test_an_index_with_our_keys_under_another_name_is_reported(
    keeper: IndexKeeper, raw: Database[Row]
) -> None:
    raw["jobs"].drop_index("claim")
    partial = {"claim": {"$exists": True}}
    raw["jobs"].create_index("claim", name="by_hand", partialFilterExpression=partial)

    await keeper.check()
    await until(lambda: "drop that one" in (keeper.problem or ""))

    raw["jobs"].drop_index("by_hand")


async def test_an_index_of_a_newer_version_is_kept(
    mongo: Mongo, keeper: IndexKeeper, raw: Database[Row]
) -> None:
    raw["jobs"].create_index("invitation", name="invitation_of_a_newer_version")

    await mongo.prepare()
    await keeper.check()

    assert keeper.problem is None
    assert read_definition(raw, "jobs", "invitation_of_a_newer_version")


async def test_the_indexes_of_a_dropped_collection_are_created_again(
    keeper: IndexKeeper, raw: Database[Row]
) -> None:
    raw["jobs"].drop()

    await keeper.check()
    assert len(keeper.problems) == len(INDEXES["jobs"])
    await until(lambda: is_repaired(keeper))


async def test_jobs_that_share_a_key_are_named_until_one_releases_it(
    keeper: IndexKeeper, raw: Database[Row]
) -> None:
    raw["jobs"].drop_index("dedup_key")
    pairs = [(f"a-{n}", f"b-{n}") for n in range(12)]
    raw["jobs"].insert_many(
        encode(a_job(id=job_id, dedup_key=pair[0], email="secret@example.org"))
        for pair in pairs
        for job_id in pair
    )

    await keeper.check()
    await until(lambda: "12 values of dedup_key" in (keeper.problem or ""))
    problem = keeper.problem or ""
    with pytest.raises(AdmissionClosed):
        await keeper.check_admission()
    raw["jobs"].update_many({"_id": {"$regex": "^b"}}, {"$unset": {"dedup_key": ""}})
    await until(lambda: is_repaired(keeper))
    await keeper.check_admission()

    assert sum(f"{a} and {b}" in problem for a, b in pairs) == 10
    assert "secret" not in problem


async def test_a_request_id_is_shared_only_by_jobs_of_one_client(
    keeper: IndexKeeper, raw: Database[Row]
) -> None:
    raw["jobs"].drop_index("own_request_id_client")
    raw["jobs"].insert_many(
        encode(a_job(id=job_id, dedup_key=job_id, request_id="R", client=client))
        for job_id, client in (("a", "hr"), ("b", "payroll"), ("c", "hr"))
    )

    await keeper.check()
    words = "1 values of own_request_id and client belong to several jobs: a and c"
    await until(lambda: words in (keeper.problem or ""))

    assert "remove the own_request_id of one" in (keeper.problem or "")


def test_an_index_that_is_being_built_is_a_problem() -> None:
    [expected] = [each.document for each in INDEXES["jobs"] if each.document["name"] == "dedup_key"]
    building = {"dedup_key": {**expected, "building": True}}

    problem = find_index_problem("jobs", expected, building)

    assert problem is not None
    assert (problem.fault, problem.is_unique) == (IndexFault.BUILDING, True)
    assert find_index_problem("jobs", expected, {"dedup_key": expected}) is None


@asynccontextmanager
async def run_app(mongo: str, redis: str, relay: Relay) -> AsyncIterator[RunningApp]:
    async with running_app(make_settings(mongo=mongo, redis=redis, relay_port=relay.port)) as app:
        yield app


async def test_without_the_unique_index_mails_are_sent_but_no_request_is_accepted(
    mongo_uri: str, redis_url: str
) -> None:
    """A process that starts then does not accept any either: a restart is not the remedy."""
    async with open_mongo(mongo_uri) as mongo:
        await mongo.prepare()
    with MongoClient[Row](mongo_uri) as driver:
        jobs = driver.get_default_database()["jobs"]
        jobs.drop_index("dedup_key")
        jobs.insert_many(
            encode(
                a_job(
                    id=name, dedup_key="one", expire_time=a_job().create_time + timedelta(days=999)
                )
            )
            for name in ("first", "second")
        )
        async with (
            Relay() as relay,
            run_app(mongo_uri, redis_url, relay) as app,
            scheduler_stub(app.target) as stub,
            probe_http(app.http) as http,
        ):
            await until(lambda: len(relay.ledger) == 2)
            await until(lambda: is_reported(http))
            refusal = await read_error_status(stub.ScheduleMeet(a_meet(1), timeout=3))
            batch = await stub.BatchScheduleMeets(
                task_pb2.BatchScheduleMeetsRequest(requests=[a_meet(1)]), timeout=3
            )
            status = await stub.GetStatus(task_pb2.GetStatusRequest())
            retry = await read_error_status(stub.RetryJob(task_pb2.RetryJobRequest(job_id="first")))
            every = task_pb2.ChangeJobsRequest(filter=task_pb2.JobFilter(empid="E1"))
            cancel = await read_error_status(
                stub.CancelJob(task_pb2.CancelJobRequest(job_id="first"))
            )
            count = (await stub.CancelJobs(every)).count

            jobs.update_one({"_id": "second"}, {"$unset": {"dedup_key": ""}})
            await until(lambda: is_accepted(stub), within=20)

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "ADMISSION_CLOSED")
    assert (retry.code, retry.reason) == (grpc.StatusCode.UNAVAILABLE, "ADMISSION_CLOSED")
    assert (cancel.reason, count) == ("ILLEGAL_TRANSITION", 0)
    assert batch.answers[0].error.code == grpc.StatusCode.UNAVAILABLE.value[0]
    assert any("first and second" in problem for problem in status.problems)


async def is_reported(http: Any) -> bool:
    status, body = await http.get_readiness()
    return status == 200 and "first and second" in body.get("reason", "")


async def is_accepted(stub: Any) -> bool:
    try:
        return bool((await stub.ScheduleMeet(a_meet(2), timeout=2)).success)
    except grpc.aio.AioRpcError:
        return False


async def test_a_claim_without_its_index_has_it_created_at_once(
    mongo_uri: str, redis_url: str
) -> None:
    async with Relay() as relay, run_app(mongo_uri, redis_url, relay) as app:
        with MongoClient[Row](mongo_uri) as driver:
            jobs = driver.get_default_database()["jobs"]
            for name in ("claim", "state_due_id", "priority_state_due"):
                jobs.drop_index(name)
            async with scheduler_stub(app.target) as stub:
                replies = await asyncio.gather(*[stub.ScheduleMeet(a_meet(n)) for n in range(20)])

            await until(lambda: len(relay.ledger) == 20, within=REPAIRED_WITHIN_SECONDS)

    assert all(reply.success for reply in replies)


async def test_a_refusal_of_mongodb_is_reported_to_callers_and_by_readiness(
    mongo_uri: str, redis_url: str
) -> None:
    async with (
        Relay() as relay,
        run_app(mongo_uri, redis_url, relay) as app,
        scheduler_stub(app.target) as stub,
        probe_http(app.http) as http,
    ):
        await app.resources.mongo.database.command("collMod", "jobs", validator={"_id": ""})

        refusal = await read_error_status(stub.ScheduleMeet(a_meet(1), timeout=3))
        status, body = await http.get_readiness()
        report = await stub.GetStatus(task_pb2.GetStatusRequest())

    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_REFUSED")
    assert refusal.metadata == {"problem": "validation"}
    assert (status, body["status"]) == (200, "degraded")
    assert "remove the rule" in body["dependencies"]["mongodb statements"]
    assert any("remove the rule" in problem for problem in report.problems)


async def test_the_default_collation_of_a_collection_is_not_a_difference(
    mongo: Mongo, raw: Database[Row]
) -> None:
    raw.drop_collection("jobs")
    raw.create_collection("jobs", collation={"locale": "en", "strength": 3})
    await mongo.prepare()

    assert await MongoIndexes(mongo=mongo).check() == []

    raw["jobs"].drop_index("dedup_key")
    [model] = [each for each in INDEXES["jobs"] if each.document["name"] == "dedup_key"]
    other_collation = {**model.document, "collation": {"locale": "de"}}
    raw.command("createIndexes", "jobs", indexes=[other_collation])
    [problem] = await MongoIndexes(mongo=mongo).check()
    assert (problem.name, problem.fault) == ("dedup_key", IndexFault.DIFFERENT)


class UnreachableIndexes:
    """Indexes that cannot be checked, for one of two reasons."""

    checks = 0

    async def check(self) -> list[IndexProblem]:
        self.checks += 1
        raise StoreUnavailable("checking" if self.checks != 3 else "checking again")

    async def create(self, problem: IndexProblem) -> IndexProblem | None:
        raise AssertionError(problem)


async def test_a_failed_index_check_is_logged_when_its_reason_changes() -> None:
    keeper = IndexKeeper(indexes=UnreachableIndexes())

    with capture_logs() as logs:
        for _ in range(4):
            await keeper.check()

    assert len(logs) == 3


async def test_nudged_checks_are_half_a_second_apart() -> None:
    indexes, stop = UnreachableIndexes(), asyncio.Event()
    keeper = IndexKeeper(indexes=indexes)
    start = asyncio.get_running_loop().time()
    running = asyncio.create_task(keeper.run(stop))
    async with asyncio.timeout(10):
        while indexes.checks < 3:
            keeper.nudged.set()
            await asyncio.sleep(0)
    took = asyncio.get_running_loop().time() - start
    stop.set()
    await running

    assert took > 0.9
