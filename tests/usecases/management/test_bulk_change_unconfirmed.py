"""Exact counts after write concern errors, which a real mongod makes without losing a write."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.dev.stores.mongod import MongodOptions
from gcsched.domain.commands import Cancel, Retry
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter
from gcsched.usecases.management.bulk_change import ApplyBulkChange, BulkChange
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import AN_ACTOR, NOW, a_job
from tests.support.clocks import DAY
from tests.support.stores import own_mongod
from tests.support.wakeups import NoWakeUpQueue

SOON = timedelta(seconds=20)

NOT_CONFIRMED = {"code": 64, "errmsg": "waiting for replication timed out"}

Client = MongoClient[dict[str, Any]]


class TickingClock:
    """A clock that advances by a millisecond each time it is read."""

    def __init__(self) -> None:
        self.now = NOW + DAY

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@pytest.fixture
async def uri(tmp_path: Path) -> AsyncIterator[str]:
    options = MongodOptions(parameters={"enableTestCommands": "1"})
    async with own_mongod(tmp_path, options) as server:
        yield server.uri


@pytest.fixture
async def mongo(uri: str) -> AsyncIterator[Mongo]:
    async with open_mongo(uri) as mongo:
        await mongo.prepare()
        yield mongo


@pytest.fixture
def client(uri: str) -> Iterator[Client]:
    with Client(uri, tz_aware=True) as client:
        yield client


def fail_writes(client: Client, *, times: int, skip: int = 0) -> None:
    """Make *times* updates succeed without a confirmation, after *skip* good ones."""
    client.admin.command(
        "configureFailPoint",
        "failCommand",
        mode={"skip": skip, "times": times} if skip else {"times": times},
        data={"failCommands": ["update"], "writeConcernError": NOT_CONFIRMED},
    )


@pytest.fixture
def bulk_change(mongo: Mongo) -> ApplyBulkChange:
    clock = TickingClock()
    return ApplyBulkChange(
        job_list=MongoJobList(mongo=mongo),
        majority_list=MongoJobList(mongo=mongo, is_majority_read=True),
        store=MongoJobChanges(mongo=mongo, retention=timedelta(days=36_500)),
        suppressions=MongoSuppressions(mongo=mongo),
        wake_ups=WakeUps(queue=NoWakeUpQueue(), nudge=lambda: None, now=clock),
        now=clock,
    )


CASES: dict[str, tuple[Cancel | Retry, State, str]] = {
    "cancel": (Cancel(), State.SCHEDULED, "CANCELLED"),
    "retry": (Retry(keep_trying=DAY, window=DAY), State.FAILED, "RETRYING"),
}


async def test_each_job_is_counted_once(bulk_change: ApplyBulkChange, client: Client) -> None:
    jobs = client["gcsched"]["jobs"]
    for name, (command, state, becomes) in CASES.items():
        for times, skip in ((2, 0), (1, 1)):
            jobs.delete_many({})
            some = [a_job(id=f"{n:05d}", state=state, dedup_key=f"{n}") for n in range(540)]
            jobs.insert_many([encode(job) for job in some])
            fail_writes(client, times=times, skip=skip)

            count = await bulk_change.apply(
                BulkChange(filter=JobFilter(), command=command), actor=AN_ACTOR, within=SOON
            )

            assert (name, times, skip, count) == (name, times, skip, 540)
            assert jobs.count_documents({"state": becomes, "version": 1}) == 540
