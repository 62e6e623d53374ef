"""Limits of jobs while stores fail and processes die: never exceeded, and nothing is lost twice."""

from datetime import timedelta
from typing import Any

import pytest
from pymongo.collection import Collection

from gcsched.adapters.mongo.usage import MongoUsage
from gcsched.domain.access import ANYONE
from gcsched.errors import (
    AdmissionClosed,
    StoreRefused,
    StoreUnavailable,
)
from gcsched.usecases.admission.submit import AdmissionWriter
from gcsched.usecases.ports import DayGrant
from tests.support.builders import FixedClock, a_client
from tests.support.quota_process import CREATED, FULL, ID, REPLAYED, Process, Used, another_process
from tests.support.rows import Row


async def test_a_process_killed_between_reserving_and_inserting_only_loses_places(
    process: Process, mongo_uri: str, clock: FixedClock, jobs: Collection[Row]
) -> None:
    client = a_client(jobs_per_day=3)
    reserved = process.quotas.open([process.submission(client, message="never stored")])
    assert reserved is not None
    await reserved.make(timedelta(seconds=30))  # and the process is gone

    async with another_process(mongo_uri, clock) as other:
        assert await other.schedule(client, "a", "b", "c") == [CREATED, CREATED, FULL]

    assert jobs.count_documents({}) == 2


async def test_a_store_that_did_not_confirm_keeps_the_places(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=3)

    def fail() -> None:
        raise StoreUnavailable("storing the job")

    process.admissions.fail_after = fail
    with pytest.raises(StoreUnavailable):
        await process.write(process.submission(client, seconds=0.05, message="a"))

    # The job is stored, so its place must not be given to another.
    assert used() == {"payroll:2026-07-01": 1}
    process.admissions.fail_after = lambda: None
    assert await process.schedule(client, "a", "b", "c", "d") == [REPLAYED, CREATED, CREATED, FULL]


async def test_what_mongodb_refused_is_given_back(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=3)

    def refuse() -> None:
        raise StoreRefused("storing the job", "validation", "a rule forbids it")

    process.admissions.fail = refuse
    with pytest.raises(StoreRefused):
        await process.write(process.submission(client, seconds=0.05, message="a"))

    assert used() == {"payroll:2026-07-01": 0}


async def test_a_refusal_after_a_doubtful_try_gives_nothing_back(
    process: Process, used: Used
) -> None:
    client = a_client(jobs_per_day=3)
    errors = [
        StoreRefused("storing the job", "validation", "a rule forbids it"),
        StoreUnavailable("storing the job"),
    ]

    def fail() -> None:
        raise errors.pop()

    process.admissions.fail = fail
    with pytest.raises(StoreRefused):
        await process.write(process.submission(client, seconds=0.58, message="a"))

    assert used() == {"payroll:2026-07-01": 1}


async def test_nothing_is_reserved_while_no_request_can_be_accepted(
    process: Process, used: Used
) -> None:
    async def refuse_all() -> None:
        raise AdmissionClosed("an index is damaged")

    process.writer = AdmissionWriter(
        admissions=process.admissions,
        wake_ups=process.writer.wake_ups,
        recipients=process.writer.recipients,
        check_admission=refuse_all,
        quotas=process.quotas,
    )
    with pytest.raises(AdmissionClosed):
        await process.schedule(a_client(jobs_per_day=3), "a")

    assert used() == {}


async def test_counts_that_mongodb_refuses_stop_that_client_only(
    process: Process, jobs: Collection[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: Any, **__: Any) -> DayGrant:
        raise StoreRefused("reserving jobs", "validation", "a rule forbids it")

    monkeypatch.setattr(process.usage, "reserve", refuse)
    group = [
        process.submission(a_client(jobs_per_day=3), message="a"),
        process.submission(ANYONE, message="b"),
    ]

    assert await process.write(*group) == ["StoreRefused", CREATED]
    assert [row["message"] for row in jobs.find()] == ["b"]


async def test_a_reservation_that_fails_costs_no_other_client_its_places(
    process: Process, used: Used, monkeypatch: pytest.MonkeyPatch
) -> None:
    payroll, hr, reserve = (
        a_client(jobs_per_day=2),
        a_client("hr", jobs_per_day=2),
        MongoUsage.reserve,
    )

    async def fail_for_hr(_: MongoUsage, client: str, *arguments: Any, **others: Any) -> DayGrant:
        if client == "hr":
            raise StoreUnavailable("reserving jobs of a client")
        return await reserve(process.usage, client, *arguments, **others)

    group = [process.submission(each, seconds=0.05) for each in (payroll, hr)]
    with monkeypatch.context() as patch:
        patch.setattr(MongoUsage, "reserve", fail_for_hr)
        with pytest.raises(StoreUnavailable):
            await process.write(*group)
    assert used() == {ID: 1}

    assert await process.schedule(payroll, "a", "b", "c") == [CREATED, CREATED, FULL]
    assert used() == {ID: 2}
