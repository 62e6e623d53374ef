"""Limits of jobs on real stores. Oracle: the jobs that the driver finds, and arithmetic."""

import asyncio
from collections import Counter
from datetime import timedelta

from pymongo.collection import Collection

from gcsched.adapters.mongo.connection import Mongo
from gcsched.domain.access import ANYONE
from gcsched.domain.client_limits import Limit
from gcsched.domain.dedup import Dedup, DedupRule
from gcsched.errors import (
    ClientLimit,
    InvalidRequest,
)
from gcsched.usecases.admission.day_uses import MAX_RESERVE, PLENTY
from tests.support.builders import NOW, FixedClock, a_client
from tests.support.clocks import SECOND
from tests.support.quota_process import (
    CREATED,
    FULL,
    ID,
    REPLAYED,
    Process,
    Used,
    another_process,
    make_process,
)
from tests.support.rows import Row


async def test_a_day_has_as_many_jobs_as_its_limit(
    process: Process, jobs: Collection[Row], used: Used
) -> None:
    client = a_client(jobs_per_day=3)

    assert await process.schedule(client, "a", "b") == [CREATED, CREATED]
    assert await process.schedule(client, "c", "d") == [CREATED, FULL]
    assert await process.schedule(client, "e") == [FULL]

    assert {row["message"] for row in jobs.find()} == {"a", "b", "c"}
    assert used() == {"payroll:2026-07-01": 3}
    assert process.recorded.refused == {("payroll", Limit.JOBS_PER_DAY): 2}
    assert process.recorded.used["payroll", Limit.JOBS_PER_DAY] == (3, 3)


async def test_the_next_day_of_utc_has_its_own(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=1)
    await process.schedule(client, "a")

    process.now.now = NOW.replace(hour=23, minute=59, second=59)
    [result] = await process.writer.write([process.submission(client, message="b")])
    assert isinstance(result.answer, ClientLimit)
    assert result.answer.retry_after == SECOND

    process.now.advance(result.answer.retry_after)
    assert await process.schedule(client, "b") == [CREATED]
    assert used() == {"payroll:2026-07-01": 1, "payroll:2026-07-02": 1}


async def test_repeated_calls_get_their_job_also_when_nothing_is_left(
    process: Process, used: Used
) -> None:
    client = a_client(jobs_per_day=2)
    await process.schedule(client, "a", "b")
    process.monotonic.now += 60

    assert await process.schedule(client, "a") == [REPLAYED]
    assert await process.schedule(client, "c", "b", "a") == [FULL, REPLAYED, REPLAYED]
    assert used() == {"payroll:2026-07-01": 2}


async def test_equal_requests_of_one_group_need_one_place(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=1)

    assert sorted(await process.schedule(client, "a", "a", "a")) == [CREATED, REPLAYED, REPLAYED]
    assert await process.schedule(client, "b", "b") == [FULL, FULL]
    assert used() == {"payroll:2026-07-01": 1}


async def test_duplicates_are_given_back_where_plenty_is_left(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=10_000)
    await process.schedule(client, "a")
    lookups = process.admissions.lookups

    assert await process.schedule(client, "a", "b", "a") == [REPLAYED, CREATED, REPLAYED]

    assert process.admissions.lookups == lookups
    assert used()[ID] - process.quotas.uses.read_reserve("payroll", NOW.date()) == 2


async def test_refused_duplicates_and_reused_ids_are_given_back(
    mongo: Mongo, clock: FixedClock, used: Used
) -> None:
    by_employee = DedupRule(by=Dedup.EMPLOYEE, window=timedelta(hours=1))
    process, client = make_process(mongo, clock, dedup=by_employee), a_client(jobs_per_day=9_000)
    first = process.submission(client, empid="E1", request_id="R")
    await process.write(first)

    group = [
        process.submission(client, empid="E1", message="again"),
        process.submission(client, empid="E2", request_id="R"),
        process.submission(client, empid="E3"),
    ]

    assert await process.write(*group) == ["REFUSED_DUPLICATE", "RequestIdReused", CREATED]
    assert used()[ID] - process.quotas.uses.read_reserve("payroll", NOW.date()) == 2


async def test_late_requests_find_their_job_and_need_no_place(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=1)
    not_after = int(NOW.timestamp()) + 60
    await process.write(process.submission(client, not_after=not_after))
    process.now.advance(timedelta(hours=1))

    late = process.submission(client, not_after=not_after)
    other = process.submission(client, not_after=not_after, message="other")

    assert await process.write(late, other) == [REPLAYED, InvalidRequest.__name__]
    assert used() == {"payroll:2026-07-01": 1}


async def test_each_client_of_a_group_has_its_own_limit(
    process: Process, jobs: Collection[Row], used: Used
) -> None:
    payroll, hr = a_client("payroll", jobs_per_day=1), a_client("hr", jobs_per_day=2)
    unlimited = a_client("it", templates=("doc",))
    clients = [payroll, hr, unlimited, ANYONE, payroll, hr, unlimited, hr]
    group = [
        process.submission(each, message=f"mail {number}") for number, each in enumerate(clients)
    ]

    assert await process.write(*group) == [CREATED] * 4 + [FULL, CREATED, CREATED, FULL]
    assert used() == {"payroll:2026-07-01": 1, "hr:2026-07-01": 2}
    assert Counter(row.get("client") for row in jobs.find()) == {
        "payroll": 1,
        "hr": 2,
        "it": 2,
        None: 1,
    }


async def test_without_limits_nothing_is_counted_or_looked_up(process: Process, used: Used) -> None:
    group = [process.submission(each) for each in (ANYONE, a_client("it", calls_per_second=1))]

    await process.write(*group)

    assert not process.usage.statements
    assert process.admissions.lookups == 0
    assert used() == {}
    assert process.quotas.open(group) is None


async def test_where_plenty_is_left_a_hundred_jobs_share_a_statement(
    process: Process, used: Used
) -> None:
    client = a_client(jobs_per_day=100_000)

    for number in range(102):
        assert await process.schedule(client, f"mail {number}") == [CREATED]

    assert process.usage.statements == {"reserve": 2}
    assert used() == {ID: 2 + MAX_RESERVE}


async def test_the_reserve_is_given_back_near_the_limit(
    process: Process, mongo_uri: str, clock: FixedClock, jobs: Collection[Row], used: Used
) -> None:
    client, mails = a_client(jobs_per_day=PLENTY + 600), iter(range(10**6))

    async def schedule(at: Process, count: int) -> Counter[str]:
        return Counter(await at.schedule(client, *[f"{next(mails)}" for _ in range(count)]))

    async with another_process(mongo_uri, clock) as other:
        for _ in range(2):
            for each in (process, other):
                await schedule(each, 50)
        assert process.quotas.uses.read_reserve("payroll", NOW.date())
        for _ in range(3):
            for each in (process, other):
                await schedule(each, 500)

    assert jobs.count_documents({}) == PLENTY + 600
    assert used() == {ID: PLENTY + 600}


async def test_a_lower_limit_ends_the_reserve(process: Process, used: Used) -> None:
    client = a_client(jobs_per_day=100_000)
    for name in "ab":
        await process.schedule(client, name)

    lower = a_client(jobs_per_day=50)
    assert await process.schedule(lower, "c", "a") == [FULL, REPLAYED]
    assert used() == {ID: 2}
    assert await process.schedule(lower, "c", "d") == [CREATED, CREATED]


async def test_1_000_concurrent_calls_at_two_processes_admit_exactly_the_limit(
    process: Process, mongo_uri: str, clock: FixedClock, jobs: Collection[Row], used: Used
) -> None:
    client = a_client(jobs_per_day=100)

    async def call(at: Process, start: int) -> list[str]:
        outcomes = []
        for group in range(start, 1_000, 50):
            names = [f"mail {number}" for number in range(group, group + 25)]
            outcomes += await at.schedule(client, *names)
        return outcomes

    async with another_process(mongo_uri, clock) as other:
        outcomes = await asyncio.gather(call(process, 0), call(other, 25))

    counted = Counter([*outcomes[0], *outcomes[1]])
    assert counted == {CREATED: 100, FULL: 900}
    assert jobs.count_documents({}) == 100
    assert used() == {"payroll:2026-07-01": 100}


async def test_a_full_day_is_asked_about_once_a_second(process: Process) -> None:
    client = a_client(jobs_per_day=1)
    await process.schedule(client, "a")
    statements = process.usage.statements

    for name in "bcd":
        assert await process.schedule(client, name) == [FULL]
    assert statements == {"reserve": 1}

    process.monotonic.now += 1
    assert await process.schedule(client, "e") == [FULL]
    assert statements == {"reserve": 2}
