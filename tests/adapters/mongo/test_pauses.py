"""The pause as every replica sees it. Oracle: what another connection reads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.pauses import MongoPauses
from gcsched.domain.pause import Pause
from tests.support.builders import NOW

PAUSE = Pause(by="ada", reason="the relay moves", start_time=NOW)


async def test_there_is_no_pause_at_first(mongo: Mongo) -> None:
    assert await MongoPauses(mongo=mongo).get() is None


async def test_a_pause_is_seen_by_all_replicas_until_it_ends(
    mongo: Mongo, another_mongo: Mongo
) -> None:
    ours, theirs = MongoPauses(mongo=mongo), MongoPauses(mongo=another_mongo)

    stored = await ours.save(PAUSE)
    seen = await theirs.get()
    ended = await theirs.delete()

    assert stored == seen == ended == PAUSE
    assert await ours.get() is None
    assert await ours.delete() is None


async def test_a_second_pause_changes_the_texts_but_not_the_start(mongo: Mongo) -> None:
    pauses = MongoPauses(mongo=mongo)
    await pauses.save(PAUSE)

    stored = await pauses.save(Pause(by="bob", reason="still", start_time=NOW + timedelta(hours=1)))

    assert stored == replace(PAUSE, by="bob", reason="still")


async def test_a_pause_stored_by_hand_counts_with_missing_fields(mongo: Mongo) -> None:
    await mongo.runs.insert_one({"_id": "pause", "by": None})

    unknown = datetime(1970, 1, 1, tzinfo=UTC)
    assert await MongoPauses(mongo=mongo).get() == Pause(by="", reason="", start_time=unknown)
