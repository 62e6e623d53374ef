"""The write of user details. Oracle: what the driver finds in the collection."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import AutoReconnect
from structlog.testing import capture_logs

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.recipient_writer import MongoRecipients
from gcsched.adapters.mongo.recipients import MongoPersonalData
from gcsched.errors import StoreUnavailable
from tests.support.builders import NOW, a_job
from tests.support.clocks import DAY
from tests.support.poisons import VALUES, forbid_changes
from tests.support.rows import Row

WITHOUT_SAVES = {"saves": 0, "other_saves": 0}
ADA = {
    "_id": "E1",
    "name": "Ada",
    "email": "ada@example.org",
    "folded": "ada@example.org",
    "first_seen": NOW,
    "last_seen": NOW,
    "accepted": 1,
}


def read_recipients(raw: Database[Row]) -> list[Row]:
    """Read the recipients without the lists of counted saves."""
    return list(raw["recipients"].find({}, WITHOUT_SAVES))


@pytest.fixture
def recipients(mongo: Mongo) -> MongoRecipients:
    return MongoRecipients(mongo=mongo)


async def test_a_new_employee_is_stored(recipients: MongoRecipients, raw: Database[Row]) -> None:
    await recipients.save([a_job()])

    assert read_recipients(raw) == [ADA]


async def test_the_latest_name_and_address_are_stored_and_every_job_is_counted(
    recipients: MongoRecipients, raw: Database[Row]
) -> None:
    await recipients.save([a_job()])

    married = {"name": "Ada King", "email": "King@example.org"}
    await recipients.save(
        [a_job(create_time=NOW + DAY), a_job(create_time=NOW + 2 * DAY, **married)]
    )

    assert read_recipients(raw) == [
        ADA | married | {"folded": "king@example.org", "last_seen": NOW + 2 * DAY, "accepted": 3}
    ]


async def test_two_replicas_that_store_a_new_employee_at_once_count_both_jobs(
    mongo: Mongo, another_mongo: Mongo, raw: Database[Row]
) -> None:
    everyone = [a_job(empid=f"E{number}") for number in range(30)]
    both = [MongoRecipients(mongo=mongo), MongoRecipients(mongo=another_mongo)]

    await asyncio.gather(*[each.save(everyone) for each in both])

    counts = {row["_id"]: row["accepted"] for row in raw["recipients"].find()}
    assert counts == {f"E{number}": 2 for number in range(30)}


async def test_first_and_last_seen_do_not_depend_on_the_order_of_saves(
    recipients: MongoRecipients, raw: Database[Row]
) -> None:
    """A replica that waited for MongoDB saves an older job later."""
    await recipients.save([a_job(create_time=NOW + DAY)])

    await recipients.save([a_job()])

    [row] = raw["recipients"].find()
    assert (row["first_seen"], row["last_seen"]) == (NOW, NOW + DAY)


async def test_the_number_of_remembered_saves_is_limited(
    recipients: MongoRecipients, mongo: Mongo, raw: Database[Row]
) -> None:
    for _ in range(30):
        await recipients.save([a_job()])
        await MongoRecipients(mongo=mongo).save([a_job()])  # a process that lives for one save

    [row] = raw["recipients"].find()
    assert row["accepted"] == 60
    assert len(row["saves"]) + len(row.get("other_saves", [])) <= 40


class Unconfirmed:
    """A collection that writes and loses the confirmation."""

    def __init__(self, collection: Any) -> None:
        self.collection = collection

    async def bulk_write(self, *args: Any, **options: Any) -> None:
        await self.collection.bulk_write(*args, **options)
        raise AutoReconnect

    def find(self, *args: Any, **options: Any) -> Any:
        return self.collection.find(*args, **options)


@pytest.mark.parametrize("before", [0, 1])
async def test_a_save_repeated_late_is_counted_once_despite_many_other_saves(
    recipients: MongoRecipients, another_mongo: Mongo, raw: Database[Row], before: int
) -> None:
    """Another process saves every 200 ms, for longer than the 15 s that a repetition may take."""
    other = MongoRecipients(mongo=another_mongo)
    for _ in range(before):
        await recipients.save([a_job(id="earlier")])
    unconfirmed_jobs, whole = [a_job(id="job-1")], recipients.mongo
    unconfirmed: Any = Unconfirmed(whole.recipients)
    recipients.mongo = replace(whole, recipients=unconfirmed)
    with pytest.raises(StoreUnavailable):
        await recipients.save(unconfirmed_jobs)
    for number in range(80):
        await other.save([a_job(id=f"other-{number}")])

    recipients.mongo = whole
    await recipients.save(unconfirmed_jobs)

    [row] = raw["recipients"].find()
    assert row["accepted"] == 81 + before


@pytest.mark.parametrize(
    "field", ["accepted", "first_seen", "last_seen", "name", "saves", "other_saves"]
)
async def test_damaged_recipients_do_not_stop_others(
    recipients: MongoRecipients, raw: Database[Row], field: str
) -> None:
    for kind, value in VALUES.items():
        if kind != "missing":
            raw["recipients"].insert_one(ADA | {"_id": kind, field: value})

    await recipients.save([a_job(empid=kind) for kind in [*VALUES, "good"]])

    good = raw["recipients"].find_one({"_id": "good"}, WITHOUT_SAVES)
    assert good == ADA | {"_id": "good"}
    assert raw["recipients"].count_documents({"email": "ada@example.org"}) == len(VALUES) + 1
    for kind in VALUES:
        assert await MongoPersonalData(mongo=recipients.mongo).find_recipient(kind)


async def test_a_recipient_that_cannot_be_changed_is_skipped_and_logged_by_its_job(
    recipients: MongoRecipients, raw: Database[Row]
) -> None:
    raw["recipients"].insert_one({"_id": "full"})

    with forbid_changes(raw["recipients"], "full"), capture_logs() as logs:
        await recipients.save([a_job(id="job-2", empid="full"), a_job(empid="E1")])

    assert raw["recipients"].find_one({"_id": "E1"}, WITHOUT_SAVES) == ADA
    assert [(log["event"], log["latest_jobs"]) for log in logs] == [
        ("user details not stored", ["job-2"])
    ]
