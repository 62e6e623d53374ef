"""Unconfirmed writes are repeated and still count once."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.outcomes import MongoOutcomes
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.runs import MongoRuns
from gcsched.dev.stores.mongod import MongodOptions
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import State
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import StoreRefused, StoreUnavailable
from gcsched.usecases.admission.recipient_writer import RecipientWriter
from gcsched.usecases.ports import Conclusion
from gcsched.usecases.recovery.daily_run import DailyRun
from gcsched.usecases.wakeups import WakeUps
from tests.support.builders import NOW, FixedClock, a_claimed_job, a_job, an_attempt
from tests.support.clocks import DAY
from tests.support.rows import Row
from tests.support.stores import own_mongod
from tests.support.wakeups import NoWakeUpQueue

NOT_CONFIRMED = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting for replication"}
AT_TEN = DailyPlan(at=time(10), zone=ZoneInfo("UTC"))


@pytest.fixture
async def mongo(tmp_path: Path) -> AsyncIterator[Mongo]:
    """A server of the test's own that can withhold confirmations."""
    options = MongodOptions(parameters={"enableTestCommands": "1"})
    async with own_mongod(tmp_path, options) as server, open_mongo(server.uri) as mongo:
        await mongo.prepare()
        yield mongo


@contextmanager
def withhold_confirmation(mongo: Mongo, *, times: int) -> Iterator[Database[Row]]:
    """Make the next writes succeed without a confirmation, as if the majority were away."""
    address, port = mongo.database.client.delegate.address or ("", 0)
    with MongoClient[Row](address, port, directConnection=True, tz_aware=True) as driver:
        driver.admin.command(
            {
                "configureFailPoint": "failCommand",
                "mode": {"times": times},
                "data": {"failCommands": ["insert", "update"], "writeConcernError": NOT_CONFIRMED},
            }
        )
        yield driver[mongo.database.name]


async def test_unconfirmed_saves_of_recipients_are_counted_once(mongo: Mongo) -> None:
    await mongo.ping()
    writer = RecipientWriter(store=MongoRecipients(mongo=mongo))
    for number in range(30):
        writer.add(a_job(id=f"job-{number}", empid=f"E{number % 10}"))

    with withhold_confirmation(mongo, times=3) as raw:
        for number in range(3):
            await writer.flush()
            writer.add(
                a_job(id=f"late-{number}", empid="E0")
            )  # the flush in progress does not include it
        await writer.flush()

        counts = {row["_id"]: row["accepted"] for row in raw["recipients"].find()}
    assert counts == {f"E{number}": 6 if number == 0 else 3 for number in range(10)}


async def test_a_daily_run_with_an_unconfirmed_end_counts_its_jobs_once(mongo: Mongo) -> None:
    await mongo.ping()
    clock, runs = FixedClock(), MongoRuns(mongo=mongo)
    wake_ups = WakeUps(queue=NoWakeUpQueue(), nudge=lambda: None, now=clock)
    run = DailyRun(runs=runs, plan=AT_TEN, wake_ups=wake_ups, keep_trying=DAY, now=clock)
    await mongo.jobs.insert_one(encode(a_job(state=State.QUEUED, due_time=NOW - DAY)))
    moved = await runs.move_queued(until=NOW, now=NOW, not_after=NOW + DAY, most=10)

    with withhold_confirmation(mongo, times=1) as raw:
        with pytest.raises(StoreUnavailable):
            await runs.finish_daily(date(2026, 7, 1), moved[1], now=NOW)
        await run.catch_up()

        assert [row["moved"] for row in raw["runs"].find()] == [1]


async def test_an_unconfirmed_late_acceptance_counts_one_attempt(mongo: Mongo) -> None:
    await mongo.ping()
    job = a_claimed_job()
    await mongo.jobs.insert_one(encode(job) | {"state": "UNCERTAIN", "claim": None})
    proof = Conclusion(claim="claim-1", job=job.sent(an_attempt(kind=Kind.ACCEPTED, code=250)))
    outcomes = MongoOutcomes(mongo=mongo, retention=36500 * DAY)

    with withhold_confirmation(mongo, times=2) as raw:
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await outcomes.conclude([proof])
        await outcomes.conclude([proof])

        [row] = raw["jobs"].find()
    assert (row["state"], row["attempt"], row["version"], len(row["attempts"])) == ("SENT", 1, 2, 1)


async def test_a_missing_majority_is_not_a_refusal(mongo: Mongo) -> None:
    await mongo.ping()

    with withhold_confirmation(mongo, times=1), pytest.raises(StoreUnavailable) as raised:
        await MongoRecipients(mongo=mongo).save([a_job(create_time=datetime.now(UTC))])

    assert not isinstance(raised.value, StoreRefused)
