"""What a lookup of an address reads among thousands, with and without the field or the index."""

import asyncio
from collections.abc import Iterator

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.address_folding import MongoAddressFolding
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.suppressions import MAX_COMPARED, MongoSuppressions
from gcsched.usecases.recovery.folding import Folding
from tests.support.builders import NOW, a_suppression
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row
from tests.support.unfolded_rows import FAR_FUTURE, an_unfolded_suppression, remove_index
from tests.support.wait import until


def store_many(raw: Database[Row]) -> int:
    """Store more unfolded suppressions than are compared; return the number of the last by id."""
    last = 3_999
    raw["suppressions"].insert_many(
        [an_unfolded_suppression(f"Someone{n}@example.org") for n in range(last + 1)]
    )
    raw["suppressions"].insert_one(an_unfolded_suppression("someone@example.org"))
    return last


async def add_folded(suppressions: MongoSuppressions) -> None:
    await suppressions.add_one(a_suppression(address="Zoe@example.org", expire_time=FAR_FUTURE))


@pytest.fixture(params=["missing", "hidden"])
def without_index(request: pytest.FixtureRequest, raw: Database[Row]) -> Iterator[str]:
    """Drop or hide the index."""
    with remove_index(raw, "suppressions", is_hidden=request.param == "hidden"):
        yield str(request.param)


async def is_all_filled(folding: Folding, raw: Database[Row]) -> bool:
    await folding.fold()
    return not await asyncio.to_thread(
        raw["suppressions"].count_documents, {"folded": {"$exists": False}}
    )


async def test_suppressions_are_found_among_thousands_of_unfolded_ones(
    suppressions: MongoSuppressions, raw: Database[Row], mongo: Mongo
) -> None:
    """Before the filling, those beyond the compared ones are found as written and in lower case.

    A document that has the field is found in any spelling.
    """
    last = store_many(raw)
    await add_folded(suppressions)
    at_once = {f"Someone{last - 1}@example.org", "SOMEONE@example.org", "ZOE@example.org"}
    later = {f"SOMEONE{last}@example.org"}

    before = await suppressions.find_active([*at_once, *later, "eve@example.org"], now=NOW)
    folding = Folding(store=MongoAddressFolding(mongo=mongo))
    await until(lambda: is_all_filled(folding, raw))
    after = await suppressions.find_active([*at_once, *later, "eve@example.org"], now=NOW)

    assert set(before) == at_once
    assert set(after) == at_once | later


async def test_find_active_reads_few_documents_among_thousands_of_unfolded_ones(
    suppressions: MongoSuppressions, raw: Database[Row], mongo: Mongo
) -> None:
    store_many(raw)

    profile = await profile_commands(mongo, raw, lambda _: find_four(suppressions))

    assert sum(each["docsExamined"] for each in profile) < 2 * MAX_COMPARED
    assert sum(each["keysExamined"] for each in profile) < 2 * MAX_COMPARED


@pytest.mark.usefixtures("without_index")
async def test_find_active_reads_few_documents_without_the_index(
    suppressions: MongoSuppressions, raw: Database[Row], mongo: Mongo
) -> None:
    store_many(raw)
    nudged: list[str] = []
    mongo.refusals.on_missing_index = lambda: nudged.append("check the indexes")

    profile = await profile_commands(mongo, raw, lambda _: find_four(suppressions))

    assert sum(each.get("docsExamined", 0) for each in profile) < 2 * MAX_COMPARED
    assert "COLLSCAN" not in [stage for each in profile for stage in read_stages(each)]
    assert nudged == ["check the indexes"]
    assert mongo.refusals.problem is None


async def find_four(suppressions: MongoSuppressions) -> None:
    suppressed = ["Someone3999@example.org", "SOMEONE@example.org", "SOMEONE0@example.org"]
    assert set(await suppressions.find_active([*suppressed, "eve@example.org"], now=NOW)) == set(
        suppressed
    )


def read_stages(profile: Row) -> list[str]:
    return stages(profile["execStats"]) if "execStats" in profile else []


async def test_remove_finds_every_spelling_among_thousands_of_unfolded_ones(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    await check_removal(suppressions, raw, store_many(raw))


@pytest.mark.usefixtures("without_index")
async def test_remove_finds_every_spelling_without_the_index(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    await check_removal(suppressions, raw, store_many(raw))


async def check_removal(suppressions: MongoSuppressions, raw: Database[Row], last: int) -> None:
    raw["suppressions"].insert_one(an_unfolded_suppression(f"sOmEoNe{last}@example.org"))

    removed = await suppressions.remove(f"SOMEONE{last}@example.org", now=NOW)

    assert removed is not None
    spellings = {"_id": {"$regex": f"^someone{last}@", "$options": "i"}}
    assert raw["suppressions"].count_documents(spellings) == 0
    assert raw["suppressions"].count_documents({}) == last + 1


async def test_find_active_is_one_statement_by_index_beside_some_unfolded_ones(
    mongo: Mongo, suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_many(
        [an_unfolded_suppression(f"Someone{n}@example.org") for n in range(100)]
    )

    async def use(_: Mongo) -> None:
        assert len(await suppressions.find_active(["someone7@example.org"], now=NOW)) == 1

    [done] = await profile_commands(mongo, raw, use)

    assert not {"COLLSCAN", "SORT"} & set(stages(done["execStats"]))
