"""Bulk changes while the store is away or slow: changes are reported, and counted once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from gcsched.domain.job import Job
from gcsched.errors import BulkNotFinished, StoreUnavailable
from gcsched.usecases.management.bulk_change import ApplyBulkChange, BulkChange
from gcsched.usecases.ports import BulkJobChanges, JobUpdate
from tests.support.builders import AN_ACTOR, NOW
from tests.support.bulk_changes import (
    CANCEL,
    EVERYTHING,
    RETRY,
    SOON,
    HangingStore,
    InterferingStore,
    insert_jobs,
    many,
    one_of_each_state,
    read_states,
)
from tests.support.rows import Rows


@dataclass
class AwayStore:
    """A store that is away *times* times, after it has taken the first batch."""

    store: BulkJobChanges
    times: int
    taken: int = 0

    async def change_all(self, pairs: Sequence[JobUpdate]) -> tuple[int, int]:
        if self.taken and self.times:
            self.times -= 1
            raise StoreUnavailable("changing jobs")
        self.taken += 1
        return await self.store.change_all(pairs)

    async def find_committed(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.find_committed(ids)


@dataclass
class UnconfirmedStore:
    """A store that makes its first *fails* changes but reports them as unconfirmed."""

    store: BulkJobChanges
    fails: int

    async def change_all(self, pairs: Sequence[JobUpdate]) -> tuple[int, int]:
        changed = await self.store.change_all(pairs)
        if self.fails:
            self.fails -= 1
            raise StoreUnavailable("changing jobs")
        return changed

    async def find_committed(self, ids: Collection[str]) -> Sequence[Job]:
        return await self.store.find_committed(ids)


@pytest.mark.parametrize("fails", [1, 2, 3])
async def test_jobs_changed_by_a_failed_write_are_counted_once(
    bulk_change: ApplyBulkChange, jobs: Rows, fails: int
) -> None:
    insert_jobs(jobs, many(1_200))
    failing = replace(bulk_change, store=UnconfirmedStore(bulk_change.store, fails))

    assert (
        await failing.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 1_200
    )

    assert set(read_states(jobs).values()) == {"CANCELLED"}


async def test_jobs_changed_by_others_after_a_failed_write_are_not_counted(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(10))
    other_change = {"$set": {"state": "CANCELLED", "since": NOW}, "$inc": {"version": 1}}
    some = {"_id": {"$in": ["job-00003", "job-00007"]}, "version": 0}
    interfering = InterferingStore(
        bulk_change.store, lambda _: jobs.update_many(some, other_change)
    )
    failing = replace(bulk_change, store=UnconfirmedStore(interfering, 1))

    assert (
        await failing.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 8
    )


async def test_changes_made_before_the_time_is_over_stay(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(600))
    slow = replace(bulk_change, store=HangingStore(bulk_change.store, batches=1))
    change = BulkChange(filter=EVERYTHING, command=CANCEL)

    with pytest.raises(BulkNotFinished) as raised:
        await slow.apply(change, actor=AN_ACTOR, within=timedelta(seconds=1))

    assert raised.value.metadata == {"count": "500"}
    assert sorted(read_states(jobs).values()) == ["CANCELLED"] * 500 + ["SCHEDULED"] * 100
    assert await bulk_change.apply(change, actor=AN_ACTOR, within=SOON) == 100


async def test_a_store_that_is_away_briefly_is_waited_for_and_nothing_is_counted_twice(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(600))
    away = replace(bulk_change, store=AwayStore(bulk_change.store, times=1))

    assert (
        await away.apply(BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON)
        == 600
    )

    assert set(read_states(jobs).values()) == {"CANCELLED"}


async def test_changes_made_before_the_store_went_away_are_reported(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(600))
    away = replace(bulk_change, store=AwayStore(bulk_change.store, times=1_000))

    with pytest.raises(BulkNotFinished) as raised:
        await away.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL),
            actor=AN_ACTOR,
            within=timedelta(seconds=1),
        )

    assert raised.value.metadata == {"count": "500"}


async def test_a_store_that_stays_away_is_reported_as_unavailable(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(1))
    away = replace(bulk_change, store=AwayStore(bulk_change.store, times=1_000, taken=1))

    with pytest.raises(StoreUnavailable):
        await away.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL),
            actor=AN_ACTOR,
            within=timedelta(seconds=0.2),
        )


async def test_an_unfinished_count_reports_that_nothing_was_changed(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, one_of_each_state())

    with pytest.raises(BulkNotFinished) as raised:
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=RETRY, is_dry_run=True),
            actor=AN_ACTOR,
            within=timedelta(0),
        )

    assert "nothing was changed" in str(raised.value)
