"""Every statement uses an index (P8). Oracle: the server's own profile of the adapters."""

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.claims import MongoClaims
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from tests.support.builders import a_job
from tests.support.index_statements import (
    CLAIMED,
    NOW,
    USES,
    all_rows,
    begin,
    claim,
    conclude_orphans,
    repair,
    rows_with_keys,
    suppression_rows,
    urgent_rows,
)
from tests.support.mongo_profile import Use, profile_commands, stages
from tests.support.rows import Row


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    return new_mongo_uri


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
async def test_every_statement_reads_only_what_it_needs_by_index(
    mongo: Mongo, raw: Database[Row], use: Use
) -> None:
    raw["jobs"].insert_many([*all_rows(), *rows_with_keys(), *urgent_rows()])
    raw["suppressions"].insert_many(list(suppression_rows()))

    profile = await profile_commands(mongo, raw, use)

    assert profile, "nothing was profiled"
    assert [format_profile(each) for each in profile if is_wasteful(each)] == []


async def test_repair_reads_claimed_jobs_only(mongo: Mongo, raw: Database[Row]) -> None:
    raw["jobs"].insert_many(list(all_rows()))

    profile = await profile_commands(mongo, raw, repair)

    assert len(profile) == 3
    assert not [each for each in profile if {"COLLSCAN", "SORT"} & set(stages(each["execStats"]))]
    assert max(each["docsExamined"] for each in profile) <= CLAIMED
    assert max(each["keysExamined"] for each in profile) <= CLAIMED + 1


async def test_the_search_for_expired_leases_reads_claimed_jobs_only(
    mongo: Mongo, raw: Database[Row]
) -> None:
    raw["jobs"].insert_many([*all_rows(), *rows_with_keys(), *urgent_rows()])

    profile = await profile_commands(mongo, raw, conclude_orphans)

    [search] = [each for each in profile if each["op"] == "query"]
    assert not {"COLLSCAN", "SORT"} & set(stages(search["execStats"]))
    assert max(search["docsExamined"], search["keysExamined"]) <= CLAIMED + 1
    writes = [each for each in profile if each is not search]
    assert [format_profile(each) for each in writes if is_wasteful(each)] == []


async def test_a_plan_cached_for_an_empty_collection_is_not_used_later(
    mongo: Mongo, raw: Database[Row]
) -> None:
    """MongoDB caches the plan that won once, and among few jobs any index is as good."""
    for turn in range(5):
        raw["jobs"].insert_one(encode(a_job(id=f"early-{turn}", dedup_key=f"{turn}", due_time=NOW)))
        early = await MongoClaims(mongo=mongo).claim(f"early {turn}", 1, now=NOW)
        await MongoClaims(mongo=mongo).begin(
            f"early {turn}", [job.id for job in early.jobs], date=NOW
        )
    raw["jobs"].insert_many(list(all_rows()))

    profile = await profile_commands(mongo, raw, claim) + await profile_commands(mongo, raw, begin)

    assert [format_profile(each) for each in profile if is_wasteful(each)] == []


def is_wasteful(done: Row) -> bool:
    """Return whether a command scanned, sorted in memory, or read more than twice what it found."""
    # The profile of an aggregation has a summary only, such as "DISTINCT_SCAN { … }".
    plan = stages(done["execStats"]) if "execStats" in done else done["planSummary"].split()
    if {"COLLSCAN", "SORT"} & set(plan):
        return True
    found = count_found(done)
    return max(int(done["keysExamined"]), int(done["docsExamined"])) > 2 * found + 10


def count_found(done: Row) -> int:
    if "distinct" in done["command"]:
        return int(done["execStats"]["nReturned"])
    if done["op"] == "query" and done["ns"].endswith(".suppressions"):
        return len(done["command"]["filter"]["folded"]["$in"])  # a missing one is a result, too
    return int(done.get("nreturned", 0) + done.get("nMatched", 0))


def format_profile(done: Row) -> str:
    examined = (
        f"{done['keysExamined']} keys and {done['docsExamined']} documents for {count_found(done)}"
    )
    return f"{done['op']}: {' < '.join(stages(done['execStats']))}: {examined}"
