"""The jobs of clients, counted in MongoDB. Oracle: what the driver finds, and arithmetic."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from gcsched.adapters.mongo import usage as usage_module
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.usage import MongoUsage
from gcsched.domain.job import State
from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import DayGrant
from tests.support.builders import a_job
from tests.support.mongo_profile import profile_commands
from tests.support.rows import Row

TODAY = date(2026, 7, 1)
WITHIN = timedelta(seconds=30)
ID = "payroll:2026-07-01"
LONG, REAL_RETENTION = timedelta(days=50_000), usage_module.RETENTION


@pytest.fixture(autouse=True)
def _keep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the documents: the real MongoDB of a test deletes what was due before this year."""
    monkeypatch.setattr(usage_module, "RETENTION", LONG)


@pytest.fixture
def usage(mongo: Mongo) -> MongoUsage:
    return MongoUsage(mongo=mongo)


@pytest.fixture
def stored(raw: Database[Row]) -> Collection[Row]:
    return raw["usage"]


@dataclass
class LosingCollection:
    """A collection whose replies are lost while it *is_losing*; what it was asked is done."""

    real: Any
    is_losing: bool = False

    async def find_one_and_update(self, *arguments: Any, **options: Any) -> Any:
        document = await self.real.find_one_and_update(*arguments, **options)
        if self.is_losing:
            raise AutoReconnect
        return document


@dataclass
class LateCollection:
    """A collection that gets the first statement only when *deliver* is called."""

    real: Any
    late: tuple[Any, Any] | None = None

    async def find_one_and_update(self, *arguments: Any, **options: Any) -> Any:
        if self.late is None:
            self.late = arguments, options
            raise AutoReconnect
        return await self.real.find_one_and_update(*arguments, **options)

    async def deliver(self) -> None:
        assert self.late is not None
        arguments, options = self.late
        await self.real.find_one_and_update(*arguments, **options)


async def reserve(usage: MongoUsage, count: int, *, most: int = 100) -> DayGrant:
    return await usage.reserve("payroll", TODAY, count, most=most, within=WITHIN)


def read_jobs(stored: Collection[Row]) -> Any:
    row = stored.find_one({"_id": ID})
    return row and row["jobs"]


async def test_as_many_jobs_are_reserved_as_fit(usage: MongoUsage, stored: Collection[Row]) -> None:
    grants = [await reserve(usage, 60) for _ in range(3)]

    assert grants == [
        DayGrant(count=60, used=60),
        DayGrant(count=40, used=100),
        DayGrant(count=0, used=100),
    ]
    [row] = stored.find()
    assert (row["_id"], row["jobs"]) == (ID, 100)
    assert row["delete_after"] == datetime(2026, 7, 1, tzinfo=UTC) + LONG
    assert timedelta(days=35) == REAL_RETENTION


async def test_days_and_clients_are_counted_apart(usage: MongoUsage) -> None:
    await reserve(usage, 100)

    other = await usage.reserve("hr", TODAY, 1, most=100, within=WITHIN)
    tomorrow = await usage.reserve("payroll", TODAY + timedelta(days=1), 1, most=100, within=WITHIN)

    assert other == tomorrow == DayGrant(count=1, used=1)
    assert await usage.read("payroll", TODAY, within=WITHIN) == 100
    assert await usage.read("nobody", TODAY, within=WITHIN) == 0


async def test_what_is_given_back_can_be_reserved_again(
    usage: MongoUsage, stored: Collection[Row]
) -> None:
    await reserve(usage, 100)

    await usage.give_back("payroll", TODAY, 30, within=WITHIN)

    assert read_jobs(stored) == 70
    assert await reserve(usage, 50) == DayGrant(count=30, used=100)


async def test_never_more_is_given_back_than_was_reserved(
    usage: MongoUsage, stored: Collection[Row]
) -> None:
    await reserve(usage, 5)

    await usage.give_back("payroll", TODAY, 6, within=WITHIN)
    await usage.give_back("payroll", TODAY + timedelta(days=1), 1, within=WITHIN)

    assert [row["jobs"] for row in stored.find()] == [5]


async def test_a_lower_limit_grants_nothing_and_takes_nothing(
    usage: MongoUsage, stored: Collection[Row]
) -> None:
    await reserve(usage, 60)

    assert await reserve(usage, 1, most=50) == DayGrant(count=0, used=60)
    assert read_jobs(stored) == 60


async def test_1_000_reservations_by_two_processes_grant_exactly_the_limit(
    mongo: Mongo, another_mongo: Mongo, stored: Collection[Row]
) -> None:
    async def use_process(each: Mongo) -> int:
        usage, total = MongoUsage(mongo=each), 0
        for count in [1] * 420 + [10] * 8:  # 500 jobs
            total += (await reserve(usage, count)).count
        return total

    both = await asyncio.gather(use_process(mongo), use_process(another_mongo))

    assert sum(both) == read_jobs(stored) == 100


async def test_reserving_and_giving_back_at_the_same_time_never_exceeds_the_limit(
    mongo: Mongo, another_mongo: Mongo, stored: Collection[Row]
) -> None:
    kept, peak = [0], [0]

    async def use_process(each: Mongo) -> None:
        usage = MongoUsage(mongo=each)
        for number in range(60):
            grant = await reserve(usage, 1 + number * 7 % 30)
            kept[0] += grant.count
            peak[0] = max(peak[0], kept[0])
            if unused := number * 11 % (grant.count + 1):
                kept[0] -= unused
                await usage.give_back("payroll", TODAY, unused, within=WITHIN)

    await asyncio.gather(use_process(mongo), use_process(another_mongo))

    assert kept[0] == read_jobs(stored) <= 100
    assert peak[0] <= 100


async def test_a_reservation_that_was_not_confirmed_is_undone_by_the_next(
    mongo: Mongo, stored: Collection[Row]
) -> None:
    collection: Any = LosingCollection(mongo.usage)
    usage = MongoUsage(mongo=replace(mongo, usage=collection))
    await reserve(usage, 10)

    collection.is_losing = True
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await reserve(usage, 20)
    assert read_jobs(stored) == 30
    collection.is_losing = False

    assert await reserve(usage, 5) == DayGrant(count=5, used=15)
    assert await reserve(usage, 5) == DayGrant(count=5, used=20)


async def test_a_reservation_that_arrives_after_the_next_one_changes_nothing(
    mongo: Mongo, stored: Collection[Row]
) -> None:
    collection = LateCollection(mongo.usage)
    usage = MongoUsage(mongo=replace(mongo, usage=cast("Any", collection)))
    with pytest.raises(StoreUnavailable):
        await reserve(usage, 5)
    assert await reserve(usage, 90) == DayGrant(count=90, used=90)

    await collection.deliver()  # as from a frozen mongod, by a connection that was given up

    assert read_jobs(stored) == 90
    assert await reserve(usage, 20) == DayGrant(count=10, used=100)


async def test_only_the_process_that_was_not_confirmed_undoes_its_reservation(
    usage: MongoUsage, mongo: Mongo
) -> None:
    await reserve(MongoUsage(mongo=mongo), 20)  # a process that was killed

    assert await reserve(usage, 5) == DayGrant(count=5, used=25)


@pytest.mark.parametrize("damaged", ["many", None, {}, [], float("inf")])
async def test_a_damaged_count_costs_no_other_client_anything(
    usage: MongoUsage, stored: Collection[Row], damaged: object
) -> None:
    stored.insert_one({"_id": ID, "jobs": damaged, "held": damaged})

    grant = await reserve(usage, 5)

    assert grant.count == (0 if damaged == float("inf") else 5)
    other = await usage.reserve("hr", TODAY, 1, most=100, within=WITHIN)
    assert other == DayGrant(count=1, used=1)


async def test_waiting_jobs_are_counted_by_client(usage: MongoUsage, jobs: Collection[Row]) -> None:
    states = [State.QUEUED, State.SCHEDULED, State.RETRYING, State.SENDING, State.SENT]
    for client in ("payroll", "hr", ""):
        for state in states:
            name = f"{client} {state}"
            jobs.insert_one(encode(a_job(id=name, dedup_key=name, state=state, client=client)))

    assert await usage.count_waiting("payroll", most=10, within=WITHIN) == 3
    assert await usage.count_waiting("payroll", most=2, within=WITHIN) == 2
    assert await usage.count_waiting("nobody", most=0, within=WITHIN) == 0


async def test_stored_jobs_are_counted(usage: MongoUsage, jobs: Collection[Row]) -> None:
    jobs.insert_one(encode(a_job(id="job-1")))

    assert await usage.count_stored(["job-1", "job-2"], within=WITHIN) == 1


async def test_counting_reads_index_keys_only(
    usage: MongoUsage, mongo: Mongo, raw: Database[Row]
) -> None:
    rows = [
        encode(a_job(id=f"{number}", dedup_key=f"{number}", client="payroll", state=state))
        for number, state in enumerate([State.SENT] * 50 + [State.SCHEDULED] * 20)
    ]
    raw["jobs"].insert_many(rows)

    async def count(_: Mongo) -> None:
        assert await usage.count_waiting("payroll", most=10, within=WITHIN) == 10

    [command] = await profile_commands(mongo, raw, count)

    assert command["docsExamined"] == 0
    assert command["keysExamined"] <= 10 + 3


async def test_the_days_of_many_clients_are_read_together(
    usage: MongoUsage, stored: Collection[Row]
) -> None:
    stored.insert_many(
        [
            {"_id": ID, "jobs": 7, "delete_after": datetime.now(UTC) + LONG},
            {"_id": "crm:2026-07-01", "jobs": "many", "delete_after": datetime.now(UTC) + LONG},
            {"_id": "crm:2026-06-30", "jobs": 4, "delete_after": datetime.now(UTC) + LONG},
        ]
    )

    found = await usage.read_many(["payroll", "crm", "new"], TODAY, within=WITHIN)

    assert found == {"payroll": 7, "crm": 0}
