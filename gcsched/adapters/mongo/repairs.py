"""Repairs of states that the code never writes: left by a backup, an operator or a defect."""

from datetime import UTC, datetime
from typing import Any

from gcsched.adapters.mongo.claims import LEASE_END
from gcsched.adapters.mongo.connection import Collection as Jobs
from gcsched.adapters.mongo.index_names import BY_CLAIM, BY_ID, BY_STATE_AND_DUE
from gcsched.adapters.mongo.quarantine import CLAIM_OR_PLACEHOLDER
from gcsched.domain.job import State

Query = dict[str, Any]

NEVER = datetime(2200, 1, 1, tzinfo=UTC)  # a later lease never expires

SENDING = {"state": State.SENDING.value}
NOT_SENDING = {"state": {"$in": [state.value for state in State if state is not State.SENDING]}}
NO_CLAIM = {"claim": {"$not": {"$type": "string"}}}
NO_LEASE = {"lease": {"$not": {"$type": "date"}}}
UNHELD = {**SENDING, "$or": [NO_CLAIM, NO_LEASE]}


async def lease_unheld(jobs: Jobs, most: int) -> int:
    """Write a claim and a lease into SENDING jobs that lack one, so that they become orphans.

    They are not taken back here: a process may still be sending them, and renews that lease then.
    """
    return await reset_leases(jobs, UNHELD, most)


async def reset_endless_leases(jobs: Jobs, most: int) -> int:
    """Reset leases that never expire: the process that holds them may have died."""
    return await reset_leases(jobs, {**SENDING, "lease": {"$gt": NEVER}}, most)


async def reset_leases(jobs: Jobs, query: Query, most: int) -> int:
    ids = await find_ids(jobs, query, BY_STATE_AND_DUE, most)
    if not ids:
        return 0
    change = [{"$set": {"claim": CLAIM_OR_PLACEHOLDER, "lease": LEASE_END}}]
    result = await jobs.update_many({"_id": {"$in": ids}, **query}, change, hint=BY_ID)
    return result.modified_count


async def release_stale_claims(jobs: Jobs, most: int) -> int:
    """Remove claim and lease from jobs that are not SENDING.

    A lease without a claim is left alone: nothing reads it, and the next claim replaces it.
    """
    query = {"claim": {"$exists": True}, **NOT_SENDING}
    ids = await find_ids(jobs, query, BY_CLAIM, most)
    if not ids:
        return 0
    change = {"$unset": dict.fromkeys(("claim", "lease", "begun"), "")}
    return (
        await jobs.update_many({"_id": {"$in": ids}, **query}, change, hint=BY_ID)
    ).modified_count


async def find_ids(jobs: Jobs, query: Query, index: str, most: int) -> list[str]:
    cursor = jobs.find(query, {"_id": 1}, hint=index).limit(most)
    return [document["_id"] async for document in cursor]
