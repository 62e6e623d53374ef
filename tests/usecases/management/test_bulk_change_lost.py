"""Bulk changes of jobs that others change or add meanwhile; oracle: what the driver finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from gcsched.adapters.mongo.codec import encode
from gcsched.domain.job import State
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery
from gcsched.errors import BulkNotFinished
from gcsched.usecases.management.bulk_change import ApplyBulkChange, BulkChange
from gcsched.usecases.ports import JobList, JobUpdate, Page
from tests.support.builders import AN_ACTOR, NOW, a_claimed_job, a_job
from tests.support.bulk_changes import (
    CANCEL,
    EVERYTHING,
    LATER,
    SOON,
    InterferingStore,
    insert_jobs,
    many,
    read_states,
)
from tests.support.rows import Rows


async def test_jobs_lost_to_a_change_that_leaves_them_waiting_are_read_again(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(10))
    left = iter([{"state": "RETRYING"}, {"state": "QUEUED"}])

    def meddle(_: Sequence[JobUpdate]) -> None:
        if (other := next(left, None)) is not None:
            jobs.update_many(
                {"state": {"$ne": "CANCELLED"}}, {"$set": other, "$inc": {"version": 1}}
            )

    bulk_change = replace(bulk_change, store=InterferingStore(bulk_change.store, meddle))

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 10
    )

    assert set(read_states(jobs).values()) == {"CANCELLED"}


@pytest.mark.parametrize("begun", [{}, {"begun": NOW}], ids=["claimed", "begun"])
async def test_jobs_lost_to_a_claim_are_cancelled_until_their_body_has_begun(
    bulk_change: ApplyBulkChange, jobs: Rows, begun: dict[str, Any]
) -> None:
    insert_jobs(jobs, many(10))
    claimed = {"$set": {"state": "SENDING", "claim": "claim-1"} | begun, "$inc": {"version": 1}}
    some = {"_id": {"$in": ["job-00003", "job-00007"]}, "state": "SCHEDULED"}
    bulk_change = replace(
        bulk_change,
        store=InterferingStore(bulk_change.store, lambda _: jobs.update_many(some, claimed)),
    )

    assert await bulk_change.apply(
        BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
    ) == (8 if begun else 10)

    left = [name for name, state in read_states(jobs).items() if state == "SENDING"]
    assert left == (["job-00003", "job-00007"] if begun else [])
    gone = {"state": "CANCELLED", "$or": [{"claim": {"$exists": True}}, {"lease": {"$ne": None}}]}
    assert jobs.count_documents(gone) == 0


async def test_a_job_whose_body_begins_at_that_moment_is_not_cancelled(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    """The fence does not change the version, so the guard must check the begun mark."""
    insert_jobs(jobs, many(10, state=State.SENDING, claim="claim-1", version=1))
    some = {"_id": {"$in": ["job-00003", "job-00007"]}}
    begin = {"$set": {"begun": NOW}}
    bulk_change = replace(
        bulk_change,
        store=InterferingStore(bulk_change.store, lambda _: jobs.update_many(some, begin)),
    )

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 8
    )

    left = [name for name, state in read_states(jobs).items() if state == "SENDING"]
    assert left == ["job-00003", "job-00007"]


async def test_jobs_that_are_claimed_and_given_back_during_the_pass_are_found(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    """They move from list to list, each time to one that was read already."""
    insert_jobs(jobs, [*many(5), a_job(id="other", dedup_key="o", state=State.SENDING, claim="c")])
    moves = iter(
        [
            ("SENDING", {"$set": {"state": "SCHEDULED"}, "$unset": {"claim": ""}}),
            ("SCHEDULED", {"$set": {"state": "SENDING", "claim": "d"}}),
        ]
    )

    def flip(_: Sequence[JobUpdate]) -> None:
        state, move = next(moves, ("NONE", {}))
        if move:
            jobs.update_many({"_id": "other", "state": state}, move | {"$inc": {"version": 1}})

    bulk_change = replace(bulk_change, store=InterferingStore(bulk_change.store, flip))

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 6
    )

    assert set(read_states(jobs).values()) == {"CANCELLED"}


async def test_jobs_that_arrive_during_the_pass_do_not_keep_it_going(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(5))
    later = LATER + timedelta(seconds=10)
    new = iter(range(10_000))

    def admit(_: Sequence[JobUpdate]) -> None:
        jobs.insert_one(encode(a_job(id=f"new-{next(new)}", create_time=later, dedup_key=None)))

    bulk_change = replace(bulk_change, store=InterferingStore(bulk_change.store, admit))

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        >= 5
    )

    assert read_states(jobs)["job-00004"] == "CANCELLED"
    assert next(new) < 10


async def test_jobs_that_are_lost_repeatedly_are_not_reported_as_done(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(5))
    bump = {"$inc": {"version": 1}}
    bulk_change = replace(
        bulk_change,
        store=InterferingStore(bulk_change.store, lambda _: jobs.update_many({}, bump)),
    )

    with pytest.raises(BulkNotFinished):
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL),
            actor=AN_ACTOR,
            within=timedelta(seconds=1),
        )


@dataclass
class InterferingList:
    """Lists of jobs; *interfere* is called before each page of SENDING jobs."""

    store: JobList
    interfere: Callable[[], object]

    async def read_page(
        self, listing: JobListQuery, after: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        if listing.filter.state is State.SENDING:
            self.interfere()
        return await self.store.read_page(listing, after, most=most, is_full=is_full)

    async def count(self, job_filter: JobFilter, *, most: int) -> int:
        return await self.store.count(job_filter, most=most)


async def test_a_job_that_goes_back_between_the_lists_is_cancelled(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    """It waits again when the lists of waiting jobs have been read for the last time."""
    insert_jobs(jobs, [a_claimed_job(begun=NOW)])

    def go_back() -> None:
        back = {"$set": {"state": "RETRYING"}, "$unset": {"claim": "", "begun": ""}}
        jobs.update_one({"state": "SENDING"}, back)

    interfering = replace(
        bulk_change, majority_list=InterferingList(bulk_change.majority_list, go_back)
    )

    assert (
        await interfering.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 1
    )
    assert read_states(jobs) == {"job-1": "CANCELLED"}
