"""Suppress an address whose jobs are claimed, on a real store; oracle: what the driver finds."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from msgspec import structs

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.job import Job, State
from gcsched.errors import StoreUnavailable
from gcsched.usecases.management.suppressions import ManageSuppressions
from gcsched.usecases.ports import InFlightJobs
from tests.support.builders import AN_ACTOR, NOW, FixedClock, a_claimed_job, a_job
from tests.support.bulk_changes import read_states
from tests.support.rows import Rows

FAR = timedelta(days=36_500)  # the server deletes expired documents by its own clock
ADDRESS = "ada@example.org"


@dataclass
class InterferingStore:
    """A store; *interfere* is called before each change, *on_read* before each read."""

    store: InFlightJobs
    interfere: Callable[[], object] = lambda: None
    on_read: Callable[[int], object] = lambda _: None
    read_count: int = 0

    async def find_claimed(self, address: str) -> Sequence[Job]:
        self._count_read()
        return await self.store.find_claimed(address)

    async def find_begun(self, ids: Collection[str]) -> Collection[tuple[str, str]]:
        self._count_read()
        return await self.store.find_begun(ids)

    def _count_read(self) -> None:
        self.read_count += 1
        self.on_read(self.read_count)

    async def change_all(self, pairs: Sequence[tuple[Job, Job]]) -> tuple[int, int]:
        self.interfere()
        return await self.store.change_all(pairs)


@pytest.fixture
def suppressions(mongo: Mongo) -> ManageSuppressions:
    job_changes = MongoJobChanges(mongo=mongo, retention=FAR)
    store = MongoSuppressions(mongo=mongo)
    return ManageSuppressions(store=store, jobs=job_changes, default_duration=FAR, now=FixedClock())


def insert_jobs(jobs: Rows, *some: Job) -> None:
    jobs.insert_many([encode(structs.replace(job, dedup_key=f"key of {job.id}")) for job in some])


async def test_claims_on_the_address_are_withdrawn_and_no_others(
    suppressions: ManageSuppressions, jobs: Rows
) -> None:
    waiting = a_job(id="waiting")
    late = a_claimed_job(id="late", expire_time=NOW - timedelta(seconds=1))
    other_spelling = a_claimed_job(id="spelled", email="ADA@example.org")
    other = a_claimed_job(id="other", email="adam@example.org")
    begun = a_claimed_job(id="begun", email="bob@example.org", begun=NOW)
    insert_jobs(jobs, a_claimed_job(id="claimed"), other_spelling, waiting, late, other, begun)
    jobs.update_many({"state": "SENDING"}, {"$set": {"lease": NOW + FAR}})

    await suppressions.add(ADDRESS, reason="asked us to", until=None, actor=AN_ACTOR)

    assert read_states(jobs) == {
        "claimed": "SUPPRESSED",
        "spelled": "SUPPRESSED",
        "late": "EXPIRED",
        "waiting": "SCHEDULED",  # the suppression is read when it is claimed
        "other": "SENDING",
        "begun": "SENDING",
    }
    [ended] = jobs.find({"state": "SUPPRESSED", "email": ADDRESS})
    assert {"claim", "lease", "begun", "dedup_key"}.isdisjoint(ended)
    assert (ended["version"], ended["released_key"]) == (2, "key of claimed")
    assert "asked us to" in ended["reason"]
    assert ended["attempts"] == []


async def test_a_body_that_has_begun_is_waited_for_and_stays(
    suppressions: ManageSuppressions, jobs: Rows
) -> None:
    insert_jobs(jobs, a_claimed_job(begun=NOW))

    def end_at_third(look: int) -> None:
        if look == 3:
            jobs.update_one({}, {"$set": {"state": "SENT"}})

    interfering = InterferingStore(suppressions.jobs, on_read=end_at_third)

    await replace(suppressions, jobs=interfering).add(
        ADDRESS, reason="asked us to", until=None, actor=AN_ACTOR
    )

    assert interfering.read_count == 3
    assert read_states(jobs) == {"job-1": "SENT"}


async def test_a_body_that_begins_at_that_moment_is_waited_for_and_stays(
    suppressions: ManageSuppressions, jobs: Rows
) -> None:
    """The fence does not change the version, so the guard must check the begun mark."""
    insert_jobs(jobs, a_claimed_job(), a_claimed_job(id="job-2"))

    def end_at_third(look: int) -> None:
        if look == 3:
            jobs.update_one({"_id": "job-1"}, {"$set": {"state": "SENT"}})

    def begin() -> None:
        jobs.update_one({"_id": "job-1"}, {"$set": {"begun": NOW}})

    interfering = InterferingStore(suppressions.jobs, interfere=begin, on_read=end_at_third)

    await replace(suppressions, jobs=interfering).add(
        ADDRESS, reason="asked us to", until=None, actor=AN_ACTOR
    )

    assert interfering.read_count == 3
    assert read_states(jobs) == {"job-1": "SENT", "job-2": "SUPPRESSED"}


async def test_a_relay_that_is_slow_with_a_body_is_not_waited_for(
    suppressions: ManageSuppressions, jobs: Rows
) -> None:
    insert_jobs(jobs, a_claimed_job(begun=NOW))

    began = time.monotonic()

    suppression = await suppressions.add(ADDRESS, reason="asked us to", until=None, actor=AN_ACTOR)

    assert suppression.address == ADDRESS
    assert read_states(jobs) == {"job-1": "SENDING"}
    # The wait for a slot is at most 2.25 s, after Redis had 0.25 s to answer.
    assert time.monotonic() - began > 2.5


async def test_claims_that_cannot_be_withdrawn_fail_the_call_which_may_be_repeated(
    suppressions: ManageSuppressions, jobs: Rows
) -> None:
    insert_jobs(jobs, a_claimed_job())
    left = iter([1])

    def be_away() -> None:
        if next(left, None):
            raise StoreUnavailable("changing jobs")

    interrupted = replace(suppressions, jobs=InterferingStore(suppressions.jobs, interfere=be_away))

    with pytest.raises(StoreUnavailable):
        await interrupted.add(ADDRESS, reason="asked us to", until=None, actor=AN_ACTOR)
    assert read_states(jobs) == {"job-1": State.SENDING}
    first, again = [
        await interrupted.add(ADDRESS, reason="asked us to", until=None, actor=AN_ACTOR)
        for _ in range(2)
    ]

    assert first == again
    assert read_states(jobs) == {"job-1": State.SUPPRESSED}
    assert jobs.find_one({}, {"version": 1}) == {"_id": "job-1", "version": 2}
