"""Audit entries. Oracle: what the driver finds in the collection."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.audit import MongoAudit, build_query, encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.domain.audit import AuditEntry, AuditFilter, AuditOutcome
from gcsched.domain.ids import new_id
from tests.support.audits import read_entries
from tests.support.builders import NOW
from tests.support.mongo_profile import stages
from tests.support.rows import Row

MINUTE = timedelta(minutes=1)
ENTRY = AuditEntry(
    id=new_id(NOW),
    time=NOW,
    client="payroll",
    via="grpc",
    method="CancelJobs",
    details="state=SCHEDULED",
    subjects=("a digest",),
)
DONE = replace(ENTRY, outcome=AuditOutcome.DONE, count=3, end_time=NOW + MINUTE)


@pytest.fixture
def audit(mongo: Mongo) -> MongoAudit:
    return MongoAudit(mongo=mongo)


def an_entry(minute: int, **others: Any) -> AuditEntry:
    moment = NOW + minute * MINUTE
    return replace(ENTRY, id=new_id(moment), time=moment, **others)


async def list_entries(audit: MongoAudit, **fields: Any) -> list[AuditEntry]:
    entry_filter = replace(AuditFilter(), **fields)
    return list((await audit.read_page(entry_filter, "", most=50)).entries)


async def test_an_entry_is_stored_before_its_end_and_completed_after_it(
    audit: MongoAudit, raw: Database[Row]
) -> None:
    await audit.insert(ENTRY)
    await audit.insert(ENTRY)  # as after an error
    begun: Row = {
        "_id": ENTRY.id,
        "at": NOW,
        "who": "payroll",
        "via": "grpc",
        "act": "CancelJobs",
        "details": "state=SCHEDULED",
        "subjects": ["a digest"],
        "outcome": "STARTED",
        "delete_after": NOW + timedelta(days=400),
    }
    assert read_entries(raw) == [begun]

    await audit.complete([DONE])

    end = {"outcome": "DONE", "changed": 3, "error": "", "ended": NOW + MINUTE}
    assert read_entries(raw) == [begun | end]
    assert await list_entries(audit) == [DONE]


async def test_the_end_of_an_entry_that_was_not_stored_stores_none(
    audit: MongoAudit, raw: Database[Row]
) -> None:
    await audit.complete([DONE])

    assert read_entries(raw) == []


async def test_entries_are_listed_by_time_client_and_subject_page_by_page(
    audit: MongoAudit,
) -> None:
    entries = [
        an_entry(1),
        an_entry(2, client="payroll", subjects=("one", "other")),
        an_entry(3, client="ops", subjects=("one",)),
        an_entry(4, client="ops", subjects=()),
    ]
    for entry in entries:
        await audit.insert(entry)
    first, second, third, fourth = entries

    assert await list_entries(audit) == [fourth, third, second, first]
    assert await list_entries(audit, client="payroll") == [second, first]
    assert await list_entries(audit, subjects=("one", "other")) == [third, second]
    assert await list_entries(audit, subjects=("one",), client="ops") == [third]
    between: dict[str, Any] = {"from_time": second.time, "before_time": fourth.time}
    assert await list_entries(audit, **between) == [third, second]

    everything = AuditFilter()
    page = await audit.read_page(everything, "", most=3)
    rest = await audit.read_page(everything, page.next_after, most=3)
    assert (page.entries, rest.entries, rest.next_after) == ((fourth, third, second), (first,), "")
    in_time = replace(everything, before_time=third.time)
    assert (await audit.read_page(in_time, fourth.id, most=1)).entries == (second,)


@pytest.mark.parametrize("field", ["at", "who", "subjects", "outcome", "changed", "ended"])
@pytest.mark.parametrize("value", [None, 7.5, "x", [], {"a": 1}, -1])
async def test_a_damaged_entry_is_listed_with_what_can_be_read(
    audit: MongoAudit, raw: Database[Row], field: str, value: object
) -> None:
    await audit.insert(ENTRY)
    raw["audit"].update_one({}, {"$set": {field: value}})

    [entry] = await list_entries(audit)

    assert (entry.id, entry.method) == (ENTRY.id, "CancelJobs")


@pytest.mark.parametrize(
    "entry_filter",
    [
        AuditFilter(),
        AuditFilter(client="client-7"),
        AuditFilter(subjects=("subject-6", "subject-7")),
        AuditFilter(client="client-7", from_time=NOW, before_time=NOW + 800 * MINUTE),
    ],
    ids=str,
)
async def test_a_page_reads_only_what_it_returns(
    mongo: Mongo, raw: Database[Row], entry_filter: AuditFilter
) -> None:
    assert mongo.audit.name == "audit"
    entries = [
        an_entry(minute, client=f"client-{minute % 10}", subjects=(f"subject-{minute % 10}",))
        for minute in range(1_000)
    ]
    raw["audit"].insert_many([encode(entry) | {"_id": entry.id} for entry in entries])

    query, index = build_query(entry_filter, entries[900].id)
    found = raw["audit"].find(query, sort=[("_id", -1)], hint=index, limit=51)
    plan = found.explain()

    assert plan["executionStats"]["nReturned"] == 51
    assert plan["executionStats"]["totalKeysExamined"] <= 51 + 4
    assert plan["executionStats"]["totalDocsExamined"] == 51
    assert "SORT" not in stages(plan["executionStats"]["executionStages"])
