"""Unreadable documents do not stop others. Oracle: what the driver finds."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.collection import Collection
from pymongo.database import Database
from structlog.testing import capture_logs

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_counts import MongoJobCounter
from gcsched.adapters.mongo.recovery import MongoRecovery
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.errors import StoreRefused
from tests.support.builders import a_job
from tests.support.corrupt_jobs import PAST, a_due_row, an_orphan_row, without_fields
from tests.support.poisons import VALUES, forbid_changes
from tests.support.rows import Row


async def test_a_claim_quarantines_unreadable_jobs_and_takes_the_others(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many(
        [a_due_row("odd", version="x"), a_due_row("tried", attempts=["x"]), a_due_row("good")]
    )

    with capture_logs() as logs:
        batch = await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)
        await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)

    assert [job.id for job in batch.jobs] == ["good"]
    aside = {row["_id"]: row["aside"] for row in jobs.find({"state": "UNREADABLE"})}
    assert aside == {"odd": "SCHEDULED", "tried": "RETRYING"}
    assert not jobs.count_documents({"state": "UNREADABLE", "claim": {"$exists": True}})
    problems = {log["job_id"]: log["problem"] for log in logs if log["event"] == "job unreadable"}
    assert len(logs) == 2
    assert problems["odd"] == "its field version is of type str"


@pytest.mark.parametrize("job_id", [5, {"a": 1}, b"x", ""], ids=repr)
async def test_an_id_that_is_not_a_text_does_not_stop_a_claim(
    mongo: Mongo, jobs: Collection[Row], job_id: object
) -> None:
    jobs.insert_many([a_due_row("odd") | {"_id": job_id}, a_due_row("good")])

    batch = await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)

    assert {job.id for job in batch.jobs} >= {"good"}
    [odd] = jobs.find({"dedup_key": "odd"})
    assert odd["state"] == ("UNREADABLE" if job_id != "" else "SENDING")


async def test_a_claim_skips_a_document_that_cannot_be_changed(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_due_row("full"))
    jobs.insert_many(a_due_row(f"good-{number}") for number in range(5))
    claims = MongoClaims(mongo=mongo)

    with forbid_changes(jobs, "full"):
        batch = await claims.claim("token", 10, now=PAST)
        again = await claims.claim("another", 10, now=PAST)

    assert {job.id for job in batch.jobs} == {f"good-{number}" for number in range(5)}
    assert (again.jobs, again.due_count) == ((), 0)


async def test_a_claim_is_refused_if_no_document_can_be_changed(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many(a_due_row(f"job-{number}") for number in range(40))

    with forbid_changes(jobs, "job-1"):
        jobs.database.command("collMod", "jobs", validator={"_id": ""})
        with pytest.raises(StoreRefused, match="validation rule") as raised:
            await MongoClaims(mongo=mongo).claim("token", 40, now=PAST)

    assert raised.value.problem == "validation"
    assert jobs.count_documents({"state": "SCHEDULED"}) == 40


async def test_a_document_that_cannot_be_changed_does_not_stop_lease_renewals(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many(an_orphan_row(f"job-{number}") for number in range(5))
    jobs.insert_one(an_orphan_row("other") | {"claim": "claim-2", "dedup_key": "other"})
    claims = MongoClaims(mongo=mongo)

    with forbid_changes(jobs, "job-2"):
        left_out = await claims.renew(["claim-1", "claim-2"])
        renewed = {row["_id"] for row in jobs.find({"lease": {"$gt": PAST}})}
        await claims.release(["claim-1"])

    assert renewed == {"job-0", "job-1", "job-3", "job-4", "other"}
    assert left_out == {"claim-1"}, "its process must not count on a lease that job-2 does not have"
    assert {row["_id"] for row in jobs.find({"state": "SCHEDULED"})} == renewed - {"other"}


async def test_a_dozen_documents_that_cannot_be_changed_do_not_stop_claims_for_long(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many(a_due_row(f"full-{number:02}") for number in range(12))
    jobs.insert_many(a_due_row(f"good-{number}") for number in range(3))
    claims, taken = MongoClaims(mongo=mongo), set[str]()
    jobs.database.command("collMod", "jobs", validator={"_id": {"$regex": "^good"}})
    try:
        for token in ("first", "second"):
            with suppress(StoreRefused):
                taken |= {job.id for job in (await claims.claim(token, 12, now=PAST)).jobs}
    finally:
        jobs.database.command("collMod", "jobs", validator={})

    assert taken == {"good-0", "good-1", "good-2"}


async def test_a_repaired_job_is_released_by_a_sweep(
    mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_one(a_due_row("odd", version="x"))
    await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)
    await recovery.check_unreadable(10)
    [before] = jobs.find()

    jobs.update_one({}, {"$set": {"version": 3}})
    await recovery.check_unreadable(10)
    batch = await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)

    assert before["state"] == "UNREADABLE"
    assert [(job.id, job.version) for job in batch.jobs] == [("odd", 4)]
    assert "aside" not in (jobs.find_one() or {})


async def test_an_unreadable_orphan_keeps_its_claim_and_its_begun_mark(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    jobs.insert_many(
        [an_orphan_row("odd", begun=PAST, attempts="x"), an_orphan_row("odder", begun="x")]
    )

    assert await recovery.find_orphans(10) == []
    assert await recovery.find_orphans(10) == []
    kept = {row["_id"]: (row["aside"], row["claim"], row["begun"]) for row in jobs.find()}
    jobs.update_many({}, {"$set": {"attempts": [], "begun": PAST}})
    await recovery.check_unreadable(10)
    orphans = await recovery.find_orphans(10)

    assert kept == {"odd": ("SENDING", "claim-1", PAST), "odder": ("SENDING", "claim-1", "x")}
    assert {(each.job.id, each.claim, each.begun) for each in orphans} == {
        ("odd", "claim-1", PAST),
        ("odder", "claim-1", PAST),
    }


async def test_a_waiting_job_without_a_valid_due_time_is_quarantined(
    recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    kinds = VALUES.keys() - {"missing", "date", "far date", "early date"}
    rows = [a_due_row(kind, due=VALUES[kind]) for kind in kinds]
    jobs.insert_many([*rows, without_fields(a_due_row("missing"), "due"), a_due_row("good")])

    await recovery.check_unreadable(100)

    assert {each["_id"] for each in jobs.find({"state": "SCHEDULED"})} == {"good"}
    assert jobs.count_documents({"state": "UNREADABLE"}) == len(kinds) + 1


@pytest.mark.parametrize("state", [["SCHEDULED", "SENT"], ["RETRYING"]], ids=str)
async def test_a_job_with_several_states_is_quarantined(
    mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row], state: list[str]
) -> None:
    jobs.insert_one(a_due_row("odd", state=state))

    batch = await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)
    await recovery.check_unreadable(10)

    assert not batch.jobs
    assert [(row["state"], row["aside"]) for row in jobs.find()] == [("UNREADABLE", state)]


@pytest.mark.parametrize("state", [{"a": 1}, ["x"], 5, None, ""], ids=repr)
async def test_a_state_of_any_type_does_not_stop_a_sweep(
    mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row], state: object
) -> None:
    jobs.insert_one(a_due_row("odd", state=state))

    with capture_logs() as logs:
        await recovery.repair(10)

    assert [log["event"] for log in logs] == ["jobs in unknown states"]
    assert await MongoJobCounter(mongo=mongo).count_unreadable() == 1


async def test_a_damaged_record_of_the_last_sweep_does_not_prevent_the_next(
    mongo: Mongo, raw: Database[Row]
) -> None:
    now, runs = datetime.now(UTC), MongoRuns(mongo=mongo)
    for kind in VALUES:
        note: Row = {"_id": "sweep", "started": VALUES[kind]}
        if kind == "missing":
            del note["started"]
        raw["runs"].replace_one({"_id": "sweep"}, note, upsert=True)

        first = await runs.begin_sweep(within=timedelta(seconds=5), now=now)
        second = await runs.begin_sweep(within=timedelta(seconds=5), now=now)

        assert (kind, first, second) == (kind, True, False)


async def test_a_job_that_a_version_without_senders_set_aside_is_released(
    mongo: Mongo, recovery: MongoRecovery, jobs: Collection[Row]
) -> None:
    """That version cannot read the template, so its claim quarantines the job."""
    job = a_job(due_time=PAST, sender="payroll@example.org")
    jobs.insert_one({**encode(job), "state": "UNREADABLE", "aside": "SCHEDULED"})

    await recovery.check_unreadable(10)
    batch = await MongoClaims(mongo=mongo).claim("token", 10, now=PAST)

    assert [(each.id, each.sender, each.template) for each in batch.jobs] == [
        (job.id, "payroll@example.org", "doc")
    ]
