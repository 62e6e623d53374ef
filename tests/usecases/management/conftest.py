"""Changes of one job and of many, on the test's own store."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.usecases.management.bulk_change import ApplyBulkChange
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import FixedClock
from tests.support.bulk_changes import LATER
from tests.support.change_job import RecordingQueue
from tests.support.wakeups import NoWakeUpQueue


@pytest.fixture
def nudges() -> list[str]:
    return []


@pytest.fixture
def bulk_change(mongo: Mongo, nudges: list[str]) -> ApplyBulkChange:
    clock = FixedClock(LATER)
    return ApplyBulkChange(
        job_list=MongoJobList(mongo=mongo),
        majority_list=MongoJobList(mongo=mongo, is_majority_read=True),
        store=MongoJobChanges(mongo=mongo, retention=timedelta(days=36500)),
        suppressions=MongoSuppressions(mongo=mongo),
        wake_ups=WakeUps(queue=NoWakeUpQueue(), nudge=lambda: nudges.append("now"), now=clock),
        now=clock,
    )


@pytest.fixture
def store(mongo: Mongo) -> MongoJobChanges:
    return MongoJobChanges(mongo=mongo, retention=timedelta(days=36500))


@pytest.fixture
def queue() -> RecordingQueue:
    return RecordingQueue()


@pytest.fixture
async def wake_ups(queue: RecordingQueue) -> AsyncIterator[WakeUps]:
    wake_ups, stop = (
        WakeUps(queue=queue, nudge=lambda: None, now=FixedClock(LATER)),
        asyncio.Event(),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wake_ups.run(stop))
        yield wake_ups
        stop.set()


@pytest.fixture
def change_job(store: MongoJobChanges, mongo: Mongo, wake_ups: WakeUps) -> ChangeJob:
    suppressions = MongoSuppressions(mongo=mongo)
    return ChangeJob(
        store=store, suppressions=suppressions, wake_ups=wake_ups, now=FixedClock(LATER)
    )
