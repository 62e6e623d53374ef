"""Steps of callers that change the same jobs at the same time, on a real store."""

import asyncio
from datetime import timedelta

import pytest

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.access import Client, Scope
from gcsched.domain.actor import Actor
from gcsched.domain.commands import Cancel, Reschedule
from gcsched.domain.job import Job, State
from gcsched.errors import IllegalTransition, JobContended
from gcsched.usecases.management.bulk_change import ApplyBulkChange, BulkChange
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import NOW, a_job
from tests.support.bulk_changes import CANCEL, EVERYTHING, LATER, SOON, insert_jobs, many
from tests.support.clocks import DAY
from tests.support.rows import Rows
from tests.support.wakeups import NoWakeUpQueue


def an_actor(name: str, method: str = "RescheduleJob") -> Actor:
    return Actor(
        client=Client(name=name, scopes=frozenset({Scope.ADMIN})), via="grpc", method=method
    )


@pytest.fixture
def change_job(mongo: Mongo) -> ChangeJob:
    wake_ups = WakeUps(queue=NoWakeUpQueue(), nudge=lambda: None, now=lambda: LATER)
    return ChangeJob(
        store=MongoJobChanges(mongo=mongo, retention=timedelta(days=36_500)),
        suppressions=MongoSuppressions(mongo=mongo),
        wake_ups=wake_ups,
        now=lambda: LATER,
    )


def read_job(jobs: Rows) -> Job:
    [row] = jobs.find()
    return decode(row)


async def test_each_of_many_changes_at_once_that_succeeds_is_exactly_one_step(
    change_job: ChangeJob, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(due_time=NOW + DAY, schedule_time=NOW + DAY)))

    async def reschedule(number: int) -> str | None:
        when = NOW + number * timedelta(days=2)
        command = Reschedule(schedule_time=when, is_daily=False, keep_trying=DAY)
        name = f"client-{number}"
        try:
            await change_job.change("job-1", command, etag="", actor=an_actor(name), within=SOON)
        except JobContended:
            return None
        return name

    succeeded = [name for name in await asyncio.gather(*map(reschedule, range(1, 9))) if name]

    steps = read_job(jobs).steps
    assert len(succeeded) >= 2
    assert sorted(step.client for step in steps) == sorted(succeeded)
    assert read_job(jobs).version == len(succeeded)


async def test_of_two_cancellations_at_once_only_the_one_that_made_it_is_a_step(
    change_job: ChangeJob, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))

    answers = await asyncio.gather(
        *[
            change_job.change(
                "job-1",
                Cancel(reason=name),
                etag="",
                actor=an_actor(name, "CancelJob"),
                within=SOON,
            )
            for name in ("one", "two")
        ],
    )

    [step] = read_job(jobs).steps
    assert read_job(jobs).reason == step.reason == step.client
    assert answers == [read_job(jobs)] * 2


async def test_a_refused_change_is_no_step(change_job: ChangeJob, jobs: Rows) -> None:
    jobs.insert_one(encode(a_job(state=State.SENT)))
    command = Reschedule(schedule_time=NOW + DAY, is_daily=False, keep_trying=DAY)

    with pytest.raises(IllegalTransition):
        await change_job.change("job-1", command, etag="", actor=an_actor("one"), within=SOON)

    assert read_job(jobs).steps == ()


async def test_each_job_of_bulk_changes_at_once_has_one_step(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(700))
    change = BulkChange(filter=EVERYTHING, command=CANCEL)

    counts = await asyncio.gather(
        *[
            bulk_change.apply(change, actor=an_actor(name, "CancelJobs"), within=SOON)
            for name in ("one", "two")
        ]
    )

    changed = [decode(row) for row in jobs.find()]
    assert sum(counts) == 700
    assert {len(job.steps) for job in changed} == {1}
    assert [
        sum(job.steps[0].client == name for job in changed) for name in ("one", "two")
    ] == counts
    assert {job.steps[0].reason for job in changed} == {"called off"}
