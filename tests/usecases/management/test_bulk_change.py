"""Change many jobs on a real store; oracle: what the driver finds there."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter
from gcsched.errors import StoreRefused
from gcsched.usecases.management.bulk_change import ApplyBulkChange, BulkChange
from gcsched.usecases.ports import JobUpdate
from tests.support.builders import AN_ACTOR, NOW, a_job, a_suppression
from tests.support.bulk_changes import (
    CANCEL,
    EVERYTHING,
    LATER,
    RETRY,
    SOON,
    InterferingStore,
    insert_jobs,
    many,
    one_of_each_state,
    read_states,
)
from tests.support.clocks import DAY
from tests.support.log_events import Events, find_events
from tests.support.named_callers import an_actor_of
from tests.support.poisons import forbid_changes
from tests.support.rows import Rows

FAR = NOW + 36_500 * DAY  # the server deletes expired documents by its own clock


async def test_all_waiting_jobs_are_cancelled_and_no_others(
    bulk_change: ApplyBulkChange, jobs: Rows, events: Events
) -> None:
    insert_jobs(jobs, one_of_each_state())

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 4
    )

    assert [each["count"] for each in find_events(events, "jobs cancelled")] == [4]
    cancelled = dict.fromkeys(("QUEUED", "SCHEDULED", "RETRYING", "SENDING"), "CANCELLED")
    assert read_states(jobs) == {state: state for state in State} | cancelled
    assert {row["reason"] for row in jobs.find({"version": 1})} == {"called off"}


async def test_all_jobs_that_ended_unsent_are_retried_and_no_others(
    bulk_change: ApplyBulkChange, jobs: Rows, nudges: list[str]
) -> None:
    insert_jobs(jobs, one_of_each_state())

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=RETRY), actor=AN_ACTOR, within=SOON
        )
        == 4
    )

    opened = dict.fromkeys(("FAILED", "EXPIRED", "UNCERTAIN", "SUPPRESSED"), "RETRYING")
    assert read_states(jobs) == {state: state for state in State} | opened
    assert nudges, "they are due now"


async def test_counted_jobs_are_not_changed(bulk_change: ApplyBulkChange, jobs: Rows) -> None:
    insert_jobs(jobs, one_of_each_state())
    before = list(jobs.find())

    counted = [
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=command, is_dry_run=True),
            actor=AN_ACTOR,
            within=SOON,
        )
        for command in (CANCEL, RETRY)
    ]

    assert counted == [4, 4]
    assert list(jobs.find()) == before


@pytest.mark.parametrize(
    ("job_filter", "changed"),
    [
        (JobFilter(state=State.QUEUED), {"QUEUED"}),
        (JobFilter(state=State.SENT), set()),
        (JobFilter(empid="E-RETRYING"), {"RETRYING"}),
        (JobFilter(empid="E-SENDING"), {"SENDING"}),
        (JobFilter(state=State.SENDING), {"SENDING"}),
        (JobFilter(request_id="request-QUEUED"), {"QUEUED"}),
        (JobFilter(request_id="request-SENT"), set()),
        (JobFilter(email="ada@example.org"), {"QUEUED", "SCHEDULED", "RETRYING", "SENDING"}),
        (JobFilter(state=State.SCHEDULED, due_time_before=NOW), set()),
        (JobFilter(state=State.SCHEDULED, due_time_from=NOW), {"SCHEDULED"}),
    ],
    ids=lambda given: str(given) if isinstance(given, JobFilter) else " ".join(sorted(given)),
)
async def test_a_filter_selects_the_jobs(
    bulk_change: ApplyBulkChange, jobs: Rows, job_filter: JobFilter, changed: set[str]
) -> None:
    insert_jobs(jobs, one_of_each_state())

    count = await bulk_change.apply(
        BulkChange(filter=job_filter, command=CANCEL), actor=AN_ACTOR, within=SOON
    )

    assert count == len(changed)
    assert {row["_id"] for row in jobs.find({"version": 1})} == changed


async def test_more_than_one_batch_is_changed_completely(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(1_201))

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 1_201
    )

    assert set(read_states(jobs).values()) == {"CANCELLED"}
    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 0
    )


async def test_jobs_that_cannot_be_retried_are_skipped(
    bulk_change: ApplyBulkChange, mongo: Mongo, jobs: Rows
) -> None:
    """One whose key is taken, one whose address is suppressed, and one that can be retried."""
    others = {"state": State.SUPPRESSED, "dedup_key": None}
    conflicting = a_job(id="twin", **others, released_key="key-1", email="bob@example.org")
    suppressed = a_job(id="blocked", **others, released_key="key-2")
    good = a_job(id="good", **others, released_key="key-3", email="eve@example.org")
    insert_jobs(jobs, [a_job(id="holder"), conflicting, suppressed, good])
    await MongoSuppressions(mongo=mongo).add([a_suppression(expire_time=FAR)])

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=RETRY), actor=AN_ACTOR, within=SOON
        )
        == 1
    )

    assert read_states(jobs) == {
        "holder": "SCHEDULED",
        "twin": "SUPPRESSED",
        "blocked": "SUPPRESSED",
        "good": "RETRYING",
    }


async def test_a_job_that_fails_again_meanwhile_is_not_retried_twice(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(501, state=State.FAILED, dedup_key=None))

    def fail_again(_: Sequence[JobUpdate]) -> None:
        jobs.update_many(
            {"state": "RETRYING"},
            {"$set": {"state": "FAILED", "since": LATER + DAY, "due": LATER + DAY}},
        )

    bulk_change = replace(bulk_change, store=InterferingStore(bulk_change.store, fail_again))

    assert (
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=RETRY), actor=AN_ACTOR, within=SOON
        )
        == 501
    )


async def test_as_many_jobs_are_cancelled_as_were_counted(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, [*one_of_each_state(), *many(600, state=State.RETRYING)])

    counted = await bulk_change.apply(
        BulkChange(filter=EVERYTHING, command=CANCEL, is_dry_run=True), actor=AN_ACTOR, within=SOON
    )

    assert (
        counted
        == await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 604
    )


async def test_a_job_whose_body_has_begun_is_neither_counted_nor_cancelled(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    claimed = {"state": State.SENDING, "claim": "claim-1"}
    insert_jobs(jobs, [*many(3, **claimed), a_job(id="begun", dedup_key="k", **claimed, begun=NOW)])

    counted = await bulk_change.apply(
        BulkChange(filter=EVERYTHING, command=CANCEL, is_dry_run=True), actor=AN_ACTOR, within=SOON
    )

    assert (
        counted
        == await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )
        == 3
    )
    assert read_states(jobs)["begun"] == "SENDING"


async def test_a_job_that_cannot_be_changed_stops_no_other_but_fails_the_call(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    insert_jobs(jobs, many(5))

    with forbid_changes(jobs, "job-00002"), pytest.raises(StoreRefused) as reported:
        await bulk_change.apply(
            BulkChange(filter=EVERYTHING, command=CANCEL), actor=AN_ACTOR, within=SOON
        )

    assert "1 jobs stay as they are (job-00002) and 4 were changed" in str(reported.value)
    assert reported.value.problem == "validation"
    assert jobs.count_documents({"state": "CANCELLED"}) == 4


@pytest.mark.parametrize(
    ("job_filter", "count"),
    [
        (EVERYTHING, 4),
        (JobFilter(client="hr"), 4),
        (JobFilter(state=State.QUEUED), 1),
        (JobFilter(empid="E-QUEUED"), 1),
        (JobFilter(request_id="request-QUEUED"), 1),
        (JobFilter(client="payroll"), 0),
    ],
    ids=str,
)
async def test_a_client_changes_and_counts_only_its_own_jobs(
    bulk_change: ApplyBulkChange, jobs: Rows, job_filter: JobFilter, count: int
) -> None:
    insert_jobs(
        jobs,
        [
            structs.replace(job, id=f"{job.id} {name}", dedup_key=f"{job.id} {name}", client=name)
            for job in one_of_each_state()
            for name in ("", "hr", "payroll")
        ],
    )

    counted, changed = [
        await bulk_change.apply(
            BulkChange(filter=job_filter, command=CANCEL, is_dry_run=is_dry_run),
            within=SOON,
            actor=an_actor_of("hr"),
        )
        for is_dry_run in (True, False)
    ]

    assert (counted, changed) == (count, count)
    found = list(jobs.find({"version": 1}))
    assert len(found) == count
    assert all(row["client"] == "hr" and row["state"] == "CANCELLED" for row in found)


async def test_a_retry_of_all_leaves_jobs_whose_call_another_kind_of_caller_made(
    bulk_change: ApplyBulkChange, jobs: Rows
) -> None:
    """Access was not controlled when the job failed; its caller has a name since."""
    failed = {"state": State.FAILED, "dedup_key": None}
    insert_jobs(
        jobs,
        [
            a_job(id="before", released_key="key", **failed),
            a_job(id="after", dedup_key="~hr:key", client="hr"),
            a_job(id="other", released_key="other key", **failed),
        ],
    )

    change = BulkChange(filter=EVERYTHING, command=RETRY)
    assert await bulk_change.apply(change, actor=AN_ACTOR, within=SOON) == 1

    assert read_states(jobs) == {"before": "FAILED", "after": "SCHEDULED", "other": "RETRYING"}
