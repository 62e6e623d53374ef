"""Put right what the code never writes: a restored backup, a hand or a defect has left it."""

from collections.abc import Collection
from typing import Any

import structlog

from gcsched.adapters.mongo.claims import LEASE_END
from gcsched.adapters.mongo.connection import Collection as Jobs
from gcsched.adapters.mongo.documents import BY_CLAIM, BY_ID, BY_LEASE, BY_STATE_AND_DUE
from gcsched.domain.job import State

Query = dict[str, Any]

NOBODY = "nobody"
ASIDE_MS = 600_000
MOST_NAMES, LONGEST_NAME, MOST_COUNTED = 10, 64, 10_000

SENDING = {"state": State.SENDING.value}
NOT_SENDING = {"state": {"$in": [state.value for state in State if state is not State.SENDING]}}
NO_CLAIM = {"claim": {"$not": {"$type": "string"}}}
NO_LEASE = {"lease": {"$not": {"$type": "date"}}}
HELD_BY_NOBODY = {**SENDING, "$or": [NO_CLAIM, NO_LEASE]}
CLAIM_OR_NOBODY = {"$cond": [{"$eq": [{"$type": "$claim"}, "string"]}, "$claim", NOBODY]}


async def lease_what_nobody_holds(jobs: Jobs, most: int) -> int:
    """Give SENDING jobs that lack claim or lease both, so that they end as orphans do.

    Not taken back here: somebody may be sending it still, and then renews that lease.
    """
    ids = await found(jobs, HELD_BY_NOBODY, BY_STATE_AND_DUE, most)
    if not ids:
        return 0
    change = [{"$set": {"claim": CLAIM_OR_NOBODY, "lease": LEASE_END}}]
    answer = await jobs.update_many({"_id": {"$in": ids}, **HELD_BY_NOBODY}, change, hint=BY_ID)
    return answer.modified_count


async def release_what_is_not_sent(jobs: Jobs, most: int) -> int:
    """Take claim and lease from jobs that wait or have ended: each sweep would find them."""
    count = 0
    for name, index in (("lease", BY_LEASE), ("claim", BY_CLAIM)):
        ids = await found(jobs, {name: {"$exists": True}, **NOT_SENDING}, index, most)
        if ids:
            change = {"$unset": dict.fromkeys(("claim", "lease", "begun"), "")}
            query = {"_id": {"$in": ids}, **NOT_SENDING}
            count += (await jobs.update_many(query, change, hint=BY_ID)).modified_count
    return count


async def set_aside(jobs: Jobs, ids: Collection[str], lease_over: Query) -> None:
    """Look at these again in ten minutes: unreadable ones must not hide the others."""
    lease = {"$add": ["$$NOW", ASIDE_MS]}
    query = {"_id": {"$in": list(ids)}, **SENDING, **lease_over}
    await jobs.update_many(query, [{"$set": {"lease": lease}}], hint=BY_ID)


async def tell_unknown_states(jobs: Jobs) -> None:
    """Warn of jobs whose state is none of ours; what they should be, nobody here knows."""
    states = await jobs.distinct("state")
    unknown = [state for state in states if state not in set(State)][:MOST_NAMES]
    if not unknown:
        return
    counts = {
        str(state)[:LONGEST_NAME]: await jobs.count_documents(
            {"state": state}, hint=BY_STATE_AND_DUE, limit=MOST_COUNTED
        )
        for state in unknown
    }
    structlog.get_logger().warning("jobs in unknown states", jobs=counts)


async def found(jobs: Jobs, query: Query, index: str, most: int) -> list[str]:
    cursor = jobs.find(query, {"_id": 1}, hint=index).limit(most)
    return [document["_id"] async for document in cursor]
