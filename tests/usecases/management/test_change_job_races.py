"""Changes of one job that meet another change, a claim, or a store that does not answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.domain.commands import Cancel, JobCommand
from gcsched.domain.ids import etag_of
from gcsched.domain.job import Job, State
from gcsched.errors import (
    EtagMismatch,
    IllegalTransition,
    JobContended,
    StoreUnavailable,
)
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.ports import JobChanges
from tests.support.builders import (
    AN_ACTOR,
    NOON,
    a_claimed_job,
    a_job,
)
from tests.support.change_job import LATER, SOON, a_reschedule, the_job
from tests.support.clocks import DAY
from tests.support.rows import Rows


@dataclass
class InterferingStore:
    """A store; *interfere* is called between the read and the change."""

    store: JobChanges
    interfere: Callable[[Job], Awaitable[None]]

    async def find(self, job_id: str) -> Job | None:
        job = await self.store.find(job_id)
        if job is not None:
            await self.interfere(job)
        return job

    async def is_committed(self, job: Job) -> bool:
        return await self.store.is_committed(job)

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        return await self.store.change(seen, changed, within=within)


@dataclass
class LosesReplies:
    """A store that makes changes but raises an error instead of the reply, *count* times."""

    store: JobChanges
    count: int

    async def find(self, job_id: str) -> Job | None:
        return await self.store.find(job_id)

    async def is_committed(self, job: Job) -> bool:
        return await self.store.is_committed(job)

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        is_changed = await self.store.change(seen, changed, within=within)
        if self.count:
            self.count -= 1
            raise StoreUnavailable("changing a job")
        return is_changed


@dataclass
class NotYetCommitted:
    """A store whose majority is away for a number of reads."""

    store: JobChanges
    failures: int

    async def find(self, job_id: str) -> Job | None:
        return await self.store.find(job_id)

    async def is_committed(self, job: Job) -> bool:
        self.failures -= 1
        return self.failures < 0 and await self.store.is_committed(job)

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        return await self.store.change(seen, changed, within=within)


def bump_version(jobs: Rows, times: int, **change: Any) -> Callable[[Job], Awaitable[None]]:
    """Return a function that makes another version of the job, *times* times."""
    left = iter(range(times))

    async def bump(job: Job) -> None:
        if next(left, None) is not None:
            jobs.update_one({"_id": job.id}, {"$set": change, "$inc": {"version": 1}})

    return bump


async def test_a_lost_race_is_retried(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=InterferingStore(store, bump_version(jobs, 4)))

    changed = await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert (changed.state, changed.version) == ("CANCELLED", 5)


async def test_a_lost_race_is_retried_five_times_at_most(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=InterferingStore(store, bump_version(jobs, 100)))

    with pytest.raises(JobContended):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert (the_job(jobs).state, the_job(jobs).version) == ("SCHEDULED", 5)


async def test_a_caller_with_an_etag_does_not_retry(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=InterferingStore(store, bump_version(jobs, 1)))

    with pytest.raises(EtagMismatch):
        await change_job.change(
            "job-1", Cancel(), etag=etag_of(a_job()), actor=AN_ACTOR, within=SOON
        )

    assert the_job(jobs) == a_job(version=1)


@pytest.mark.parametrize(
    "command", [Cancel(), a_reschedule(NOON + 90), a_reschedule(0)], ids=["cancel", "time", "daily"]
)
async def test_a_job_that_is_claimed_at_that_moment_loses_its_claim(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows, command: JobCommand
) -> None:
    jobs.insert_one(encode(a_job()))
    claim = bump_version(jobs, 1, state="SENDING", since=LATER, claim="claim-1", lease=LATER + DAY)
    change_job = replace(change_job, store=InterferingStore(store, claim))

    changed = await change_job.change("job-1", command, etag="", actor=AN_ACTOR, within=SOON)

    assert changed == the_job(jobs)
    assert changed.state in {"CANCELLED", "SCHEDULED", "QUEUED"}
    [row] = jobs.find()
    assert {"claim", "lease", "begun"}.isdisjoint(row)


async def test_a_job_whose_body_begins_at_that_moment_is_not_changed(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    """The fence does not change the version, so the guard must check the begun mark."""
    jobs.insert_one(encode(a_claimed_job()))

    async def begin(job: Job) -> None:
        jobs.update_one({"_id": job.id}, {"$set": {"begun": LATER}})

    change_job = replace(change_job, store=InterferingStore(store, begin))

    with pytest.raises(IllegalTransition):
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert the_job(jobs) == a_claimed_job(begun=LATER)


async def test_a_job_whose_body_has_begun_cannot_be_cancelled(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    claim = bump_version(jobs, 1, state="SENDING", since=LATER, claim="claim-1", begun=LATER)
    change_job = replace(change_job, store=InterferingStore(store, claim))

    with pytest.raises(IllegalTransition) as raised:
        await change_job.change("job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON)

    assert raised.value.metadata == {
        "job_id": "job-1",
        "state": "SENDING",
        "state_time": "2026-07-01T12:01:00+00:00",
    }


@pytest.mark.parametrize("etag", ["", etag_of(a_job())], ids=["no etag", "etag"])
async def test_a_change_whose_answer_was_lost_is_recognized(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows, etag: str
) -> None:
    jobs.insert_one(encode(a_job()))
    change_job = replace(change_job, store=LosesReplies(store, 1))

    changed = await change_job.change(
        "job-1", Cancel(reason="moved"), etag=etag, actor=AN_ACTOR, within=SOON
    )

    assert changed == the_job(jobs)
    assert changed.version == 1


async def test_a_job_that_only_the_primary_has_is_not_confirmed(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(state=State.CANCELLED)))
    back_soon = replace(change_job, store=NotYetCommitted(store, 2))
    for_long = replace(change_job, store=NotYetCommitted(store, 1000))

    assert await back_soon.change(
        "job-1", Cancel(), etag="", actor=AN_ACTOR, within=SOON
    ) == the_job(jobs)
    with pytest.raises(StoreUnavailable):
        await for_long.change(
            "job-1", Cancel(), etag="", actor=AN_ACTOR, within=timedelta(seconds=0.3)
        )


async def test_a_store_that_stays_silent_fails_the_call_in_time(
    change_job: ChangeJob, store: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))

    async def for_ever(_: Job) -> None:
        await asyncio.Event().wait()

    change_job = replace(change_job, store=InterferingStore(store, for_ever))

    with pytest.raises(StoreUnavailable):
        await change_job.change(
            "job-1", Cancel(), etag="", actor=AN_ACTOR, within=timedelta(seconds=0.2)
        )
