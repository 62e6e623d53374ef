"""Counts of jobs per state. Oracle: what the driver stores, and the server's own profile."""

from datetime import timedelta

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo import job_counts
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_counts import MongoJobCounter
from gcsched.domain.job import State
from tests.support.builders import NOW, a_job
from tests.support.clocks import SECOND
from tests.support.rows import Row


def row(number: int, state: State, due: timedelta) -> Row:
    return encode(
        a_job(id=f"job-{number}", dedup_key=f"key-{number}", state=state, due_time=NOW + due)
    )


async def test_every_state_is_counted_even_if_it_has_no_job(mongo: Mongo) -> None:
    counts = await MongoJobCounter(mongo=mongo).count(now=NOW)

    assert counts.by_state == dict.fromkeys(State, 0)
    assert counts.oldest_due_lateness == timedelta(0)


async def test_the_lateness_is_that_of_the_longest_waiting_due_job(
    mongo: Mongo, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many(
        [
            row(1, State.SCHEDULED, -SECOND),
            row(2, State.RETRYING, -3 * SECOND),
            row(3, State.SCHEDULED, SECOND),
            row(4, State.SENT, -9 * SECOND),
            row(5, State.QUEUED, -9 * SECOND),
            row(6, State.SENDING, -9 * SECOND),
        ]
    )

    counts = await MongoJobCounter(mongo=mongo).count(now=NOW)

    assert counts.oldest_due_lateness == 3 * SECOND
    assert {state: count for state, count in counts.by_state.items() if count} == {
        State.SCHEDULED: 2,
        State.RETRYING: 1,
        State.SENT: 1,
        State.QUEUED: 1,
        State.SENDING: 1,
    }


async def test_a_count_reads_the_index_only(mongo: Mongo, raw: Database[Row]) -> None:
    raw["jobs"].insert_many([row(number, State.SENT, -SECOND) for number in range(10)])
    raw["system.profile"].drop()  # another test may have had this database before
    raw.command("profile", 2)

    await MongoJobCounter(mongo=mongo).count(now=NOW)
    raw.command("profile", 0)

    entries = list(raw["system.profile"].find({"ns": f"{raw.name}.jobs"}))
    assert len(entries) == len(State) + 1
    assert sum(entry["docsExamined"] for entry in entries) == 0
    assert all(entry["keysExamined"] <= 11 for entry in entries)


async def test_a_state_that_cannot_be_counted_in_time_is_left_out(
    mongo: Mongo, raw: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = 20_000
    raw["jobs"].insert_many([row(number, State.SENT, -SECOND) for number in range(many)])
    monkeypatch.setattr(job_counts, "COUNT_TIMEOUT_MS", 1)

    counts = await MongoJobCounter(mongo=mongo).count(now=NOW)

    assert State.SENT not in counts.by_state
