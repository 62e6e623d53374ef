"""Addresses in any spelling, also in documents without `folded`.

Oracle: what the driver stores as older versions did, and the server's own profile.
"""

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


@pytest.mark.parametrize("address", SPELLINGS)
@pytest.mark.parametrize("written", SPELLINGS)
async def test_a_suppression_applies_to_every_spelling(
    suppressions: MongoSuppressions, written: str, address: str
) -> None:
    suppression = a_suppression(address=written, expire_time=FAR_FUTURE)

    await suppressions.add_one(suppression)

    assert await suppressions.find_active([address, *OTHERS], now=NOW) == {address: suppression}


@pytest.mark.parametrize(
    ("stored", "address"),
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
async def test_a_suppression_stored_by_an_older_version_applies_before_it_is_folded(
    suppressions: MongoSuppressions, raw: Database[Row], stored: str, address: str
) -> None:
    raw["suppressions"].insert_many(map(an_unfolded_suppression, [stored, *OTHERS]))

    found = await suppressions.find_active([address, "eve@example.org"], now=NOW)

    assert {name: each.address for name, each in found.items()} == {address: stored}


async def test_unreadable_documents_do_not_hide_a_suppression(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    odd: list[Row] = [{"_id": each, "until": FAR_FUTURE} for each in (7, {"a": 1}, b"boss", None)]
    raw["suppressions"].insert_many([*odd, an_unfolded_suppression("Boss@example.org")])
    raw.command("insert", "suppressions", documents=[a_non_utf8_row("_id")])

    found = await suppressions.find_active(["boss@example.org"], now=NOW)

    assert [each.address for each in found.values()] == ["Boss@example.org"]


async def test_the_suppressed_spelling_that_expires_last_counts(
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


async def test_suppressing_one_spelling_changes_the_expire_time_of_all(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_many(
        [
            an_unfolded_suppression("Boss@example.org", job_id="j"),
            *map(an_unfolded_suppression, OTHERS),
        ]
    )
    suppression = a_suppression(
        address="boss@example.org",
        job_id="",
        reason="new",
        create_time=NOW + DAY,
        expire_time=FAR_FUTURE - DAY,
    )

    added = await suppressions.add_one(suppression)

    rows = {row["_id"]: row for row in raw["suppressions"].find()}
    changed = {(rows[each]["reason"], rows[each]["until"]) for each in SPELLINGS[:2]}
    assert (added.address, added.create_time) == ("boss@example.org", NOW)
    assert changed == {("new", FAR_FUTURE - DAY)}
    assert {rows[each]["until"] for each in OTHERS} == {FAR_FUTURE}
    assert not await suppressions.find_active(SPELLINGS, now=FAR_FUTURE - DAY)


async def test_remove_deletes_every_spelling_and_returns_the_requested_one(
    suppressions: MongoSuppressions, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_one(
        an_unfolded_suppression("BOSS@example.org", until=FAR_FUTURE + DAY)
    )
    for address in ("Boss@example.org", *OTHERS):
        await suppressions.add_one(a_suppression(address=address, expire_time=FAR_FUTURE))
    raw["suppressions"].insert_one(an_unfolded_suppression("boss@example.org"))

    removed = await suppressions.remove("boss@example.org", now=NOW)

    assert removed is not None
    assert removed.address == "boss@example.org"
    assert {row["_id"] for row in raw["suppressions"].find()} == set(OTHERS)
    assert await suppressions.remove("boss@example.org", now=NOW) is None


async def test_lists_show_each_spelling_as_it_was_written(suppressions: MongoSuppressions) -> None:
    for address in SPELLINGS:
        await suppressions.add_one(a_suppression(address=address, expire_time=FAR_FUTURE))

    page = await suppressions.read_page("", most=10, now=NOW)

    assert [each.address for each in page] == sorted(SPELLINGS)


@pytest.mark.parametrize("is_hidden", [False, True], ids=["missing", "hidden"])
async def test_reads_by_address_work_without_the_index(
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
    listing = JobListQuery(filter=JobFilter(email=address), order=order)
    after, found = None, list[str]()
    while True:
        page = await MongoJobList(mongo=mongo).read_page(listing, after, most=most, is_full=False)
        found += [job.email for job in page.jobs]
        after = page.next_cursor
        if after is None:
            return found


def rows_of_two_versions() -> Iterator[Row]:
    """Make jobs to three spellings and to others, in turn folded and as an older version."""
    for number, email in enumerate((*SPELLINGS, *OTHERS) * 4):
        yield an_unfolded_job(number, email) if number % 2 else a_new_job(number, email)


@pytest.mark.parametrize("order", ALLOWED_ORDERS["email",])
@pytest.mark.parametrize("address", SPELLINGS)
async def test_jobs_are_listed_and_counted_by_address_in_any_spelling_and_order(
    mongo: Mongo, jobs: Collection[Row], address: str, order: JobOrder
) -> None:
    rows = list(rows_of_two_versions())
    jobs.insert_many([*rows, an_unfolded_job(98, {"a": 1}), an_unfolded_job(99, None)])
    jobs.database.command("insert", "jobs", documents=[a_non_utf8_row("email")])
    expected = [row["email"] for row in rows if row["email"] in SPELLINGS]

    found = await list_addresses(mongo, address, order)
    count = await MongoJobList(mongo=mongo).count(JobFilter(email=address), most=100)

    assert found == (expected[::-1] if order is JobOrder.CREATE_TIME_DESC else expected)
    assert count == len(expected)


async def test_claimed_jobs_are_found_by_address_in_any_spelling(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    changes = MongoJobChanges(mongo=mongo, retention=DAY)
    for number, spelling in enumerate((*SPELLINGS, *OTHERS, "ZOË@example.org")):
        claimed = encode(a_claimed_job(id=f"{number}", dedup_key=f"{number}", email=spelling))
        jobs.insert_one(claimed if number % 2 else {**claimed, "folded": None})

    assert {job.email for job in await changes.find_claimed("bOsS@example.org")} == set(SPELLINGS)
    assert [job.id for job in await changes.find_claimed("zoë@example.org")] == ["7"]
