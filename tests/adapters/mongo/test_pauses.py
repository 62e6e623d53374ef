"""The pause as every replica sees it; oracle: what another connection reads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.pauses import MongoPauses
from gcsched.domain.pause import Pause
from tests.support.builders import NOW

PAUSE = Pause(by="ada", reason="the relay moves", start_time=NOW)


async def test_no_pause_is_noted_at_first(mongo: Mongo) -> None:
    assert await MongoPauses(mongo=mongo).get() is None


async def test_a_pause_is_seen_by_everybody_until_it_ends(
    mongo: Mongo, another_mongo: Mongo
) -> None:
    ours, theirs = MongoPauses(mongo=mongo), MongoPauses(mongo=another_mongo)

    noted = await ours.save(PAUSE)
    seen = await theirs.get()
    ended = await theirs.delete()

    assert noted == seen == ended == PAUSE
    assert await ours.get() is None
    assert await ours.delete() is None


async def test_a_second_pause_has_the_last_word_and_the_first_begin(mongo: Mongo) -> None:
    pauses = MongoPauses(mongo=mongo)
    await pauses.save(PAUSE)

    noted = await pauses.save(Pause(by="bob", reason="still", start_time=NOW + timedelta(hours=1)))

    assert noted == replace(PAUSE, by="bob", reason="still")


async def test_a_pause_that_was_noted_by_hand_is_one_whatever_it_lacks(mongo: Mongo) -> None:
    await mongo.runs.insert_one({"_id": "pause", "by": None})

    unknown = datetime(1970, 1, 1, tzinfo=UTC)
    assert await MongoPauses(mongo=mongo).get() == Pause(by="", reason="", start_time=unknown)
