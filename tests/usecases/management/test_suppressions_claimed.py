"""Block an address whose jobs are claimed, on a real store; oracle: what the driver finds there."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoSteering
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.job import Job, State
from gcsched.errors import StoreUnavailable
from gcsched.usecases.management.suppressions import Blocklist
from gcsched.usecases.ports import ClaimedJobs
from tests.support.builders import NOW, FixedClock, a_claimed_job, a_job
from tests.support.bulk_changes import states
from tests.support.rows import Rows

FAR = timedelta(days=36_500)  # the server itself deletes what is over by its own clock
ADDRESS = "ada@example.org"


@dataclass
class Meddled:
    """A store in which *meddle* comes before each change, and *looked* before each look."""

    store: ClaimedJobs
    meddle: Callable[[], object] = lambda: None
    looked: Callable[[int], object] = lambda _: None
    looks: int = 0

    async def claimed(self, address: str) -> Sequence[Job]:
        self._look()
        return await self.store.claimed(address)

    async def still_begun(self, ids: Collection[str]) -> Collection[tuple[str, str]]:
        self._look()
        return await self.store.still_begun(ids)

    def _look(self) -> None:
        self.looks += 1
        self.looked(self.looks)

    async def change_all(self, pairs: Sequence[tuple[Job, Job]]) -> tuple[int, int]:
        self.meddle()
        return await self.store.change_all(pairs)


@pytest.fixture
def blocklist(mongo: Mongo) -> Blocklist:
    steering = MongoSteering(mongo=mongo, retention=FAR)
    store = MongoSuppressions(mongo=mongo)
    return Blocklist(store=store, jobs=steering, lasting=FAR, now=FixedClock())


def store(jobs: Rows, *some: Job) -> None:
    jobs.insert_many([encode(replace(job, dedup_key=f"key of {job.id}")) for job in some])


async def test_claims_on_the_address_end_and_no_others(blocklist: Blocklist, jobs: Rows) -> None:
    waiting = a_job(id="waiting")
    late = a_claimed_job(id="late", expire_time=NOW - timedelta(seconds=1))
    spelled = a_claimed_job(id="spelled", email="ADA@example.org")
    other = a_claimed_job(id="other", email="adam@example.org")
    begun = a_claimed_job(id="begun", email="bob@example.org", begun=NOW)
    store(jobs, a_claimed_job(id="claimed"), spelled, waiting, late, other, begun)
    jobs.update_many({"state": "SENDING"}, {"$set": {"lease": NOW + FAR}})

    await blocklist.block(ADDRESS, reason="asked us to", until=None)

    assert states(jobs) == {
        "claimed": "SUPPRESSED",
        "spelled": "SUPPRESSED",
        "late": "EXPIRED",
        "waiting": "SCHEDULED",  # it meets the suppression when it is claimed
        "other": "SENDING",
        "begun": "SENDING",
    }
    [ended] = jobs.find({"state": "SUPPRESSED", "email": ADDRESS})
    assert {"claim", "lease", "begun", "dedup_key"}.isdisjoint(ended)
    assert (ended["version"], ended["released_key"]) == (2, "key of claimed")
    assert "asked us to" in ended["reason"]
    assert ended["attempts"] == []


async def test_a_body_that_has_begun_is_waited_for_and_stays(
    blocklist: Blocklist, jobs: Rows
) -> None:
    store(jobs, a_claimed_job(begun=NOW))

    def end_at_third(look: int) -> None:
        if look == 3:
            jobs.update_one({}, {"$set": {"state": "SENT"}})

    meddled = Meddled(blocklist.jobs, looked=end_at_third)

    await replace(blocklist, jobs=meddled).block(ADDRESS, reason="asked us to", until=None)

    assert meddled.looks == 3
    assert states(jobs) == {"job-1": "SENT"}


async def test_a_body_that_begins_in_that_moment_is_waited_for_and_stays(
    blocklist: Blocklist, jobs: Rows
) -> None:
    """The fence leaves the version as it was: the guard must look at its mark."""
    store(jobs, a_claimed_job(), a_claimed_job(id="job-2"))

    def end_at_third(look: int) -> None:
        if look == 3:
            jobs.update_one({"_id": "job-1"}, {"$set": {"state": "SENT"}})

    def begin() -> None:
        jobs.update_one({"_id": "job-1"}, {"$set": {"begun": NOW}})

    meddled = Meddled(blocklist.jobs, meddle=begin, looked=end_at_third)

    await replace(blocklist, jobs=meddled).block(ADDRESS, reason="asked us to", until=None)

    assert meddled.looks == 3
    assert states(jobs) == {"job-1": "SENT", "job-2": "SUPPRESSED"}


async def test_a_relay_that_is_slow_with_a_body_is_not_waited_for(
    blocklist: Blocklist, jobs: Rows
) -> None:
    store(jobs, a_claimed_job(begun=NOW))

    began = time.monotonic()

    blocked = await blocklist.block(ADDRESS, reason="asked us to", until=None)

    assert blocked.address == ADDRESS
    assert states(jobs) == {"job-1": "SENDING"}
    # A slot of the rate is waited for 2.25 s at most, after Redis had 0.25 s to answer.
    assert time.monotonic() - began > 2.5


async def test_claims_that_could_not_be_withdrawn_are_no_success_and_the_call_may_be_repeated(
    blocklist: Blocklist, jobs: Rows
) -> None:
    store(jobs, a_claimed_job())
    left = iter([1])

    def be_away() -> None:
        if next(left, None):
            raise StoreUnavailable("changing jobs")

    unlucky = replace(blocklist, jobs=Meddled(blocklist.jobs, meddle=be_away))

    with pytest.raises(StoreUnavailable):
        await unlucky.block(ADDRESS, reason="asked us to", until=None)
    assert states(jobs) == {"job-1": State.SENDING}
    first, again = [
        await unlucky.block(ADDRESS, reason="asked us to", until=None) for _ in range(2)
    ]

    assert first == again
    assert states(jobs) == {"job-1": State.SUPPRESSED}
    assert jobs.find_one({}, {"version": 1}) == {"_id": "job-1", "version": 2}
