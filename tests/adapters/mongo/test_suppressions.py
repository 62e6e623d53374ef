"""Blocked addresses; oracle: what the driver finds in the collection."""

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

LASTING = datetime(2100, 1, 1, tzinfo=UTC)  # the monitor of the tests looks every second


async def test_a_suppression_is_kept_under_its_address(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    await suppressions.add([a_suppression(expire_time=LASTING)])

    assert list(raw["suppressions"].find()) == [
        {
            "_id": "ada@example.org",
            "folded": "ada@example.org",
            "reason": "550 5.1.1 at RCPT: no such user",
            "job_id": "job-0",
            "since": NOW,
            "until": LASTING,
        }
    ]


async def test_those_that_are_blocked_are_found_among_many_and_come_back_whole(
    suppressions: MongoSuppressions,
) -> None:
    ada, bob = (
        a_suppression(address=f"{n}@example.org", expire_time=LASTING) for n in ("ada", "bob")
    )
    await suppressions.add([ada, bob])

    found = await suppressions.find_active({"ada@example.org", "eve@example.org"}, now=NOW)

    assert found == {"ada@example.org": ada}
    assert await suppressions.find_active([], now=NOW) == {}


async def test_a_refusal_of_one_spelling_blocks_the_others(suppressions: MongoSuppressions) -> None:
    refused = a_suppression(address="Ada@example.org", expire_time=LASTING)

    await suppressions.add([refused])

    spellings = ["ada@example.org", "ADA@example.org"]
    assert await suppressions.find_active(spellings, now=NOW) == dict.fromkeys(spellings, refused)


async def test_what_is_over_blocks_nobody_though_it_is_still_there(
    suppressions: MongoSuppressions,
) -> None:
    await suppressions.add([a_suppression(expire_time=LASTING)])

    assert await suppressions.find_active(["ada@example.org"], now=LASTING - DAY)
    assert not await suppressions.find_active(["ada@example.org"], now=LASTING)


async def test_keeping_one_again_changes_nothing(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    """As after a write that was carried out but not confirmed."""
    await suppressions.add([a_suppression(expire_time=LASTING)])
    before = list(raw["suppressions"].find())

    await suppressions.add([a_suppression(expire_time=LASTING)])

    assert list(raw["suppressions"].find()) == before


async def test_the_latest_refusal_counts(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    first = a_suppression(expire_time=LASTING)
    second = a_suppression(job_id="job-2", create_time=NOW + DAY, expire_time=LASTING)
    third = a_suppression(job_id="job-3", create_time=NOW + DAY, expire_time=LASTING + DAY)
    await suppressions.add([first])

    await suppressions.add([second, third])

    [row] = raw["suppressions"].find()
    assert (row["job_id"], row["since"], row["until"]) == ("job-3", NOW + DAY, LASTING + DAY)


async def test_replicas_that_block_one_address_at_once_leave_one_suppression(
    suppressions: MongoSuppressions, another_mongo: Mongo, raw: Database[Row]
) -> None:
    replicas = [suppressions, MongoSuppressions(mongo=another_mongo)] * 10
    refusals = [a_suppression(job_id=f"job-{n}", expire_time=LASTING) for n in range(20)]

    await asyncio.gather(*[r.add([refusal]) for r, refusal in zip(replicas, refusals, strict=True)])

    assert raw["suppressions"].count_documents({}) == 1


async def test_pages_are_alphabetical_and_without_what_is_over(
    suppressions: MongoSuppressions,
) -> None:
    names = ["bob", "Ada", "eve", "dan", "Cat"]
    await suppressions.add(
        [a_suppression(address=f"{n}@example.org", expire_time=LASTING) for n in names]
    )
    over = a_suppression(address="amy@example.org", expire_time=LASTING - DAY)
    await suppressions.add([over])

    first = await suppressions.read_page("", most=3, now=LASTING - DAY)
    second = await suppressions.read_page(first[-1].address, most=3, now=LASTING - DAY)

    assert [each.address.partition("@")[0] for each in first] == ["Ada", "Cat", "bob"]
    assert [each.address.partition("@")[0] for each in second] == ["dan", "eve"]


async def test_an_address_that_is_blocked_by_hand_is_kept_as_it_was_said(
    suppressions: MongoSuppressions,
) -> None:
    wanted = a_suppression(job_id="", reason="$since asked by Ada", expire_time=LASTING)

    assert await suppressions.add_one(wanted) == wanted
    assert await suppressions.find_active([wanted.address], now=NOW) == {wanted.address: wanted}


async def test_blocking_again_changes_all_but_since_when(suppressions: MongoSuppressions) -> None:
    await suppressions.add([a_suppression(expire_time=LASTING)])
    wanted = a_suppression(
        job_id="", reason="asked by Ada", create_time=NOW + DAY, expire_time=LASTING + DAY
    )

    blocked = await suppressions.add_one(wanted)

    assert blocked == replace(wanted, create_time=NOW)


async def test_what_was_over_is_blocked_anew(suppressions: MongoSuppressions) -> None:
    await suppressions.add([a_suppression(expire_time=LASTING)])
    wanted = a_suppression(create_time=LASTING + DAY, expire_time=LASTING + 2 * DAY)

    assert await suppressions.add_one(wanted) == wanted


async def test_two_who_block_the_same_address_at_once_leave_one(
    suppressions: MongoSuppressions, another_mongo: Mongo, raw: Database[Row]
) -> None:
    replicas = [suppressions, MongoSuppressions(mongo=another_mongo)] * 10

    await asyncio.gather(*[each.add_one(a_suppression(expire_time=LASTING)) for each in replicas])

    assert raw["suppressions"].count_documents({}) == 1


async def test_a_freed_address_is_told_as_it_was(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    blocked = a_suppression(expire_time=LASTING)
    await suppressions.add([blocked])

    assert await suppressions.remove(blocked.address, now=NOW) == blocked
    assert await suppressions.remove(blocked.address, now=NOW) is None
    assert raw["suppressions"].count_documents({}) == 0


async def test_what_is_over_is_not_there_to_be_freed(suppressions: MongoSuppressions) -> None:
    await suppressions.add([a_suppression(expire_time=LASTING)])

    assert await suppressions.remove("ada@example.org", now=LASTING) is None


async def test_a_suppression_is_deleted_when_it_is_over(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    now = datetime.now(UTC)
    over = a_suppression(address="over@example.org", expire_time=now - timedelta(seconds=1))

    await suppressions.add([over, a_suppression(expire_time=now + DAY)])

    await until(lambda: not raw["suppressions"].find_one({"_id": "over@example.org"}), within=65)
    assert [row["_id"] for row in raw["suppressions"].find()] == ["ada@example.org"]


async def test_of_a_list_that_was_imported_address_and_time_suffice(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_one({"_id": "ada@example.org", "until": LASTING, "job_id": 7})

    found = await suppressions.find_active(["ada@example.org"], now=NOW)
    page = await suppressions.read_page("", most=10, now=NOW)

    unknown = datetime(1970, 1, 1, tzinfo=UTC)
    assert list(found.values()) == page
    assert page == [a_suppression(reason="", job_id="", create_time=unknown, expire_time=LASTING)]
