"""Suppressions. Oracle: what the driver finds in the collection."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from tests.support.builders import NOW, a_suppression
from tests.support.clocks import DAY
from tests.support.rows import Row
from tests.support.wait import until

FAR_FUTURE = datetime(2100, 1, 1, tzinfo=UTC)  # the TTL monitor of the tests runs every second


async def test_a_suppression_is_stored_under_its_address(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    await suppressions.add([a_suppression(expire_time=FAR_FUTURE)])

    assert list(raw["suppressions"].find()) == [
        {
            "_id": "ada@example.org",
            "folded": "ada@example.org",
            "reason": "550 5.1.1 at RCPT: no such user",
            "job_id": "job-0",
            "since": NOW,
            "until": FAR_FUTURE,
        }
    ]


async def test_suppressed_addresses_are_found_among_others(
    suppressions: MongoSuppressions,
) -> None:
    ada, bob = (
        a_suppression(address=f"{n}@example.org", expire_time=FAR_FUTURE) for n in ("ada", "bob")
    )
    await suppressions.add([ada, bob])

    found = await suppressions.find_active({"ada@example.org", "eve@example.org"}, now=NOW)

    assert found == {"ada@example.org": ada}
    assert await suppressions.find_active([], now=NOW) == {}


async def test_a_refusal_of_one_spelling_suppresses_the_others(
    suppressions: MongoSuppressions,
) -> None:
    refused = a_suppression(address="Ada@example.org", expire_time=FAR_FUTURE)

    await suppressions.add([refused])

    spellings = ["ada@example.org", "ADA@example.org"]
    assert await suppressions.find_active(spellings, now=NOW) == dict.fromkeys(spellings, refused)


async def test_an_expired_suppression_that_is_still_stored_does_not_apply(
    suppressions: MongoSuppressions,
) -> None:
    await suppressions.add([a_suppression(expire_time=FAR_FUTURE)])

    assert await suppressions.find_active(["ada@example.org"], now=FAR_FUTURE - DAY)
    assert not await suppressions.find_active(["ada@example.org"], now=FAR_FUTURE)


async def test_adding_the_same_suppression_again_changes_nothing(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    """As after a write that succeeded but was not confirmed."""
    await suppressions.add([a_suppression(expire_time=FAR_FUTURE)])
    before = list(raw["suppressions"].find())

    await suppressions.add([a_suppression(expire_time=FAR_FUTURE)])

    assert list(raw["suppressions"].find()) == before


async def test_the_latest_refusal_counts(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    first = a_suppression(expire_time=FAR_FUTURE)
    second = a_suppression(job_id="job-2", create_time=NOW + DAY, expire_time=FAR_FUTURE)
    third = a_suppression(job_id="job-3", create_time=NOW + DAY, expire_time=FAR_FUTURE + DAY)
    await suppressions.add([first])

    await suppressions.add([second, third])

    [row] = raw["suppressions"].find()
    assert (row["job_id"], row["since"], row["until"]) == ("job-3", NOW + DAY, FAR_FUTURE + DAY)


async def test_replicas_that_suppress_an_address_at_once_store_one_suppression(
    suppressions: MongoSuppressions, another_mongo: Mongo, raw: Database[Row]
) -> None:
    replicas = [suppressions, MongoSuppressions(mongo=another_mongo)] * 10
    refusals = [a_suppression(job_id=f"job-{n}", expire_time=FAR_FUTURE) for n in range(20)]

    await asyncio.gather(*[r.add([refusal]) for r, refusal in zip(replicas, refusals, strict=True)])

    assert raw["suppressions"].count_documents({}) == 1


async def test_pages_are_alphabetical_and_without_expired_suppressions(
    suppressions: MongoSuppressions,
) -> None:
    names = ["bob", "Ada", "eve", "dan", "Cat"]
    await suppressions.add(
        [a_suppression(address=f"{n}@example.org", expire_time=FAR_FUTURE) for n in names]
    )
    expired = a_suppression(address="amy@example.org", expire_time=FAR_FUTURE - DAY)
    await suppressions.add([expired])

    first = await suppressions.read_page("", most=3, now=FAR_FUTURE - DAY)
    second = await suppressions.read_page(first[-1].address, most=3, now=FAR_FUTURE - DAY)

    assert [each.address.partition("@")[0] for each in first] == ["Ada", "Cat", "bob"]
    assert [each.address.partition("@")[0] for each in second] == ["dan", "eve"]


async def test_a_suppression_by_a_caller_is_stored_as_given(
    suppressions: MongoSuppressions,
) -> None:
    suppression = a_suppression(job_id="", reason="$since requested by Ada", expire_time=FAR_FUTURE)

    assert await suppressions.add_one(suppression) == suppression
    assert await suppressions.find_active([suppression.address], now=NOW) == {
        suppression.address: suppression
    }


async def test_suppressing_again_keeps_the_create_time(suppressions: MongoSuppressions) -> None:
    await suppressions.add([a_suppression(expire_time=FAR_FUTURE)])
    suppression = a_suppression(
        job_id="", reason="requested by Ada", create_time=NOW + DAY, expire_time=FAR_FUTURE + DAY
    )

    stored = await suppressions.add_one(suppression)

    assert stored == replace(suppression, create_time=NOW)


async def test_suppressing_after_the_expire_time_starts_a_new_suppression(
    suppressions: MongoSuppressions,
) -> None:
    await suppressions.add([a_suppression(expire_time=FAR_FUTURE)])
    suppression = a_suppression(create_time=FAR_FUTURE + DAY, expire_time=FAR_FUTURE + 2 * DAY)

    assert await suppressions.add_one(suppression) == suppression


async def test_callers_that_suppress_an_address_at_once_store_one_suppression(
    suppressions: MongoSuppressions, another_mongo: Mongo, raw: Database[Row]
) -> None:
    replicas = [suppressions, MongoSuppressions(mongo=another_mongo)] * 10

    await asyncio.gather(
        *[each.add_one(a_suppression(expire_time=FAR_FUTURE)) for each in replicas]
    )

    assert raw["suppressions"].count_documents({}) == 1


async def test_remove_returns_the_removed_suppression(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    suppression = a_suppression(expire_time=FAR_FUTURE)
    await suppressions.add([suppression])

    assert await suppressions.remove(suppression.address, now=NOW) == suppression
    assert await suppressions.remove(suppression.address, now=NOW) is None
    assert raw["suppressions"].count_documents({}) == 0


async def test_remove_returns_none_for_an_expired_suppression(
    suppressions: MongoSuppressions,
) -> None:
    await suppressions.add([a_suppression(expire_time=FAR_FUTURE)])

    assert await suppressions.remove("ada@example.org", now=FAR_FUTURE) is None


async def test_mongodb_deletes_a_suppression_when_it_expires(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    now = datetime.now(UTC)
    expired = a_suppression(address="over@example.org", expire_time=now - timedelta(seconds=1))

    await suppressions.add([expired, a_suppression(expire_time=now + DAY)])

    await until(lambda: not raw["suppressions"].find_one({"_id": "over@example.org"}), within=65)
    assert [row["_id"] for row in raw["suppressions"].find()] == ["ada@example.org"]


async def test_an_imported_suppression_needs_only_address_and_expire_time(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_one({"_id": "ada@example.org", "until": FAR_FUTURE, "job_id": 7})

    found = await suppressions.find_active(["ada@example.org"], now=NOW)
    page = await suppressions.read_page("", most=10, now=NOW)

    unknown = datetime(1970, 1, 1, tzinfo=UTC)
    assert list(found.values()) == page
    assert page == [
        a_suppression(reason="", job_id="", create_time=unknown, expire_time=FAR_FUTURE)
    ]
