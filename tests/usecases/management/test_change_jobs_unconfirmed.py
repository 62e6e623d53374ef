"""Count exactly what write concern errors left changed; a real mongod makes them without a loss."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.dev.stores.mongod import MongodOptions
from gcsched.domain.commands import Cancel, Reopen
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter
from gcsched.usecases.management.change_jobs import ChangeJobs, Lot
from gcsched.usecases.wakeups import Ringer
from tests.support.builders import NOW, a_job
from tests.support.clocks import DAY
from tests.support.stores import own_mongod
from tests.support.wakeups import SilentBell

SOON = timedelta(seconds=20)

NOT_CONFIRMED = {"code": 64, "errmsg": "waiting for replication timed out"}

Client = MongoClient[dict[str, Any]]


class Ticking:
    """A clock that goes on by a millisecond whenever it is looked at."""

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


def fail(client: Client, *, times: int, skip: int = 0) -> None:
    """Have *times* updates made and not confirmed, after *skip* good ones."""
    client.admin.command(
        "configureFailPoint",
        "failCommand",
        mode={"skip": skip, "times": times} if skip else {"times": times},
        data={"failCommands": ["update"], "writeConcernError": NOT_CONFIRMED},
    )


@pytest.fixture
def change(mongo: Mongo) -> ChangeJobs:
    clock = Ticking()
    return ChangeJobs(
        list=MongoJobList(mongo=mongo),
        certain=MongoJobList(mongo=mongo, is_certain=True),
        store=MongoSteering(mongo=mongo, retention=timedelta(days=36_500)),
        suppressions=MongoSuppressions(mongo=mongo),
        ringer=Ringer(bell=SilentBell(), nudge=lambda: None, now=clock),
        now=clock,
    )


CASES: dict[str, tuple[Cancel | Reopen, State, str]] = {
    "cancel": (Cancel(), State.SCHEDULED, "CANCELLED"),
    "retry": (Reopen(keep_trying=DAY, window=DAY), State.FAILED, "RETRYING"),
}


async def test_each_job_is_counted_once(change: ChangeJobs, client: Client) -> None:
    jobs = client["gcsched"]["jobs"]
    for name, (wish, state, becomes) in CASES.items():
        for times, skip in ((2, 0), (1, 1)):
            jobs.delete_many({})
            some = [a_job(id=f"{n:05d}", state=state, dedup_key=f"{n}") for n in range(540)]
            jobs.insert_many([encode(job) for job in some])
            fail(client, times=times, skip=skip)

            count = await change(Lot(filter=JobFilter(), wish=wish), within=SOON)

            assert (name, times, skip, count) == (name, times, skip, 540)
            assert jobs.count_documents({"state": becomes, "version": 1}) == 540
