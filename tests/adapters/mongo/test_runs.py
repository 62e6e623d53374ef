"""Daily runs and sweeps, as every replica sees them."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.domain.job import State
from tests.support.builders import NOW, a_job
from tests.support.clocks import SECOND
from tests.support.rows import Row

TODAY = date(2026, 7, 1)
WINDOW = timedelta(seconds=12)


@pytest.fixture
def runs(mongo: Mongo) -> MongoRuns:
    return MongoRuns(mongo=mongo)


@pytest.fixture
def replicas(mongo: Mongo, another_mongo: Mongo) -> list[MongoRuns]:
    return [MongoRuns(mongo=mongo), MongoRuns(mongo=another_mongo)] * 5


async def test_a_daily_run_is_started_by_one_replica_only(
    replicas: list[MongoRuns], raw: Database[Row]
) -> None:
    answers = await asyncio.gather(*[each.begin_daily(TODAY, now=NOW) for each in replicas])

    assert answers.count(True) == 1
    assert list(raw["runs"].find()) == [{"_id": "daily:2026-07-01", "started": NOW, "moved": 0}]


async def test_every_day_has_a_run_of_its_own(runs: MongoRuns) -> None:
    assert await runs.begin_daily(TODAY, now=NOW)

    assert await runs.begin_daily(TODAY + timedelta(days=1), now=NOW)
    assert not await runs.begin_daily(TODAY, now=NOW)


async def test_move_queued_makes_only_the_jobs_of_the_run_due(
    runs: MongoRuns, jobs: Collection[Row]
) -> None:
    now, not_after = NOW + 3 * SECOND, NOW + timedelta(days=2)
    kinds: dict[str, dict[str, Any]] = {
        "today": {"state": State.QUEUED, "due_time": NOW},
        "yesterday": {"state": State.QUEUED, "due_time": NOW - timedelta(days=1)},
        "tomorrow": {"state": State.QUEUED, "due_time": NOW + timedelta(days=1)},
        "at a time": {"state": State.SCHEDULED, "due_time": NOW},
        "cancelled": {"state": State.CANCELLED, "due_time": NOW},
    }
    made = {name: a_job(id=name, dedup_key=name, **kind) for name, kind in kinds.items()}
    jobs.insert_many([encode(job) for job in made.values()])

    assert await runs.move_queued(until=NOW, now=now, not_after=not_after, most=1_000) == (2, 2)

    found = {row["_id"]: row for row in jobs.find()}
    moved = {
        "state": "SCHEDULED",
        "due": now,
        "since": now,
        "version": 1,
        "not_after": not_after,
    }
    for name, job in made.items():
        assert found[name] == encode(job) | (moved if name in {"today", "yesterday"} else {})


@pytest.mark.parametrize("stored", [{}, {"not_after": NOW}], ids=["first version", "now"])
async def test_a_late_run_extends_the_expire_time_and_never_shortens_it(
    runs: MongoRuns, jobs: Collection[Row], stored: Row
) -> None:
    queued = encode(a_job(state=State.QUEUED))
    del queued["not_after"]
    jobs.insert_many([queued | stored | {"_id": name, "dedup_key": name} for name in "ab"])
    jobs.update_one({"_id": "b"}, {"$set": {"not_after": NOW + 9 * SECOND}})

    await runs.move_queued(until=NOW, now=NOW, not_after=NOW + 5 * SECOND, most=1_000)

    found = {row["_id"]: row["not_after"] for row in jobs.find()}
    assert found == {"a": NOW + 5 * SECOND, "b": NOW + 9 * SECOND}


async def test_a_late_run_keeps_an_expire_time_set_by_the_caller(
    runs: MongoRuns, jobs: Collection[Row]
) -> None:
    jobs.insert_one(encode(a_job(state=State.QUEUED, expire_time=NOW, has_own_expire_time=True)))

    assert await runs.move_queued(
        until=NOW, now=NOW + SECOND, not_after=NOW + 5 * SECOND, most=1_000
    ) == (1, 1)

    [row] = jobs.find()
    assert (row["state"], row["not_after"]) == ("SCHEDULED", NOW)


async def test_two_replicas_that_move_at_once_move_each_job_once(
    replicas: list[MongoRuns], jobs: Collection[Row]
) -> None:
    jobs.insert_many(
        encode(a_job(id=f"job-{n}", dedup_key=f"key-{n}", state=State.QUEUED)) for n in range(50)
    )

    moved = await asyncio.gather(
        *[each.move_queued(until=NOW, now=NOW, not_after=NOW, most=1_000) for each in replicas]
    )

    assert sum(count for _, count in moved) == 50
    assert {row["version"] for row in jobs.find()} == {1}


async def test_finishing_a_run_adds_up_the_moved_jobs(runs: MongoRuns, raw: Database[Row]) -> None:
    await runs.begin_daily(TODAY, now=NOW)

    await runs.finish_daily(TODAY, 3, now=NOW + SECOND)
    await runs.finish_daily(TODAY, 2, now=NOW + 9 * SECOND)

    assert list(raw["runs"].find()) == [
        {
            "_id": "daily:2026-07-01",
            "started": NOW,
            "finished": NOW + 9 * SECOND,
            "moved": 5,
        }
    ]


@pytest.mark.parametrize(
    ("state", "due", "left"),
    [
        (State.QUEUED, NOW, True),
        (State.QUEUED, NOW + SECOND, False),
        (State.SCHEDULED, NOW, False),
    ],
    ids=["queued", "for a later run", "moved"],
)
async def test_has_queued_reports_jobs_that_a_run_has_left(
    runs: MongoRuns, jobs: Collection[Row], state: State, due: Any, *, left: bool
) -> None:
    jobs.insert_one(encode(a_job(state=state, due_time=due)))

    assert await runs.has_queued(until=NOW) is left


async def test_one_replica_sweeps_per_window(replicas: list[MongoRuns], raw: Database[Row]) -> None:
    async def sweepers(now: Any) -> int:
        calls = [each.begin_sweep(within=WINDOW, now=now) for each in replicas]
        return sum(await asyncio.gather(*calls))

    assert await sweepers(NOW) == 1
    assert await sweepers(NOW + WINDOW - SECOND) == 0
    assert await sweepers(NOW + WINDOW) == 1
    assert list(raw["runs"].find()) == [{"_id": "sweep", "started": NOW + WINDOW}]


async def test_a_sweep_recorded_in_the_future_does_not_prevent_others(
    runs: MongoRuns, raw: Database[Row]
) -> None:
    raw["runs"].insert_one({"_id": "sweep", "started": NOW + timedelta(hours=1)})

    assert await runs.begin_sweep(within=WINDOW, now=NOW)
    assert not await runs.begin_sweep(within=WINDOW, now=NOW + SECOND)
