"""Changes of jobs by callers. Oracle: what the driver finds in the collection."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.collection import Collection

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.domain.job import Job, State
from gcsched.errors import DuplicateJob, UnreadableJob
from gcsched.usecases.management.partial_change import PartialChange
from tests.support.builders import NOW, a_job, an_attempt
from tests.support.clocks import DAY, SECOND
from tests.support.poisons import forbid_changes
from tests.support.rows import Row

RETENTION = timedelta(days=36500)  # the TTL monitor of the tests runs every second
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def job_changes(mongo: Mongo) -> MongoJobChanges:
    return MongoJobChanges(mongo=mongo, retention=RETENTION)


def a_failed_job(**others: Any) -> Job:
    ordinary: dict[str, Any] = {
        "state": State.FAILED,
        "attempt": 8,
        "attempts": (an_attempt(),),
        "lease_expirations": 1,
        "reason": "gave up",
        "dedup_key": None,
        "released_key": "key-1",
        "version": 9,
    }
    return a_job(**{**ordinary, **others})


def a_final_row(job: Job) -> Row:
    return encode(job) | {"delete_after": job.state_time + RETENTION}


async def test_find_returns_the_stored_job(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_failed_job()))

    assert await job_changes.find("job-1") == a_failed_job()
    assert await job_changes.find("job-2") is None


async def test_is_committed_compares_with_what_a_majority_has(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_failed_job()))

    assert await job_changes.is_committed(a_failed_job())
    assert not await job_changes.is_committed(a_failed_job(version=10))
    assert not await job_changes.is_committed(a_job(id="job-2"))


async def test_find_raises_unreadable_job(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_job()) | {"state": "ASLEEP"})

    with pytest.raises(UnreadableJob):
        await job_changes.find("job-1")


async def test_cancelling_sets_the_retention_and_releases_the_key(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_job()))
    cancelled = a_job().cancelled(LATER, reason="$$ROOT")

    assert await job_changes.change(a_job(), cancelled, within=SECOND)

    assert list(jobs.find()) == [a_final_row(cancelled)]


@pytest.mark.parametrize("daily", [{"is_daily": True}, {"is_daily": False}], ids=str)
async def test_rescheduling_stores_the_new_times(
    job_changes: MongoJobChanges, jobs: Collection[Row], daily: dict[str, bool]
) -> None:
    jobs.insert_one(encode(a_job()))
    rescheduled = a_job().rescheduled(NOW + DAY, LATER, expire_time=NOW + 2 * DAY, **daily)

    assert await job_changes.change(a_job(), rescheduled, within=SECOND)

    assert list(jobs.find()) == [encode(rescheduled)]


async def test_a_retried_job_is_kept_and_takes_its_key_again(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_final_row(a_failed_job()))
    retried = a_failed_job().reset_for_retry(
        LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY
    )

    assert await job_changes.change(a_failed_job(), retried, within=SECOND)

    [row] = jobs.find()
    assert row == encode(retried)
    assert row["dedup_key"] == "key-1"
    assert {"delete_after", "released_key"}.isdisjoint(row)


async def test_a_retried_job_starts_another_window_of_its_employee(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    failed = a_failed_job(dedup_until=NOW + DAY)
    jobs.insert_one(a_final_row(failed))

    retried = failed.reset_for_retry(LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY)
    assert await job_changes.change(failed, retried, within=SECOND)

    [row] = jobs.find()
    assert row["dedup_until"] == LATER + DAY


async def test_a_retry_names_the_job_that_holds_the_key_meanwhile(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    rows = [a_final_row(a_failed_job()), encode(a_job(id="job-2"))]
    jobs.insert_many(rows)
    retried = a_failed_job().reset_for_retry(
        LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY
    )

    with pytest.raises(DuplicateJob) as caught:
        await job_changes.change(a_failed_job(), retried, within=SECOND)

    assert caught.value.metadata == {"job_id": "job-2"}
    assert list(jobs.find()) == rows


async def test_a_retry_takes_the_key_of_a_holder_whose_window_is_over(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    holder = a_job(id="job-2", state=State.SENT, request_id="R", dedup_until=LATER)
    jobs.insert_many([a_final_row(a_failed_job()), encode(holder)])
    retried = a_failed_job().reset_for_retry(
        LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY
    )

    # The first try only frees the key: the caller must read the job again.
    assert not await job_changes.change(a_failed_job(), retried, within=SECOND)
    assert await job_changes.change(a_failed_job(), retried, within=SECOND)

    found = {row["_id"]: row for row in jobs.find()}
    assert found["job-1"] == encode(retried)
    assert (found["job-2"]["request_id"], found["job-2"]["released_key"]) == ("R", "key-1")


async def test_change_all_counts_jobs_whose_key_became_free_as_lost(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    failed = [a_failed_job(id=f"job-{n}", released_key=f"key-{n}") for n in range(2)]
    over, lasting = (
        a_job(id=f"holder-{n}", state=State.SENT, dedup_key=f"key-{n}", dedup_until=until)
        for n, until in enumerate([LATER, LATER + SECOND])
    )
    jobs.insert_many([*map(a_final_row, failed), encode(over), encode(lasting)])
    pairs = [
        (job, job.reset_for_retry(LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY))
        for job in failed
    ]

    assert await job_changes.change_all(pairs) == (0, 1)
    assert await job_changes.change_all(pairs) == (1, 0)


@pytest.mark.parametrize(
    "stored",
    [
        encode(a_job(version=1)),
        encode(a_job(state=State.RETRYING)),
        encode(a_job(state=State.SENDING, version=1, claim="claim-1")),
        encode(a_job(state=State.CANCELLED, version=1)),
    ],
    ids=lambda row: f"{row['state']} {row['version']}",
)
async def test_a_job_that_is_not_as_it_was_seen_is_not_changed(
    job_changes: MongoJobChanges, jobs: Collection[Row], stored: Row
) -> None:
    jobs.insert_one(stored)

    assert not await job_changes.change(a_job(), a_job().cancelled(LATER, reason=""), within=SECOND)

    assert list(jobs.find()) == [stored]


async def test_a_claimed_job_is_changed_only_under_the_claim_that_was_seen(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    stored = encode(a_job(state=State.SENDING, version=1, claim="claim-2"))
    jobs.insert_one(stored)
    seen = a_job(state=State.SENDING, version=1, claim="claim-1")
    cancelled = seen.cancelled(LATER, reason="")

    assert not await job_changes.change(seen, cancelled, within=SECOND)
    assert await job_changes.change_all([(seen, cancelled)]) == (0, 1)

    assert list(jobs.find()) == [stored]


async def test_either_a_claim_or_a_cancellation_wins(
    job_changes: MongoJobChanges, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    waiting = [a_job(id=f"job-{n}", dedup_key=f"key-{n}") for n in range(200)]
    jobs.insert_many([encode(job) for job in waiting])
    claims = MongoClaims(mongo=another_mongo)

    async def cancel(job: Job) -> bool:
        return await job_changes.change(job, job.cancelled(LATER, reason=""), within=10 * SECOND)

    cancelling = asyncio.gather(*map(cancel, waiting))
    batches = [await claims.claim(f"claim-{n}", 20, now=NOW) for n in range(10)]
    cancelled_ids = {
        job.id for job, is_cancelled in zip(waiting, await cancelling, strict=True) if is_cancelled
    }

    claimed = {job.id for batch in batches for job in batch.jobs}
    assert cancelled_ids | claimed == {job.id for job in waiting}
    assert not cancelled_ids & claimed
    assert {row["_id"] for row in jobs.find({"state": "CANCELLED"})} == cancelled_ids
    assert {row["_id"] for row in jobs.find({"state": "SENDING"})} == claimed


async def test_a_deleted_job_is_not_created_again(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    assert not await job_changes.change(a_job(), a_job().cancelled(LATER, reason=""), within=SECOND)

    assert list(jobs.find()) == []


async def test_change_all_changes_only_jobs_that_are_as_seen(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    failed = [a_failed_job(id=f"job-{n}", released_key=f"key-{n}") for n in range(3)]
    holder = a_job(id="holder", dedup_key="key-1")
    elsewhere = replace(failed[2], version=20)
    jobs.insert_many(
        [a_final_row(failed[0]), a_final_row(failed[1]), encode(holder), encode(elsewhere)]
    )
    pairs = [
        (job, job.reset_for_retry(LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY))
        for job in failed
    ]

    changed, lost = await job_changes.change_all(pairs)

    assert (changed, lost) == (1, 1)
    found = {row["_id"]: row for row in jobs.find()}
    assert found == {
        "job-0": encode(pairs[0][1]),
        "job-1": a_final_row(failed[1]),
        "job-2": encode(elsewhere),
        "holder": encode(holder),
    }


async def test_a_retry_names_the_job_that_holds_the_request_id_meanwhile(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    failed = a_failed_job(request_id="R")
    holder = a_job(id="job-2", request_id="R", dedup_key="over job-2")
    jobs.insert_many([a_final_row(failed), encode(holder)])
    retried = failed.reset_for_retry(LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY)

    with pytest.raises(DuplicateJob) as caught:
        await job_changes.change(failed, retried, within=SECOND)

    assert caught.value.metadata == {"job_id": "job-2"}


async def test_a_client_may_retry_a_job_whose_request_id_another_client_has(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    failed = a_failed_job(request_id="R", released_key="~hr:key", client="hr")
    holder, own = (
        a_job(id=client, client=client, request_id="R", dedup_key=f"over {client}")
        for client in ("payroll", "hr")
    )
    retried = failed.reset_for_retry(LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY)
    jobs.insert_many([a_final_row(failed), encode(holder)])

    jobs.insert_one(encode(own))
    with pytest.raises(DuplicateJob) as caught:
        await job_changes.change(failed, retried, within=SECOND)
    jobs.delete_one({"_id": own.id})

    assert caught.value.metadata == {"job_id": own.id}
    assert await job_changes.change(failed, retried, within=SECOND)


@pytest.mark.parametrize(
    ("failed", "holder"),
    [
        ({"client": "hr", "released_key": "~hr:key"}, {"dedup_key": "key"}),
        ({"released_key": "key"}, {"client": "hr", "dedup_key": "~hr:key"}),
        (
            {"client": "hr", "released_key": "~hr:key", "request_id": "R"},
            {"dedup_key": "over job-2", "request_id": "R"},
        ),
    ],
    ids=["client", "no client", "request id"],
)
async def test_a_retry_names_the_job_for_the_same_call_by_another_kind_of_caller(
    job_changes: MongoJobChanges,
    jobs: Collection[Row],
    failed: dict[str, Any],
    holder: dict[str, Any],
) -> None:
    """Access control was switched on between the two: no index detects these."""
    job = a_failed_job(**failed)
    rows = [a_final_row(job), encode(a_job(id="job-2", **holder))]
    jobs.insert_many(rows)
    retried = job.reset_for_retry(LATER, expire_time=LATER + DAY, dedup_until=LATER + DAY)

    with pytest.raises(DuplicateJob) as caught:
        await job_changes.change(job, retried, within=SECOND)

    assert caught.value.metadata == {"job_id": "job-2"}
    assert await job_changes.change_all([(job, retried)]) == (0, 0)
    assert list(jobs.find()) == rows


async def test_a_job_that_lost_its_key_meanwhile_is_not_changed(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    seen = a_job()
    jobs.insert_many([encode(seen) | {"dedup_key": "over job-1"}, encode(a_job(id="job-2"))])

    rescheduled = seen.rescheduled(NOW + DAY, LATER, is_daily=False, expire_time=NOW + 2 * DAY)
    assert not await job_changes.change(seen, rescheduled, within=SECOND)


async def test_a_document_that_cannot_be_changed_does_not_stop_change_all(
    job_changes: MongoJobChanges, jobs: Collection[Row]
) -> None:
    waiting = [a_job(id=f"job-{n}", dedup_key=f"key-{n}") for n in range(3)]
    jobs.insert_many([encode(job) for job in waiting])
    pairs = [(job, job.cancelled(LATER, reason="")) for job in waiting]

    with forbid_changes(jobs, "job-1"), pytest.raises(PartialChange) as raised:
        await job_changes.change_all(pairs)

    assert (raised.value.changed, raised.value.lost, raised.value.unchangeable) == (2, 0, ["job-1"])
    assert raised.value.problem == "validation"
    states = {row["_id"]: row["state"] for row in jobs.find()}
    assert states == {"job-0": "CANCELLED", "job-1": "SCHEDULED", "job-2": "CANCELLED"}
