"""The holders of request ids and dedup keys, and one job per employee and window."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from pymongo.collection import Collection

from gcsched.adapters.mongo.admissions import MongoAdmissions
from gcsched.adapters.mongo.codec import decode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.domain.dedup import AdmissionAnswer, AdmissionOutcome, AdmissionResult
from gcsched.domain.job import Job, State
from tests.support.builders import NOW, a_job, a_refusal, an_admitted, find_reused_id, is_new
from tests.support.clocks import DAY, SECOND
from tests.support.rows import Row


async def admit(mongo: Mongo, *jobs: Job) -> list[AdmissionAnswer]:
    return await MongoAdmissions(mongo=mongo).admit(jobs, within=5 * SECOND)


async def dry_run(mongo: Mongo, *jobs: Job) -> list[AdmissionAnswer]:
    return await MongoAdmissions(mongo=mongo).dry_run(jobs, within=5 * SECOND)


def a_named_job(job_id: str, *, content: str = "f", **others: Any) -> Job:
    """Make a job with request id R, as it is made in *content* mode."""
    given = {"dedup_key": "key of R", "request_id": "R", "fingerprint": content, **others}
    return a_job(id=job_id, **given)


def an_employee_job(job_id: str, **others: Any) -> Job:
    """Make a job as it is made in *employee* mode with a window of a day."""
    given = {"dedup_key": "key of E1", "create_time": NOW, **others}
    return a_job(id=job_id, dedup_until=given["create_time"] + DAY, **given)


def is_refused(answer: AdmissionAnswer) -> bool:
    return (
        isinstance(answer, AdmissionResult) and answer.outcome is AdmissionOutcome.REFUSED_DUPLICATE
    )


async def test_a_repeated_request_id_returns_the_first_job(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    await admit(mongo, a_named_job("job-1"))
    jobs.update_one({"_id": "job-1"}, {"$set": {"state": "RETRYING", "due": NOW + DAY}})

    [answer] = await admit(mongo, a_named_job("job-2"))

    assert answer == AdmissionResult(
        outcome=AdmissionOutcome.REPLAYED, job_id="job-1", state=State.RETRYING, due_time=NOW + DAY
    )
    assert jobs.count_documents({}) == 1


async def test_a_request_id_with_other_content_returns_its_holder(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    group = [a_named_job("job-1"), a_named_job("job-2", content="g"), a_named_job("job-3")]

    answers = await admit(mongo, *group)

    first, again = an_admitted(group[0]), an_admitted(group[0], is_new=False)
    assert (answers[0], find_reused_id(answers[1]), answers[2]) == (first, "job-1", again)
    assert jobs.count_documents({}) == 1


async def test_a_request_id_is_free_again_when_its_job_failed(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    await admit(mongo, a_named_job("job-1"))
    jobs.update_one({"_id": "job-1"}, {"$set": {"state": "FAILED"}, "$unset": {"dedup_key": ""}})

    [answer] = await admit(mongo, a_named_job("job-2", content="g"))

    assert answer == an_admitted(a_named_job("job-2"))


async def test_a_damaged_holder_still_prevents_a_second_mail(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    await admit(mongo, a_job())
    jobs.update_one({"_id": "job-1"}, {"$set": {"state": "odd"}, "$unset": {"due": ""}})

    [answer] = await admit(mongo, a_job(id="job-2"))

    assert answer == AdmissionResult(
        outcome=AdmissionOutcome.REPLAYED, job_id="job-1", state=None, due_time=None
    )


async def test_an_employee_gets_no_second_job_within_the_window(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    later = an_employee_job("job-3", create_time=NOW + DAY - SECOND)

    answers = await admit(mongo, an_employee_job("job-1"), an_employee_job("job-2"))
    answers += await admit(mongo, later)

    assert answers[1:] == [a_refusal("job-1")] * 2
    assert [row["_id"] for row in jobs.find()] == ["job-1"]


async def test_after_the_window_a_job_is_accepted_and_starts_a_new_window(
    mongo: Mongo,
) -> None:
    await admit(mongo, an_employee_job("job-1"))

    [second] = await admit(mongo, an_employee_job("job-2", create_time=NOW + DAY))
    [third] = await admit(mongo, an_employee_job("job-3", create_time=NOW + DAY + SECOND))

    assert is_new(second)
    assert third == a_refusal("job-2")


async def test_of_many_callers_after_the_window_one_is_accepted(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    await admit(mongo, an_employee_job("old"))
    requests = [an_employee_job(f"job-{number}", create_time=NOW + DAY) for number in range(60)]

    answers = await asyncio.gather(
        *(admit((mongo, another_mongo)[n % 2], job) for n, job in enumerate(requests))
    )

    assert sum(is_new(answer) for [answer] in answers) == 1
    assert sum(is_refused(answer) for [answer] in answers) == 59
    assert jobs.count_documents({}) == 2


@pytest.mark.parametrize("after", [SECOND, DAY, 3 * DAY], ids=str)
async def test_a_request_id_is_remembered_longer_than_the_window(
    mongo: Mongo, jobs: Collection[Row], after: timedelta
) -> None:
    request = {"request_id": "R", "fingerprint": "f"}
    await admit(mongo, an_employee_job("job-1", **request))
    if after > DAY:
        assert is_new((await admit(mongo, an_employee_job("between", create_time=NOW + DAY)))[0])
    before = jobs.count_documents({})

    again = await admit(mongo, an_employee_job("job-2", create_time=NOW + after, **request))
    other = an_employee_job("job-3", create_time=NOW + after, request_id="R", fingerprint="g")
    reused = await admit(mongo, other)

    assert again == [an_admitted(a_job(), is_new=False)]
    assert [find_reused_id(answer) for answer in reused] == ["job-1"]
    assert jobs.count_documents({}) == before


async def test_a_request_id_belongs_to_one_employee(mongo: Mongo, jobs: Collection[Row]) -> None:
    request = {"request_id": "R", "fingerprint": "f"}
    others = {"request_id": "R", "fingerprint": "g", "dedup_key": "key of E2"}

    answers = await admit(
        mongo, an_employee_job("job-1", **request), an_employee_job("job-2", **others)
    )

    assert find_reused_id(answers[1]) == "job-1"
    assert jobs.count_documents({}) == 1


async def test_a_dry_run_returns_the_answer_and_stores_nothing(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    first, again = a_named_job("job-1"), a_named_job("job-2")

    before = await dry_run(mongo, first)
    await admit(mongo, first)
    after = await dry_run(mongo, again, a_named_job("job-3", content="g"))

    assert before == [an_admitted(first)]
    assert (after[0], find_reused_id(after[1])) == (an_admitted(first, is_new=False), "job-1")
    assert jobs.count_documents({}) == 1


async def test_a_dry_run_ignores_the_holder_of_an_expired_window(mongo: Mongo) -> None:
    await admit(mongo, an_employee_job("job-1"))
    later = an_employee_job("job-2", create_time=NOW + DAY)

    assert await dry_run(mongo, later) == [an_admitted(later)]


async def test_names_that_look_like_operators_are_stored_as_given(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    odd = {"$set": "$$NOW", "a.b": "c", "x": "$y"}

    await admit(mongo, a_job(labels=odd, variables={"v": "$state"}))

    [row] = jobs.find()
    assert (row["labels"], row["variables"]) == (odd, {"v": "$state"})


async def test_a_job_that_released_an_expired_key_can_take_it_again(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    await admit(mongo, an_employee_job("job-1"))

    await admit(mongo, an_employee_job("job-2", create_time=NOW + DAY))

    first = jobs.find_one({"_id": "job-1"})
    assert first is not None
    assert (first["dedup_key"], first["released_key"]) == ("over job-1", "key of E1")
    failed = replace(decode(first), state=State.FAILED)
    retried = failed.reset_for_retry(
        NOW + DAY, expire_time=NOW + 2 * DAY, dedup_until=NOW + 2 * DAY
    )
    assert (retried.dedup_key, retried.dedup_until) == ("key of E1", NOW + 2 * DAY)
