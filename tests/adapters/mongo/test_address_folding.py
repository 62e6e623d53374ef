"""The filling of `folded`. Oracle: what the driver finds in the collections."""

import asyncio
from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from gcsched.adapters.mongo.address_folding import MongoAddressFolding
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.domain.job import State
from gcsched.usecases.ports import AddressStore, FoldedPage
from gcsched.usecases.recovery.folding import Folding
from tests.support.builders import NOW, a_job
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row
from tests.support.unfolded_rows import a_non_utf8_row, an_unfolded_job, an_unfolded_suppression

PAGE = 500


@pytest.fixture
def folding(mongo: Mongo) -> MongoAddressFolding:
    return MongoAddressFolding(mongo=mongo)


async def fold_all(store: MongoAddressFolding) -> None:
    await Folding(store=store).fold()


def read_folds(rows: Collection[Row]) -> dict[Any, Any]:
    return {row["_id"]: row.get("folded", "missing") for row in rows.find()}


def an_old_recipient(empid: str, email: str) -> Row:
    seen = {"first_seen": NOW, "last_seen": NOW}
    return {"_id": empid, "name": "Ada", "email": email, "accepted": 1, **seen}


async def test_fill_folds_the_addresses_of_older_documents_in_all_collections(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    raw["suppressions"].insert_many(
        map(an_unfolded_suppression, ["Boss@example.org", "ZOË@example.org"])
    )
    raw["recipients"].insert_one(an_old_recipient("E1", "Ada@example.org"))
    raw["jobs"].insert_many(
        [an_unfolded_job(n, f"User{n}@example.org") for n in range(2 * PAGE + 1)]
    )

    await fold_all(folding)

    assert read_folds(raw["suppressions"]) == {
        "Boss@example.org": "boss@example.org",
        "ZOË@example.org": "zoë@example.org",
    }
    assert read_folds(raw["recipients"]) == {"E1": "ada@example.org"}
    expected = {f"user{n}@example.org" for n in range(2 * PAGE + 1)}
    assert set(read_folds(raw["jobs"]).values()) == expected


async def test_fill_changes_no_other_field(
    folding: MongoAddressFolding, jobs: Collection[Row]
) -> None:
    before = an_unfolded_job(1, "Boss@example.org", state="SENDING", claim="c", begun=NOW)
    jobs.insert_one(before)

    await fold_all(folding)

    assert list(jobs.find()) == [before | {"folded": "boss@example.org"}]


async def test_fill_skips_unreadable_jobs(
    folding: MongoAddressFolding, jobs: Collection[Row]
) -> None:
    odd: list[object] = [{"a": 1}, None, 7, ["Boss@example.org"]]
    jobs.insert_many([an_unfolded_job(number, email) for number, email in enumerate(odd)])
    jobs.insert_one({"_id": 7, "email": "odd@example.org"})
    jobs.database.command("insert", "jobs", documents=[a_non_utf8_row("email")])
    jobs.insert_one(an_unfolded_job(9, "Boss@example.org"))

    page = await folding.fill(AddressStore.JOBS, "", most=100)
    again = await folding.fill(AddressStore.JOBS, "", most=100)

    assert page == FoldedPage(count=1, failed=len(odd) + 1, last=None)
    assert again == FoldedPage(count=0, failed=len(odd) + 1, last=None)


async def test_fill_counts_documents_that_a_validation_rule_protects_as_failed(
    folding: MongoAddressFolding, jobs: Collection[Row]
) -> None:
    jobs.insert_many([an_unfolded_job(n, f"{n}@example.org") for n in range(3)])
    rule = {"$or": [{"email": {"$ne": "1@example.org"}}, {"folded": {"$exists": False}}]}
    jobs.database.command("collMod", "jobs", validator=rule)
    try:
        page = await folding.fill(AddressStore.JOBS, "", most=100)
    finally:
        jobs.database.command("collMod", "jobs", validator={})

    assert page == FoldedPage(count=2, failed=1, last=None)


async def test_fill_does_not_overwrite_an_address_that_changed_after_the_read(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_one(an_unfolded_job(1, "Boss@example.org"))

    class ErasedMeanwhile(MongoAddressFolding):
        """Something erases the job right after it was read."""

        async def _read_page(self, *arguments: Any) -> list[Row]:
            page = await super()._read_page(*arguments)
            jobs.update_one({}, {"$set": {"email": ""}})
            return page

    page = await ErasedMeanwhile(mongo=mongo).fill(AddressStore.JOBS, "", most=100)

    assert page == FoldedPage(count=0, failed=0, last=None)
    assert [row.get("folded") for row in jobs.find()] == [None]


async def test_fill_does_not_read_documents_that_are_filled(
    mongo: Mongo, folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([an_unfolded_job(n, f"{n}@example.org") for n in range(100)])
    await fold_all(folding)

    profile = await profile_commands(
        mongo, raw, lambda _: folding.fill(AddressStore.JOBS, "", most=PAGE)
    )

    [done] = profile
    assert done["docsExamined"] == 0
    assert not {"COLLSCAN", "SORT"} & set(stages(done["execStats"]))


async def test_two_processes_can_fill_at_the_same_time(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many([an_unfolded_job(n, f"User{n}@example.org") for n in range(700)])

    await asyncio.gather(
        *(fold_all(MongoAddressFolding(mongo=each)) for each in (mongo, another_mongo))
    )

    assert set(read_folds(jobs).values()) == {f"user{n}@example.org" for n in range(700)}


@pytest.mark.parametrize("is_hidden", [False, True], ids=["missing", "hidden"])
async def test_fill_reads_nothing_until_its_index_exists(
    mongo: Mongo, folding: MongoAddressFolding, raw: Database[Row], *, is_hidden: bool
) -> None:
    raw["jobs"].insert_many([an_unfolded_job(n, f"User{n}@example.org") for n in range(20)])
    raw["suppressions"].insert_one(an_unfolded_suppression("Boss@example.org"))
    all_folding, nudged = Folding(store=folding), list[str]()
    mongo.refusals.on_missing_index = lambda: nudged.append("check the indexes")
    for name in ("folded_id", "email_folded"):
        if is_hidden:
            raw.command("collMod", "jobs", index={"name": name, "hidden": True})
        else:
            raw["jobs"].drop_index(name)

    profile = await profile_commands(mongo, raw, lambda _: all_folding.fold())
    before = set(read_folds(raw["jobs"]).values())
    for name in ("folded_id", "email_folded"):
        if is_hidden:
            raw.command("collMod", "jobs", index={"name": name, "hidden": False})
    await mongo.prepare()
    await all_folding.fold()

    job_commands = [each for each in profile if each["ns"].endswith(".jobs")]
    assert sum(each.get("docsExamined", 0) for each in job_commands) == 0
    assert before == {"missing"}
    assert set(nudged) == {"check the indexes"}
    assert mongo.refusals.problem is None
    assert read_folds(raw["suppressions"]) == {"Boss@example.org": "boss@example.org"}
    assert all(each.startswith("user") for each in read_folds(raw["jobs"]).values())


async def test_check_corrects_a_recipient_that_the_previous_version_changed(
    mongo: Mongo, folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    """It sets the address and does not know the other field."""
    await MongoRecipients(mongo=mongo).save([a_job(email="Ada@example.org")])
    assert read_folds(raw["recipients"]) == {"E1": "ada@example.org"}
    raw["recipients"].update_one({"_id": "E1"}, {"$set": {"email": "Zoë@example.org"}})

    await fold_all(folding)

    assert read_folds(raw["recipients"]) == {"E1": "zoë@example.org"}


async def test_check_corrects_a_suppression_that_was_replaced_or_damaged(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    rows = raw["suppressions"]
    rows.insert_many(
        [
            an_unfolded_suppression("Boss@example.org", folded=7),
            an_unfolded_suppression("BOSS@x.org", folded="x"),
        ]
    )

    await fold_all(folding)

    assert read_folds(rows) == {"Boss@example.org": "boss@example.org", "BOSS@x.org": "boss@x.org"}


async def test_check_goes_through_a_collection_page_by_page(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    wrong = {f"E{n:04}": an_old_recipient(f"E{n:04}", f"U{n}@x.org") for n in range(PAGE + 10)}
    raw["recipients"].insert_many([each | {"folded": "stale"} for each in wrong.values()])
    all_folding = Folding(store=folding)

    await all_folding.fold()
    first = list(read_folds(raw["recipients"]).values()).count("stale")
    await all_folding.fold()
    second = list(read_folds(raw["recipients"]).values()).count("stale")

    assert (first, second) == (10, 0)


async def test_check_starts_again_once_the_previous_version_has_stored_a_job(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    raw["recipients"].insert_one(an_old_recipient("E1", "Ada@x.org"))
    all_folding = Folding(store=folding)
    await all_folding.fold()
    await all_folding.fold()
    await all_folding.fold()

    raw["jobs"].insert_one(an_unfolded_job(1, "New@x.org"))
    await all_folding.fold()
    raw["recipients"].update_one({"_id": "E1"}, {"$set": {"email": "New@x.org"}})
    await all_folding.fold()

    assert read_folds(raw["recipients"]) == {"E1": "new@x.org"}


async def test_erasing_a_job_empties_its_folded_address(mongo: Mongo, raw: Database[Row]) -> None:
    ended = {"state": State.SENT.value}
    rows = [
        an_unfolded_job(1, "Ada@example.org", **ended),
        an_unfolded_job(2, "ADA@example.org", **ended),
    ]
    raw["jobs"].insert_many([rows[0], rows[1] | {"folded": "ada@example.org"}])

    await MongoPersonalData(mongo=mongo).erase_jobs("E1", after="", most=10, now=NOW)

    assert list(read_folds(raw["jobs"]).values()) == ["", ""]
    assert "ada@" not in str(list(raw["jobs"].find())).lower()


async def test_a_job_erased_by_the_previous_version_loses_its_folded_address(
    mongo: Mongo, folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    """It empties the address and does not know the other field."""
    raw["jobs"].insert_many(
        [an_unfolded_job(n, "", folded="ada@example.org") for n in range(PAGE + 1)]
        + [
            an_unfolded_job(9_000, "", folded=""),
            an_unfolded_job(9_001, "Ada@x.org", folded="ada@x.org"),
        ]
    )

    async def use(_: Mongo) -> None:
        await fold_all(folding)

    await fold_all(folding)
    profile = await profile_commands(mongo, raw, use)

    left = [each for each in read_folds(raw["jobs"]).values() if each]
    assert left == ["ada@x.org"]
    assert sum(each.get("docsExamined", 0) for each in profile) == 0


async def test_fill_reads_erased_jobs_of_older_versions_only_once(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([an_unfolded_job(n, "") for n in range(3)])

    first = await folding.fill(AddressStore.JOBS, "", most=10)
    second = await folding.fill(AddressStore.JOBS, "", most=10)

    assert first == FoldedPage(count=3, failed=0, last=None)
    assert second == FoldedPage(count=0, failed=0, last=None)
