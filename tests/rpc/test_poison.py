"""Poisoned documents stop no other: other mails leave and every call is answered."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from bson.codec_options import DatetimeConversion
from pymongo.database import Database
from structlog.testing import capture_logs

from gcsched.adapters.mongo.connection import open_mongo
from gcsched.pb import task_pb2
from tests.support.in_process_app import make_settings, running_app, schedule_mails
from tests.support.poisons import (
    a_non_utf8_job,
    poison_jobs,
    poison_other_collections,
    store_poisons,
)
from tests.support.relay.server import Relay
from tests.support.rows import Row
from tests.support.service_process import Stub, scheduler_stub
from tests.support.status_details import error_reason, status_of
from tests.support.wait import until

List = task_pb2.ListJobsRequest
GOOD = 30
SUITE_STATES = ("SCHEDULED", "QUEUED", "begun orphan")
EXPECTED_REASONS = {"JOB_UNREADABLE", "RECIPIENT_NOT_FOUND"}
EVENTS_OF_DEFECTS = {
    *("call failed", "delivery crashed", "sweep failed, retrying", "claim failed, retrying"),
    *("delivery broke", "sweep waits", "claiming waits"),  # as in earlier versions
}


@pytest.fixture
def raw(raw: Database[Row]) -> Database[Row]:
    """The test's database, with instants clamped that Python cannot represent."""
    clamp = DatetimeConversion.DATETIME_CLAMP
    return raw.with_options(raw.codec_options.with_options(datetime_conversion=clamp))


@pytest.fixture
async def poison_count(mongo_uri: str, raw: Database[Row]) -> int:
    """Poison every field in every way, before the service starts."""
    async with open_mongo(mongo_uri) as mongo:
        await mongo.prepare()
    stored = store_poisons(raw, [*poison_jobs(states=SUITE_STATES), *poison_other_collections()])
    raw["jobs"].insert_one(a_non_utf8_job())
    raw["runs"].insert_one({"_id": "sweep", "started": "x"})
    raw["runs"].insert_one({"_id": f"daily:{datetime.now(UTC).date()}", "moved": "x"})
    return stored


async def test_poisoned_jobs_never_affect_the_others(
    poison_count: int, mongo_uri: str, redis_url: str, relay: Relay, raw: Database[Row]
) -> None:
    settings = make_settings(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)

    with capture_logs() as logs:
        async with running_app(settings) as app, scheduler_stub(app.target) as stub:
            await schedule_mails(app, GOOD)
            await until(lambda: count_good_mails(relay) == GOOD, within=30)
            await until(lambda: has_swept(raw), within=30)
            reasons = {each async for each in call_all_methods(stub, raw)}
            await schedule_mails(app, GOOD, first=GOOD)
            await until(lambda: count_good_mails(relay) == 2 * GOOD, within=30)

    assert poison_count > 3_000
    assert reasons <= EXPECTED_REASONS
    assert {log["event"] for log in logs}.isdisjoint(EVENTS_OF_DEFECTS)
    assert "job unreadable" in {log["event"] for log in logs}
    assert raw["jobs"].count_documents({"state": "UNREADABLE"}) > 1_000


def count_good_mails(relay: Relay) -> int:
    return len({kept.recipient for kept in relay.ledger if kept.recipient.endswith("@bench.test")})


def has_swept(raw: Database[Row]) -> bool:
    """Return whether a sweep has ended: the daily run comes after the scan of all jobs."""
    note = raw["runs"].find_one({"_id": "sweep"}) or {}
    queued = {"state": "QUEUED", "due": {"$lte": datetime.now(UTC)}}
    return isinstance(note.get("started"), datetime) and not raw["jobs"].count_documents(queued)


async def call_all_methods(stub: Stub, raw: Database[Row]) -> AsyncIterator[str]:
    """Call the methods for one job and for many; yield the reasons of refusals."""
    empid = task_pb2.JobFilter(empid="POISON")
    calls: list[tuple[str, Any]] = [
        *[("GetJob", task_pb2.GetJobRequest(job_id=each)) for each in ids(raw, "jobs")],
        *[("GetRecipient", task_pb2.GetRecipientRequest(empid=e)) for e in ids(raw, "recipients")],
        ("ListSuppressions", task_pb2.ListSuppressionsRequest(page_size=200)),
        ("CountJobs", task_pb2.CountJobsRequest(filter=empid)),
        ("GetStatus", task_pb2.GetStatusRequest()),
        ("RunDailyQueue", task_pb2.RunDailyQueueRequest()),
        ("CancelJobs", task_pb2.ChangeJobsRequest(filter=empid, reason="x")),
        ("RetryJobs", task_pb2.ChangeJobsRequest(filter=empid)),
        ("ForgetRecipient", task_pb2.ForgetRecipientRequest(empid="POISON")),
    ]
    for name, request in calls:
        if (reason := await read_error_reason(stub, name, request)) is not None:
            yield reason
    for request in listings():
        seen = 0
        while True:
            page = await stub.ListJobs(request, timeout=20)
            seen += 1
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
            assert seen < 100, "the list is endless"


def listings() -> Iterator[task_pb2.ListJobsRequest]:
    for order in (List.CREATE_TIME_ASC, List.CREATE_TIME_DESC):
        by_empid = task_pb2.JobFilter(empid="POISON")
        yield List(filter=by_empid, order=order, page_size=200, view=task_pb2.Job.FULL)
    for state in (task_pb2.Job.SENT, task_pb2.Job.SCHEDULED, task_pb2.Job.CANCELLED):
        for order in (List.DUE_TIME_ASC, List.DUE_TIME_DESC):
            yield List(filter=task_pb2.JobFilter(state=state), order=order, page_size=200)


def ids(raw: Database[Row], collection: str) -> list[str]:
    """Return a sample of the ids, with some of each poisoned field."""
    found = raw[collection].find({"_id": {"$type": "string"}}, {"_id": 1})
    return [row["_id"] for row in found if 0 < len(row["_id"]) < 100][::25]


async def read_error_reason(stub: Stub, name: str, request: Any) -> str | None:
    try:
        await getattr(stub, name)(request, timeout=20)
    except grpc.aio.AioRpcError as error:
        return error_reason(status_of(error))[0]
    return None
