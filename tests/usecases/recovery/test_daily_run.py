"""The daily run on a real store: once a day, for all jobs queued for it, and later if missed."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import State
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import FixedClock, a_job
from tests.support.clocks import DAY, SECOND
from tests.support.rows import Row
from tests.support.wakeups import NoWakeUpQueue, Nudges

AT_TEN = DailyPlan(at=time(10), zone=ZoneInfo("Europe/Berlin"))
TEN = datetime(2026, 7, 1, 8, tzinfo=UTC)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(TEN)


def a_run(mongo: Mongo, clock: FixedClock, nudges: Nudges) -> DailyRun:
    wake_ups = WakeUps(queue=NoWakeUpQueue(), nudge=nudges, now=clock)
    runs = MongoRuns(mongo=mongo)
    return DailyRun(runs=runs, plan=AT_TEN, wake_ups=wake_ups, keep_trying=DAY, now=clock)


@pytest.fixture
def run(mongo: Mongo, clock: FixedClock, nudges: Nudges) -> DailyRun:
    return a_run(mongo, clock, nudges)


def insert_queued(raw: Database[Row], *names: str, due: datetime = TEN) -> None:
    raw["jobs"].insert_many(
        encode(a_job(id=name, dedup_key=name, state=State.QUEUED, schedule_time=due, due_time=due))
        for name in names
    )


def read_states(raw: Database[Row]) -> dict[str, tuple[str, datetime]]:
    return {row["_id"]: (row["state"], row["due"]) for row in raw["jobs"].find()}


async def test_at_its_time_the_whole_queue_becomes_due(
    run: DailyRun, raw: Database[Row], clock: FixedClock, nudges: Nudges
) -> None:
    insert_queued(raw, "a", "b")
    insert_queued(raw, "tomorrow", due=TEN + DAY)
    clock.advance(timedelta(milliseconds=300))

    assert await run.run() == 2

    assert read_states(raw) == {
        "a": ("SCHEDULED", TEN),
        "b": ("SCHEDULED", TEN),
        "tomorrow": ("QUEUED", TEN + DAY),
    }
    assert nudges.count == 1
    [note] = raw["runs"].find()
    assert (note["_id"], note["moved"]) == ("daily:2026-07-01", 2)
    assert note["finished"] == TEN


async def test_before_its_time_nothing_moves(
    run: DailyRun, raw: Database[Row], clock: FixedClock, nudges: Nudges
) -> None:
    insert_queued(raw, "a")
    clock.now = TEN - SECOND

    assert await run.run() == 0
    assert await run.catch_up() == 0

    assert read_states(raw) == {"a": ("QUEUED", TEN)}
    assert nudges.count == 0


async def test_it_runs_once_a_day_and_catches_up_on_a_late_job(
    run: DailyRun, raw: Database[Row], clock: FixedClock
) -> None:
    """The job was accepted just before ten and stored just after."""
    assert await run.run() == 0
    insert_queued(raw, "straggler")
    clock.advance(3 * SECOND)

    assert await run.run() == 0
    assert read_states(raw) == {"straggler": ("QUEUED", TEN)}
    assert await run.catch_up() == 1

    assert read_states(raw) == {"straggler": ("SCHEDULED", TEN + 3 * SECOND)}
    [note] = raw["runs"].find()
    assert (note["moved"], note["finished"]) == (1, TEN + 3 * SECOND)


async def test_a_missed_run_is_caught_up_once(
    run: DailyRun, raw: Database[Row], clock: FixedClock
) -> None:
    insert_queued(raw, "two days ago", due=TEN - 2 * DAY)
    insert_queued(raw, "today")
    clock.advance(timedelta(hours=5))

    assert [await run.catch_up() for _ in range(3)] == [2, 0, 0]
    assert await run.run() == 0

    assert set(read_states(raw).values()) == {("SCHEDULED", TEN + timedelta(hours=5))}
    assert [note["_id"] for note in raw["runs"].find()] == ["daily:2026-07-01"]


async def test_a_late_run_leaves_its_jobs_their_full_time(
    run: DailyRun, raw: Database[Row], clock: FixedClock
) -> None:
    insert_queued(raw, "a")
    clock.advance(timedelta(hours=20))

    assert await run.catch_up() == 1

    [row] = raw["jobs"].find()
    assert row["not_after"] == TEN + timedelta(hours=20) + DAY


async def test_an_interrupted_run_is_finished(
    run: DailyRun, raw: Database[Row], clock: FixedClock
) -> None:
    """Its process recorded the start and died."""
    insert_queued(raw, "a")
    raw["runs"].insert_one({"_id": "daily:2026-07-01", "started": TEN, "moved": 0})
    clock.advance(10 * SECOND)

    assert await run.run() == 0
    assert await run.catch_up() == 1

    [note] = raw["runs"].find()
    assert note == {
        "_id": "daily:2026-07-01",
        "started": TEN,
        "finished": TEN + 10 * SECOND,
        "moved": 1,
    }


async def test_replicas_that_run_and_catch_up_at_once_move_each_job_once(
    run: DailyRun, mongo_uri: str, raw: Database[Row], clock: FixedClock
) -> None:
    insert_queued(raw, *[f"job-{number}" for number in range(100)])

    async with open_mongo(mongo_uri) as another:
        other = a_run(another, clock, Nudges())
        moved = await asyncio.gather(
            run.run(), other.run(), run.catch_up(), other.catch_up(), other.run(), run.catch_up()
        )

    assert sum(moved) == 100
    assert {(row["state"], row["version"]) for row in raw["jobs"].find()} == {("SCHEDULED", 1)}
    [note] = raw["runs"].find()
    assert note["moved"] == 100


async def test_the_next_day_is_a_new_run(
    run: DailyRun, raw: Database[Row], clock: FixedClock
) -> None:
    await run.run()
    insert_queued(raw, "tomorrow", due=TEN + DAY)

    clock.advance(DAY)

    assert await run.run() == 1
    assert {note["_id"] for note in raw["runs"].find()} == {"daily:2026-07-01", "daily:2026-07-02"}


async def test_a_manual_run_makes_all_queued_jobs_due_now(
    run: DailyRun, raw: Database[Row], clock: FixedClock, nudges: Nudges
) -> None:
    insert_queued(raw, "tomorrow", due=TEN + DAY)
    insert_queued(raw, "in a week", due=TEN + 7 * DAY)
    insert_queued(raw, "missed yesterday", due=TEN - DAY)
    clock.advance(timedelta(hours=1, milliseconds=300))

    assert await run.run_now() == 3

    now = TEN + timedelta(hours=1)
    assert set(read_states(raw).values()) == {("SCHEDULED", now)}
    dated = {row["_id"]: row["due_at"] for row in raw["jobs"].find()}
    assert dated == {"tomorrow": now, "in a week": now, "missed yesterday": TEN - DAY}
    assert nudges.count == 1


async def test_a_manual_run_does_not_replace_the_run_of_the_day(
    run: DailyRun, raw: Database[Row], clock: FixedClock
) -> None:
    clock.now = TEN - SECOND
    insert_queued(raw, "by hand")
    assert await run.run_now() == 1
    insert_queued(raw, "at ten")
    clock.now = TEN

    assert await run.run() == 1

    notes = {note["_id"]: (note["started"], note["moved"]) for note in raw["runs"].find()}
    assert notes == {
        "daily:manual:2026-07-01T07:59:59+00:00": (TEN - SECOND, 1),
        "daily:2026-07-01": (TEN, 1),
    }


async def test_a_manual_run_with_nothing_queued_schedules_no_wake_up(
    run: DailyRun, raw: Database[Row], nudges: Nudges
) -> None:
    assert await run.run_now() == 0

    assert nudges.count == 0
    assert [note["moved"] for note in raw["runs"].find()] == [0]


async def test_concurrent_manual_runs_move_each_job_once(run: DailyRun, raw: Database[Row]) -> None:
    insert_queued(raw, *[f"job-{number}" for number in range(100)], due=TEN + DAY)

    moved = await asyncio.gather(run.run_now(), run.run_now(), run.run_now())

    assert sum(moved) == 100
    assert {row["version"] for row in raw["jobs"].find()} == {1}
    assert sum(note["moved"] for note in raw["runs"].find()) == 100


async def test_more_jobs_than_one_statement_moves_are_all_moved(
    mongo: Mongo,
    raw: Database[Row],
    clock: FixedClock,
    nudges: Nudges,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gcsched.usecases.recovery.daily_run.BATCH_SIZE", 3)
    queued = [
        a_job(id=f"{n}", dedup_key=f"{n}", state=State.QUEUED, due_time=TEN) for n in range(7)
    ]
    raw["jobs"].insert_many([encode(job) for job in queued])

    assert await a_run(mongo, clock, nudges).run() == 7

    assert raw["jobs"].count_documents({"state": "SCHEDULED"}) == 7
    assert nudges.count == 3
