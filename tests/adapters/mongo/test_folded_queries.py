"""Addresses in any spelling, also of documents without `folded`.

The oracle is what was stored behind the adapters' back, as versions before have stored it, and the
server's own profile."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_changes import MongoJobChanges
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.adapters.mongo.suppressions import MongoSuppressions
from gcsched.domain.ids import new_id
from gcsched.domain.job_list import ALLOWED_ORDERS, JobFilter, JobListQuery, JobOrder
from tests.support.builders import NOW, a_claimed_job, a_job, a_suppression
from tests.support.clocks import DAY
from tests.support.rows import Row
from tests.support.unfolded_rows import (
    FAR_FUTURE,
    a_non_utf8_row,
    an_unfolded_job,
    an_unfolded_suppression,
    remove_index,
)

SPELLINGS = ("Boss@example.org", "boss@example.org", "BOSS@example.org")


OTHERS = ("boss@example.com", "b.oss@example.org", "boss2@example.org", "böss@example.org")


def a_new_job(number: int, email: str) -> Row:
    return encode(a_job(id=new_id(NOW + number * DAY), dedup_key=f"key-{number}", email=email))


@pytest.mark.parametrize("asked", SPELLINGS)
@pytest.mark.parametrize("written", SPELLINGS)
async def test_a_block_holds_for_each_spelling(
    suppressions: MongoSuppressions, written: str, asked: str
) -> None:
    wanted = a_suppression(address=written, expire_time=FAR_FUTURE)

    await suppressions.add_one(wanted)

    assert await suppressions.find_active([asked, *OTHERS], now=NOW) == {asked: wanted}


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Boss@example.org", "boss@example.org"),
        ("boss@example.org", "BOSS@example.org"),
        ("Boss@EXAMPLE.Org", "boss@example.org"),
        ("ZOË@example.org", "zoë@example.org"),
        ("STRASSE@example.org", "straße@example.org"),
        ("straße@example.org", "STRASSE@example.org"),
        ("$Boss@example.org", "$boss@example.org"),
    ],
)
async def test_what_a_version_before_has_blocked_holds_before_it_is_folded(
    suppressions: MongoSuppressions, raw: Database[Row], stored: str, asked: str
) -> None:
    raw["suppressions"].insert_many(map(an_unfolded_suppression, [stored, *OTHERS]))

    found = await suppressions.find_active([asked, "eve@example.org"], now=NOW)

    assert {name: each.address for name, each in found.items()} == {asked: stored}


async def test_documents_that_cannot_be_read_hide_no_block(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    odd: list[Row] = [{"_id": each, "until": FAR_FUTURE} for each in (7, {"a": 1}, b"boss", None)]
    raw["suppressions"].insert_many([*odd, an_unfolded_suppression("Boss@example.org")])
    raw.command("insert", "suppressions", documents=[a_non_utf8_row("_id")])

    found = await suppressions.find_active(["boss@example.org"], now=NOW)

    assert [each.address for each in found.values()] == ["Boss@example.org"]


async def test_of_several_spellings_the_longest_block_counts(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    longest = FAR_FUTURE + DAY
    raw["suppressions"].insert_many(
        [
            an_unfolded_suppression("Boss@example.org"),
            an_unfolded_suppression("boss@example.org", until=longest),
        ]
    )

    found = await suppressions.find_active(SPELLINGS, now=FAR_FUTURE)

    assert {name: each.expire_time for name, each in found.items()} == dict.fromkeys(
        SPELLINGS, longest
    )


async def test_blocking_another_spelling_changes_until_when_all_are_blocked(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_many(
        [
            an_unfolded_suppression("Boss@example.org", job_id="j"),
            *map(an_unfolded_suppression, OTHERS),
        ]
    )
    wanted = a_suppression(
        address="boss@example.org",
        job_id="",
        reason="new",
        create_time=NOW + DAY,
        expire_time=FAR_FUTURE - DAY,
    )

    blocked = await suppressions.add_one(wanted)

    rows = {row["_id"]: row for row in raw["suppressions"].find()}
    told = {(rows[each]["reason"], rows[each]["until"]) for each in SPELLINGS[:2]}
    assert (blocked.address, blocked.create_time) == ("boss@example.org", NOW)
    assert told == {("new", FAR_FUTURE - DAY)}
    assert {rows[each]["until"] for each in OTHERS} == {FAR_FUTURE}
    assert not await suppressions.find_active(SPELLINGS, now=FAR_FUTURE - DAY)


async def test_freeing_frees_each_spelling_and_tells_the_one_that_was_asked_for(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_one(
        an_unfolded_suppression("BOSS@example.org", until=FAR_FUTURE + DAY)
    )
    for address in ("Boss@example.org", *OTHERS):
        await suppressions.add_one(a_suppression(address=address, expire_time=FAR_FUTURE))
    raw["suppressions"].insert_one(an_unfolded_suppression("boss@example.org"))

    freed = await suppressions.remove("boss@example.org", now=NOW)

    assert freed is not None
    assert freed.address == "boss@example.org"
    assert {row["_id"] for row in raw["suppressions"].find()} == set(OTHERS)
    assert await suppressions.remove("boss@example.org", now=NOW) is None


async def test_lists_show_each_spelling_as_it_was_written(suppressions: MongoSuppressions) -> None:
    for address in SPELLINGS:
        await suppressions.add_one(a_suppression(address=address, expire_time=FAR_FUTURE))

    page = await suppressions.read_page("", most=10, now=NOW)

    assert [each.address for each in page] == sorted(SPELLINGS)


@pytest.mark.parametrize("is_hidden", [False, True], ids=["missing", "hidden"])
async def test_an_index_that_is_not_there_yet_stops_nothing(
    mongo: Mongo, suppressions: MongoSuppressions, raw: Database[Row], *, is_hidden: bool
) -> None:
    raw["suppressions"].insert_many(map(an_unfolded_suppression, SPELLINGS[:1]))
    raw["jobs"].insert_many(
        [an_unfolded_job(1, "Boss@example.org"), a_new_job(2, "boss@example.org")]
    )
    with ExitStack() as stack:
        for name in ("jobs", "suppressions"):
            stack.enter_context(remove_index(raw, name, is_hidden=is_hidden))

        assert await suppressions.find_active(["boss@example.org"], now=NOW)
        assert len(await list_addresses(mongo, "BOSS@example.org", most=1)) == 2
        counted = await MongoJobList(mongo=mongo).count(JobFilter(email="BOSS@example.org"), most=9)
        assert counted == 2


async def list_addresses(
    mongo: Mongo, address: str, order: JobOrder = JobOrder.CREATE_TIME_DESC, *, most: int = 2
) -> list[str]:
    """List the addresses of all jobs to *address*, page by page."""
    asked, after, found = (
        JobListQuery(filter=JobFilter(email=address), order=order),
        None,
        list[str](),
    )
    while True:
        page = await MongoJobList(mongo=mongo).read_page(asked, after, most=most, is_full=False)
        found += [job.email for job in page.jobs]
        after = page.next_cursor
        if after is None:
            return found


def mixed_rows() -> Iterator[Row]:
    """Make jobs to three spellings and to others, in turn by this version and the one before."""
    for number, email in enumerate((*SPELLINGS, *OTHERS) * 4):
        yield an_unfolded_job(number, email) if number % 2 else a_new_job(number, email)


@pytest.mark.parametrize("order", ALLOWED_ORDERS["email",])
@pytest.mark.parametrize("asked", SPELLINGS)
async def test_jobs_are_listed_and_counted_in_each_spelling_and_order(
    mongo: Mongo, jobs: Collection[Row], asked: str, order: JobOrder
) -> None:
    rows = list(mixed_rows())
    jobs.insert_many([*rows, an_unfolded_job(98, {"a": 1}), an_unfolded_job(99, None)])
    jobs.database.command("insert", "jobs", documents=[a_non_utf8_row("email")])
    wanted = [row["email"] for row in rows if row["email"] in SPELLINGS]

    found = await list_addresses(mongo, asked, order)
    count = await MongoJobList(mongo=mongo).count(JobFilter(email=asked), most=100)

    assert found == (wanted[::-1] if order is JobOrder.CREATE_TIME_DESC else wanted)
    assert count == len(wanted)


async def test_claims_on_each_spelling_are_found(mongo: Mongo, jobs: Collection[Row]) -> None:
    steering = MongoJobChanges(mongo=mongo, retention=DAY)
    for number, address in enumerate((*SPELLINGS, *OTHERS, "ZOË@example.org")):
        claimed = encode(a_claimed_job(id=f"{number}", dedup_key=f"{number}", email=address))
        jobs.insert_one(claimed if number % 2 else {**claimed, "folded": None})

    assert {job.email for job in await steering.find_claimed("bOsS@example.org")} == set(SPELLINGS)
    assert [job.id for job in await steering.find_claimed("zoë@example.org")] == ["7"]
