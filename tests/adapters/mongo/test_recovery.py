"""Recovery of orphans and expired jobs. Oracle: what the driver finds in the collection."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.collection import Collection
from structlog.testing import capture_logs

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.domain.job import Job, State
from gcsched.domain.outcome import apply_lease_expiration
from gcsched.domain.retry import RetryPolicy
from gcsched.usecases.ports import Conclusion, Orphan
from tests.support.builders import NOW, FixedClock, a_claimed_job, a_job
from tests.support.clocks import SECOND
from tests.support.poisons import forbid_changes
from tests.support.rows import Row

PAST = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(2200, 1, 1, tzinfo=UTC)
BEGUN = datetime(2019, 12, 31, tzinfo=UTC)


def make_recovery(mongo: Mongo) -> MongoRecovery:
    now = FixedClock(FAR_AHEAD)  # a fast clock: leases expire by the server's clock only
    return MongoRecovery(mongo=mongo, retention=timedelta(days=36500), now=now)


@pytest.fixture
def recovery(mongo: Mongo) -> MongoRecovery:
    return make_recovery(mongo)


def a_claimed_row(number: int = 1, *, lease: datetime = PAST, **fields: Any) -> Row:
    job = a_claimed_job(id=f"job-{number}", dedup_key=f"key-{number}")
    return encode(job) | {"lease": lease} | fields


def decide(orphans: Sequence[Orphan]) -> list[tuple[Orphan, Conclusion]]:
    policy = RetryPolicy()
    jobs = [
        apply_lease_expiration(each.job, begun=each.begun, policy=policy, now=NOW)
        for each in orphans
    ]
    return [(o, Conclusion(claim=o.claim, job=job)) for o, job in zip(orphans, jobs, strict=True)]


async def test_an_orphan_is_a_claimed_job_whose_lease_has_expired_by_the_servers_clock(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_many(
        [a_claimed_row(1), a_claimed_row(2, begun=BEGUN), a_claimed_row(3, lease=FAR_AHEAD)]
    )
    jobs.insert_many([encode(a_job(id="job-4", dedup_key="key-4"))])

    orphans = await recovery.find_orphans(10)

    assert {(o.job.id, o.claim, o.begun) for o in orphans} == {
        ("job-1", "claim-1", None),
        ("job-2", "claim-1", BEGUN),
    }


async def test_find_orphans_returns_no_more_than_requested(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_many([a_claimed_row(number) for number in range(5)])

    assert len(await recovery.find_orphans(3)) == 3


async def test_an_orphan_that_had_not_begun_waits_again_uncharged(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_claimed_row())

    assert await recovery.conclude_orphans(decide(await recovery.find_orphans(10))) == 1

    changed = {"state": "SCHEDULED", "since": NOW, "version": 2, "takebacks": 1}
    expected = encode(a_claimed_job()) | changed
    del expected["claim"]
    assert list(jobs.find()) == [expected]


async def test_a_lease_renewed_in_between_is_not_taken_back(
    mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_claimed_row())
    seen = await recovery.find_orphans(10)
    await MongoClaims(mongo=mongo).renew(["claim-1"])
    [renewed] = jobs.find()

    assert await recovery.conclude_orphans(decide(seen)) == 0

    assert list(jobs.find()) == [renewed]


@pytest.mark.parametrize(
    "change",
    [{"begun": PAST}, {"claim": "claim-2"}, {"state": "RETRYING"}, {"lease": FAR_AHEAD}],
    ids=["begun", "claimed anew", "concluded", "renewed"],
)
async def test_an_orphan_that_changed_since_it_was_read_is_not_concluded(
    recovery: MongoRecovery, jobs: Collection[Row], change: Row
) -> None:
    jobs.insert_one(a_claimed_row())
    seen = await recovery.find_orphans(10)
    jobs.update_one({}, {"$set": change})
    [changed] = jobs.find()

    assert await recovery.conclude_orphans(decide(seen)) == 0

    assert list(jobs.find()) == [changed]


async def test_either_the_fence_or_the_sweep_wins(
    another_mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    """The process was paused past its lease and continues at this moment."""
    jobs.insert_many([a_claimed_row(number) for number in range(60)])
    seen = decide(await recovery.find_orphans(60))
    owner = MongoClaims(mongo=another_mongo)

    begun, taken = await asyncio.gather(
        asyncio.gather(
            *[owner.begin("claim-1", [f"job-{number}"], date=NOW) for number in range(60)]
        ),
        asyncio.gather(*[recovery.conclude_orphans([one]) for one in seen]),
    )

    may_send = {job_id for ids in begun for job_id in ids}
    found = {row["_id"]: row["state"] for row in jobs.find()}
    assert may_send == {job_id for job_id, state in found.items() if state == "SENDING"}
    assert sum(taken) == 60 - len(may_send)


async def test_two_replicas_that_conclude_at_once_count_each_orphan_once(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many([a_claimed_row(number) for number in range(60)])
    both = [make_recovery(mongo), make_recovery(another_mongo)]
    seen = [decide(await recovery.find_orphans(60)) for recovery in both]

    taken = await asyncio.gather(*[r.conclude_orphans(s) for r, s in zip(both, seen, strict=True)])

    assert sum(taken) == 60
    assert {(row["takebacks"], row["version"]) for row in jobs.find()} == {(1, 2)}


def a_late_row(number: int = 1, **fields: Any) -> Row:
    job = a_job(id=f"job-{number}", dedup_key=f"key-{number}", due_time=NOW + number * SECOND)
    return encode(job) | fields


def expire_jobs(jobs: Sequence[Job]) -> list[Job]:
    return [job.skipped(State.EXPIRED, FAR_AHEAD, reason="too late") for job in jobs]


async def test_expired_jobs_are_found_among_the_longest_due(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    beyond = FAR_AHEAD + SECOND
    jobs.insert_many(
        [
            a_late_row(1),
            a_late_row(2, not_after=FAR_AHEAD),
            a_late_row(3, state="RETRYING"),
            a_late_row(4),
        ]
    )
    jobs.insert_many(
        [a_late_row(0, due=beyond), a_late_row(-1, state="SENDING"), a_late_row(-2, state="QUEUED")]
    )

    found = await recovery.find_expired(3)

    assert {job.id for job in found} == {"job-1", "job-3"}


async def test_a_job_stored_without_an_expire_time_is_not_found_as_expired(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    row = a_late_row()
    del row["not_after"]
    jobs.insert_one(row)

    assert await recovery.find_expired(10) == []


@pytest.mark.parametrize(
    "change", [{"state": "SENDING", "version": 1}, {"version": 2}, {"state": "CANCELLED"}]
)
async def test_a_job_that_changed_since_it_was_read_is_not_expired(
    recovery: MongoRecovery, jobs: Collection[Row], change: Row
) -> None:
    jobs.insert_one(a_late_row())
    ended = expire_jobs(await recovery.find_expired(10))
    jobs.update_one({}, {"$set": change})
    [changed] = jobs.find()

    assert await recovery.expire(ended) == 0

    assert list(jobs.find()) == [changed]


async def test_either_a_claim_or_the_expiry_wins(
    another_mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_many([a_late_row(number, due=PAST) for number in range(60)])
    ended = expire_jobs(await recovery.find_expired(60))
    claims = MongoClaims(mongo=another_mongo)

    batches, count = await asyncio.gather(
        asyncio.gather(*[claims.claim(f"token-{n}", 10, now=NOW) for n in range(6)]),
        recovery.expire(ended),
    )

    claimed = {job.id for batch in batches for job in batch.jobs}
    found = {row["_id"]: row["state"] for row in jobs.find()}
    assert claimed == {job_id for job_id, state in found.items() if state == "SENDING"}
    assert count == sum(state == "EXPIRED" for state in found.values())


async def test_due_seconds_are_returned_once_each(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    due = {
        "at the start of the window": (State.SCHEDULED, NOW),
        "first": (State.SCHEDULED, NOW + SECOND),
        "the same again": (State.SCHEDULED, NOW + SECOND),
        "a retry in that second": (State.RETRYING, NOW + SECOND),
        "a retry": (State.RETRYING, NOW + 7 * SECOND),
        "at the end of the window": (State.SCHEDULED, NOW + 60 * SECOND),
        "beyond": (State.SCHEDULED, NOW + 61 * SECOND),
        "over": (State.SENT, NOW + 3 * SECOND),
        "daily": (State.QUEUED, NOW + 4 * SECOND),
        "claimed": (State.SENDING, NOW + 5 * SECOND),
    }
    jobs.insert_many(
        encode(a_job(id=name, dedup_key=name, state=state, due_time=due_time))
        for name, (state, due_time) in due.items()
    )

    seconds = await recovery.find_due_seconds(NOW, NOW + 60 * SECOND)

    noon = int(NOW.timestamp())
    assert sorted(seconds) == [noon + 1, noon + 7, noon + 60]


async def test_an_orphan_that_cannot_be_changed_does_not_stop_others(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_many([a_claimed_row(1), a_claimed_row(2), a_claimed_row(3)])
    seen = decide(await recovery.find_orphans(10))

    with forbid_changes(jobs, "job-2"), capture_logs() as logs:
        assert await recovery.conclude_orphans(seen) == 2

    states = {row["_id"]: row["state"] for row in jobs.find()}
    assert states == {"job-1": "SCHEDULED", "job-2": "SENDING", "job-3": "SCHEDULED"}
    assert [log["job_id"] for log in logs if log["event"] == "job unreadable"] == ["job-2"]


async def test_an_orphan_whose_outcome_cannot_be_stored_is_quarantined_and_tried_again(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_claimed_row())
    seen = decide(await recovery.find_orphans(10))
    # A rule that forbids its outcome, but not that it is quarantined.
    jobs.database.command("collMod", "jobs", validator={"state": {"$ne": "SCHEDULED"}})
    try:
        assert await recovery.conclude_orphans(seen) == 0
        with capture_logs() as logs:
            await recovery.check_unreadable(10)
    finally:
        jobs.database.command("collMod", "jobs", validator={})

    [row] = jobs.find()
    assert (row["state"], row["aside"], row["claim"]) == ("UNREADABLE", "SENDING", "claim-1")
    assert "cannot be stored" in row["unfit"]["why"]
    assert not [log for log in logs if log["event"] == "jobs readable again"]

    jobs.update_one({}, {"$set": {"unfit.at": PAST}})
    await recovery.check_unreadable(10)

    [row] = jobs.find()
    assert row["state"] == "SENDING"
    assert {"aside", "unfit"}.isdisjoint(row)
