"""Steps in the documents of jobs. Oracle: what the driver finds there."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.adapters.mongo.codec import decode, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.job_steps import add_step
from tests.support.builders import AN_ACTOR, NOW, a_claimed_job, a_conclusion, a_job
from tests.support.rows import Row, Rows

SECOND = timedelta(seconds=1)
FAR = timedelta(days=36_500)
ROW: Row = {
    "at": NOW,
    "who": "payroll",
    "via": "grpc",
    "act": "RescheduleJob",
    "was": "SCHEDULED",
    "now": "SCHEDULED",
    "reason": "",
}
NEWER = ROW | {"colour": "of a newer version"}


@pytest.fixture
def job_changes(mongo: Mongo) -> MongoJobChanges:
    return MongoJobChanges(mongo=mongo, retention=FAR)


def reschedule(job: Job, minute: int = 1) -> Job:
    moment = NOW + timedelta(minutes=minute)
    again = job.rescheduled(NOW, moment, is_daily=False, expire_time=NOW)
    return add_step(job, again, AN_ACTOR, reason=f"number {minute}")


def read_steps(jobs: Rows) -> Any:
    [row] = jobs.find()
    return row.get("steps")


async def test_a_step_is_stored_in_the_update_that_makes_the_change(
    job_changes: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()))
    cancelled = a_job().cancelled(NOW + SECOND, reason="moved")

    assert await job_changes.change(
        a_job(), add_step(a_job(), cancelled, AN_ACTOR, reason="moved"), within=SECOND
    )

    assert read_steps(jobs) == [
        {
            "at": NOW + SECOND,
            "who": "anyone (access is not controlled)",
            "via": "grpc",
            "act": "CancelJob",
            "was": "SCHEDULED",
            "now": "CANCELLED",
            "reason": "moved",
        }
    ]
    [row] = jobs.find()
    assert decode(row).steps == add_step(a_job(), cancelled, AN_ACTOR, reason="moved").steps


async def test_the_latest_twenty_are_kept_with_fields_of_a_newer_version(
    job_changes: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job()) | {"steps": [NEWER] * 3})

    for minute in range(18):
        [row] = jobs.find()
        job = decode(row)
        assert await job_changes.change_all([(job, reschedule(job, minute))]) == (1, 0)

    kept = read_steps(jobs)
    assert len(kept) == 20
    assert kept[:2] == [NEWER] * 2
    assert [each["reason"] for each in kept[2:]] == [f"number {n}" for n in range(18)]


async def test_a_change_that_loses_a_race_leaves_no_step(
    job_changes: MongoJobChanges, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_job(version=1)))

    assert not await job_changes.change(a_job(), reschedule(a_job()), within=SECOND)

    assert read_steps(jobs) is None


DAMAGED: dict[str, Any] = {
    "text": "x",
    "null": None,
    "object": {"0": ROW},
    "no documents": [1, "x", None],
    "no time": [{**ROW, "at": "x"}],
    "early time": [{**ROW, "at": NOW.replace(year=1900)}],
    "unknown state": [{**ROW, "now": "GONE"}],
    "missing field": [{"at": NOW}],
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
async def test_damaged_steps_keep_neither_a_mail_nor_a_change_back(
    job_changes: MongoJobChanges, jobs: Rows, damaged: Any
) -> None:
    jobs.insert_one(encode(a_job()) | {"steps": damaged})
    job = await job_changes.find("job-1")
    assert job == a_job()

    assert await job_changes.change(job, reschedule(job), within=SECOND)

    assert [each["reason"] for each in read_steps(jobs)] == ["number 1"]


async def test_readable_steps_among_damaged_ones_are_shown(jobs: Rows) -> None:
    jobs.insert_one(encode(a_job()) | {"steps": [ROW, "x", ROW]})

    [row] = jobs.find()

    assert [step.client for step in decode(row).steps] == ["payroll", "payroll"]


async def test_writers_that_do_not_know_the_steps_keep_them(
    job_changes: MongoJobChanges, mongo: Mongo, jobs: Rows
) -> None:
    jobs.insert_one(encode(a_claimed_job()) | {"steps": [NEWER]})
    sent = a_conclusion()

    assert await MongoOutcomes(mongo=mongo, retention=FAR).conclude([sent]) == ()
    assert read_steps(jobs) == [NEWER]

    jobs.delete_many({})
    jobs.insert_one(encode(a_job()) | {"steps": [NEWER]})  # the version before reads no steps
    assert await job_changes.change(
        a_job(), a_job().cancelled(NOW + SECOND, reason=""), within=SECOND
    )
    assert read_steps(jobs) == [NEWER]


async def test_a_list_without_texts_has_no_steps(mongo: Mongo, jobs: Rows) -> None:
    jobs.insert_one(encode(a_job()) | {"steps": [ROW]})
    listing = JobListQuery(filter=JobFilter(), order=JobOrder.CREATE_TIME_ASC)
    job_list = MongoJobList(mongo=mongo)

    counts = [
        len(job.steps)
        for is_full in (False, True)
        for job in (await job_list.read_page(listing, None, most=1, is_full=is_full)).jobs
    ]

    assert counts == [0, 1]


async def test_erasing_an_employee_empties_the_reasons_of_steps_and_keeps_who_did_what(
    mongo: Mongo, jobs: Rows
) -> None:
    ended = replace(a_job(), state=State.CANCELLED, reason="Ada has left")
    named = ROW | {"reason": "Ada has left"}
    rows = [
        encode(replace(ended, id="whole", dedup_key="1")) | {"steps": [named, "x"]},
        encode(replace(ended, id="bare", dedup_key="2")),
        encode(replace(ended, id="damaged", dedup_key="3")) | {"steps": "Ada"},
        # Erased by a process of the version before.
        encode(replace(ended, id="before", dedup_key="4", email="", name="", reason="erased"))
        | {"steps": [named]},
    ]
    jobs.insert_many(rows)
    data = MongoPersonalData(mongo=mongo)

    erased = await data.erase_jobs("E1", after="", most=10, now=NOW)
    again = await data.erase_jobs("E1", after="", most=10, now=NOW)

    found = {row["_id"]: row for row in jobs.find()}
    assert (erased.jobs, again.jobs) == (4, 0)
    assert found["whole"]["steps"] == found["before"]["steps"] == [ROW]
    assert found["damaged"]["steps"] == []
    assert "steps" not in found["bare"]
    assert found["before"]["reason"] == "erased"
    assert "Ada" not in str(found.values())
