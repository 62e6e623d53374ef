"""Fill `folded` where it is missing. Oracle: what the driver finds in the collections."""

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


async def test_what_versions_before_have_stored_is_filled_in_all_collections(
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
    wanted = {f"user{n}@example.org" for n in range(2 * PAGE + 1)}
    assert set(read_folds(raw["jobs"]).values()) == wanted


async def test_filling_changes_nothing_else(
    folding: MongoAddressFolding, jobs: Collection[Row]
) -> None:
    before = an_unfolded_job(1, "Boss@example.org", state="SENDING", claim="c", begun=NOW)
    jobs.insert_one(before)

    await fold_all(folding)

    assert list(jobs.find()) == [before | {"folded": "boss@example.org"}]


async def test_jobs_that_cannot_be_read_are_passed_by_and_stop_no_other(
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


async def test_a_collection_whose_rule_forbids_the_field_is_told_and_passed_by(
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


async def test_an_address_that_changes_between_look_and_write_is_not_overwritten(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_one(an_unfolded_job(1, "Boss@example.org"))

    class ErasedMeanwhile(MongoAddressFolding):
        """Something erases the job right after it was looked at."""

        async def _read_page(self, *arguments: Any) -> list[Row]:
            page = await super()._read_page(*arguments)
            jobs.update_one({}, {"$set": {"email": ""}})
            return page

    page = await ErasedMeanwhile(mongo=mongo).fill(AddressStore.JOBS, "", most=100)

    assert page == FoldedPage(count=0, failed=0, last=None)
    assert [row.get("folded") for row in jobs.find()] == [None]


async def test_what_is_filled_is_looked_at_no_more(
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


async def test_two_processes_fill_at_once(
    mongo: Mongo, another_mongo: Mongo, jobs: Collection[Row]
) -> None:
    jobs.insert_many([an_unfolded_job(n, f"User{n}@example.org") for n in range(700)])

    await asyncio.gather(
        *(fold_all(MongoAddressFolding(mongo=each)) for each in (mongo, another_mongo))
    )

    assert set(read_folds(jobs).values()) == {f"user{n}@example.org" for n in range(700)}


@pytest.mark.parametrize("is_hidden", [False, True], ids=["missing", "hidden"])
async def test_without_its_index_it_reads_nothing_and_goes_on_once_it_is_there(
    mongo: Mongo, folding: MongoAddressFolding, raw: Database[Row], *, is_hidden: bool
) -> None:
    raw["jobs"].insert_many([an_unfolded_job(n, f"User{n}@example.org") for n in range(20)])
    raw["suppressions"].insert_one(an_unfolded_suppression("Boss@example.org"))
    going, nudged = Folding(store=folding), list[str]()
    mongo.refusals.on_missing_index = lambda: nudged.append("look at the indexes")
    for name in ("folded_id", "email_folded"):
        if is_hidden:
            raw.command("collMod", "jobs", index={"name": name, "hidden": True})
        else:
            raw["jobs"].drop_index(name)

    profile = await profile_commands(mongo, raw, lambda _: going.fold())
    before = set(read_folds(raw["jobs"]).values())
    for name in ("folded_id", "email_folded"):
        if is_hidden:
            raw.command("collMod", "jobs", index={"name": name, "hidden": False})
    await mongo.prepare()
    await going.fold()

    of_jobs = [each for each in profile if each["ns"].endswith(".jobs")]
    assert sum(each.get("docsExamined", 0) for each in of_jobs) == 0
    assert before == {"missing"}
    assert set(nudged) == {"look at the indexes"}
    assert mongo.refusals.problem is None
    assert read_folds(raw["suppressions"]) == {"Boss@example.org": "boss@example.org"}
    assert all(each.startswith("user") for each in read_folds(raw["jobs"]).values())


async def test_a_recipient_whose_address_a_process_of_the_version_before_changes_is_put_right(
    mongo: Mongo, folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    """It sets the address and leaves alone what it does not know."""
    await MongoRecipients(mongo=mongo).save([a_job(email="Ada@example.org")])
    assert read_folds(raw["recipients"]) == {"E1": "ada@example.org"}
    raw["recipients"].update_one({"_id": "E1"}, {"$set": {"email": "Zoë@example.org"}})

    await fold_all(folding)

    assert read_folds(raw["recipients"]) == {"E1": "zoë@example.org"}


async def test_a_suppression_that_was_replaced_or_spoilt_is_put_right(
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


async def test_checking_goes_through_all_page_by_page(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    wrong = {f"E{n:04}": an_old_recipient(f"E{n:04}", f"U{n}@x.org") for n in range(PAGE + 10)}
    raw["recipients"].insert_many([each | {"folded": "stale"} for each in wrong.values()])
    going = Folding(store=folding)

    await going.fold()
    first = list(read_folds(raw["recipients"]).values()).count("stale")
    await going.fold()
    second = list(read_folds(raw["recipients"]).values()).count("stale")

    assert (first, second) == (10, 0)


async def test_checking_begins_anew_once_a_process_of_the_version_before_has_stored_a_job(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    raw["recipients"].insert_one(an_old_recipient("E1", "Ada@x.org"))
    going = Folding(store=folding)
    await going.fold()
    await going.fold()
    await going.fold()

    raw["jobs"].insert_one(an_unfolded_job(1, "New@x.org"))
    await going.fold()
    raw["recipients"].update_one({"_id": "E1"}, {"$set": {"email": "New@x.org"}})
    await going.fold()

    assert read_folds(raw["recipients"]) == {"E1": "new@x.org"}


async def test_erasing_leaves_no_folded_address(mongo: Mongo, raw: Database[Row]) -> None:
    ended = {"state": State.SENT.value}
    rows = [
        an_unfolded_job(1, "Ada@example.org", **ended),
        an_unfolded_job(2, "ADA@example.org", **ended),
    ]
    raw["jobs"].insert_many([rows[0], rows[1] | {"folded": "ada@example.org"}])

    await MongoPersonalData(mongo=mongo).erase_jobs("E1", after="", most=10, now=NOW)

    assert list(read_folds(raw["jobs"]).values()) == ["", ""]
    assert "ada@" not in str(list(raw["jobs"].find())).lower()


async def test_what_a_process_of_the_version_before_erases_is_erased_whole(
    mongo: Mongo, folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    """It empties the address and leaves alone what it does not know."""
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


async def test_erased_jobs_of_versions_before_are_not_met_again_and_again(
    folding: MongoAddressFolding, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([an_unfolded_job(n, "") for n in range(3)])

    first = await folding.fill(AddressStore.JOBS, "", most=10)
    second = await folding.fill(AddressStore.JOBS, "", most=10)

    assert first == FoldedPage(count=3, failed=0, last=None)
    assert second == FoldedPage(count=0, failed=0, last=None)
