"""The history in MongoDB. Oracle: what the driver finds in the collection."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.adapters.mongo.history import MongoHistory
from gcsched.domain.history import HistoryFigures, HistoryShare, HistoryStep
from tests.support.rows import Row

MINUTE = timedelta(minutes=1)
START = datetime(2090, 7, 1, 12, 41, tzinfo=UTC)
"""Far ahead: the real MongoDB of a test deletes what is past its retention."""
FIGURES = HistoryFigures(
    start=START,
    attempts={"ACCEPTED": 3, "POLICY": 1},
    admissions={"created": 4},
    lateness={40: 2, 55: 1},
    oldest_due=timedelta(seconds=7),
)
SHARE = HistoryShare(process="a1", number=1, figures=FIGURES)


@pytest.fixture
def history(mongo: Mongo) -> MongoHistory:
    return MongoHistory(mongo=mongo)


@pytest.fixture
async def other(mongo: Mongo) -> AsyncIterator[MongoHistory]:
    """Yield the history as another process has it, by connections of its own."""
    async with open_mongo(mongo.uri) as opened:
        yield MongoHistory(mongo=opened)


async def read(history: MongoHistory, step: HistoryStep) -> list[HistoryFigures]:
    first = START - timedelta(days=1)
    return [*await history.read(step, from_time=first, before_time=START + timedelta(days=1))]


async def test_a_share_is_added_to_its_minute_its_ten_minutes_and_its_hour(
    history: MongoHistory, raw: Database[Row]
) -> None:
    await history.add(SHARE)

    found = {each["_id"]: each for each in raw["history"].find()}
    day = f"{START:%Y-%m-%dT%H}"
    assert set(found) == {f"minute:{day}:41", f"ten_minutes:{day}:40", f"hour:{day}:00"}
    assert found[f"minute:{day}:41"] == {
        "_id": f"minute:{day}:41",
        "start": START,
        "attempts": {"ACCEPTED": 3, "POLICY": 1},
        "admissions": {"created": 4},
        "lateness": {"40": 2, "55": 1},
        "oldest_due": 7.0,
        "shares": {"a1": 1},
        "delete_after": START + MINUTE + timedelta(days=2),
    }
    hour = START.replace(minute=0) + timedelta(hours=1)
    assert found[f"hour:{day}:00"]["delete_after"] == hour + timedelta(days=90)


async def test_shares_of_several_processes_and_minutes_add_up(history: MongoHistory) -> None:
    later = replace(FIGURES, start=START + MINUTE, oldest_due=timedelta(seconds=3))

    await history.add(SHARE)
    await history.add(replace(SHARE, process="b2"))
    await history.add(replace(SHARE, number=2, figures=later))

    minutes = await read(history, HistoryStep.MINUTE)
    assert [each.start for each in minutes] == [START, START + MINUTE]
    assert minutes[0].attempts == {"ACCEPTED": 6, "POLICY": 2}
    [hour] = await read(history, HistoryStep.HOUR)
    assert hour.attempts == {"ACCEPTED": 9, "POLICY": 3}
    assert hour.admissions == {"created": 12}
    assert hour.lateness == {40: 6, 55: 3}
    assert hour.oldest_due == timedelta(seconds=7)


async def test_a_share_that_is_added_again_counts_once(history: MongoHistory) -> None:
    second = replace(SHARE, number=2)
    for share in (SHARE, SHARE, second, second):
        await history.add(share)

    for step in HistoryStep:
        [figures] = await read(history, step)
        assert figures.attempts == {"ACCEPTED": 6, "POLICY": 2}


async def test_a_share_that_was_stored_in_part_is_completed(
    history: MongoHistory, raw: Database[Row]
) -> None:
    await history.add(SHARE)
    raw["history"].delete_one({"_id": {"$regex": "^hour:"}})

    await history.add(SHARE)

    for step in HistoryStep:
        [figures] = await read(history, step)
        assert figures.attempts == {"ACCEPTED": 3, "POLICY": 1}


async def test_processes_that_begin_a_document_at_the_same_time_lose_nothing(
    history: MongoHistory, other: MongoHistory
) -> None:
    for hour in range(8):
        figures = replace(FIGURES, start=START + timedelta(hours=hour))
        shares = [HistoryShare(process=f"p{n}", number=hour, figures=figures) for n in range(12)]
        await asyncio.gather(
            *(store.add(each) for each, store in zip(shares, [history, other] * 6, strict=True))
        )

    found = await read(history, HistoryStep.HOUR)
    assert [each.attempts["ACCEPTED"] for each in found] == [36] * 8


async def test_a_minute_in_which_nothing_happened_is_known_as_such(history: MongoHistory) -> None:
    empty = HistoryFigures(start=START)

    await history.add(replace(SHARE, figures=empty))

    assert await read(history, HistoryStep.MINUTE) == [empty]


async def test_damaged_figures_are_left_out_and_do_not_stop_the_others(
    history: MongoHistory, raw: Database[Row]
) -> None:
    await history.add(SHARE)
    damage: Row = {
        "attempts": {"ACCEPTED": "many", "POLICY": 2},
        "admissions": [1],
        "lateness": {"x": 1, "9999": 4, "7": -1},
        "oldest_due": "long",
    }
    raw["history"].update_one({"_id": {"$regex": "^minute:"}}, {"$set": damage})

    await history.add(replace(SHARE, number=2))

    [minute] = await read(history, HistoryStep.MINUTE)
    assert minute == HistoryFigures(start=START, attempts={"POLICY": 2})
    [hour] = await read(history, HistoryStep.HOUR)
    assert hour.attempts == {"ACCEPTED": 6, "POLICY": 2}


async def test_kinds_of_a_newer_version_are_kept(history: MongoHistory) -> None:
    figures = replace(FIGURES, attempts=Counter({"POSTPONED": 2}))

    await history.add(replace(SHARE, figures=figures))

    [minute] = await read(history, HistoryStep.MINUTE)
    assert minute.attempts == {"POSTPONED": 2}


async def test_a_page_reads_only_what_it_shows(history: MongoHistory, raw: Database[Row]) -> None:
    for number in range(30):
        figures = replace(FIGURES, start=START + number * MINUTE)
        await history.add(replace(SHARE, number=number, figures=figures))

    raw.command("profile", 2)
    found = await history.read(
        HistoryStep.MINUTE, from_time=START + 10 * MINUTE, before_time=START + 20 * MINUTE
    )
    raw.command("profile", 0)

    assert len(found) == 10
    [profile] = raw["system.profile"].find({"ns": f"{raw.name}.history"})
    assert (profile["docsExamined"], profile["nreturned"]) == (10, 10)
