"""Claims: who may send a job now. Leases are set and judged by the server's clock."""

import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gcsched.adapters.mongo.codec import decoded
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_CLAIM, BY_ID, BY_STATE_AND_DUE
from gcsched.domain.job import CLAIMABLE, LEASE, State
from gcsched.usecases.ports import Batch

LEASE_END = {"$add": ["$$NOW", int(LEASE.total_seconds() * 1000)]}
STATES = [state.value for state in CLAIMABLE]
NOT_BEGUN = {"state": State.SENDING.value, "begun": {"$exists": False}}
WAS_TRIED = {"$gt": [{"$size": "$attempts"}, 0]}
RELEASED = {
    "state": {"$cond": [WAS_TRIED, State.RETRYING.value, State.SCHEDULED.value]},
    "since": "$$NOW",
    "version": {"$add": ["$version", 1]},
}
LOOK_AHEAD = 3
LATEST_CLAIM = timedelta(seconds=10)  # as long as a connection's silence is borne


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoClaims:
    mongo: Mongo

    async def claim(self, token: str, most: int, *, now: datetime) -> Batch:
        """Claim at most *most* due jobs under *token*, in three steps by index.

        Looks at more than it takes and takes some at random, so that replicas which look at the
        same moment do not all want the same jobs.
        """
        with store_errors("claiming due jobs"):
            due, looked_at = await self._due(most * LOOK_AHEAD, now)
            wanted = due if len(due) <= most else random.sample(due, most)
            if not wanted:
                return Batch(token=token, jobs=(), until=0.0, saw=0)
            until = time.monotonic() + LEASE.total_seconds()
            await self.mongo.jobs.update_many(
                {"_id": {"$in": wanted}, "state": {"$in": STATES}, **is_due(since=looked_at)},
                [{"$set": claimed(token)}],
                hint=BY_ID,
            )
            found = self.mongo.jobs.find({"claim": token}, hint=BY_CLAIM)
            documents = await found.to_list(most)
        jobs = [job for _, job in decoded(documents)]
        jobs.sort(key=lambda job: job.due)
        return Batch(token=token, jobs=tuple(jobs), until=until, saw=len(due))

    async def _due(self, most: int, now: datetime) -> tuple[list[str], datetime]:
        """Give ids, and the time of the look by the server's clock; *now* if it saw nothing."""
        query = {"state": {"$in": STATES}, "due": {"$lte": now}}
        found = self.mongo.jobs.find(query, {"_id": 1, "now": "$$NOW"})
        documents = await found.sort("due", 1).limit(most).hint(BY_STATE_AND_DUE).to_list(most)
        return [each["_id"] for each in documents], documents[0]["now"] if documents else now

    async def release(self, tokens: Sequence[str]) -> None:
        """Give back what was claimed under *tokens* and has not begun, as if it never had been."""
        with store_errors("releasing claims"):
            await self.mongo.jobs.update_many(
                {"claim": {"$in": list(tokens)}, **NOT_BEGUN},
                [{"$set": RELEASED}, {"$unset": ["claim", "lease"]}],
                hint=BY_CLAIM,
            )

    async def begin(self, token: str, ids: Sequence[str]) -> Collection[str]:
        """Mark *ids* as begun if they are still ours, and renew them; give those that are.

        The others must not be sent: this is the fence. A claim that is still there was taken back
        by nobody, even past its lease, so renewing it here is safe.
        """
        ours = {"_id": {"$in": list(ids)}, "claim": token, "state": State.SENDING.value}
        with store_errors("marking jobs as begun"):
            answer = await self.mongo.jobs.update_many(
                ours, [{"$set": {"begun": "$$NOW", "lease": LEASE_END}}], hint=BY_ID
            )
            if answer.matched_count == len(ids):
                return ids
            found = self.mongo.jobs.find(ours, {"_id": 1}, hint=BY_ID)
            return {document["_id"] async for document in found}

    async def renew(self, tokens: Sequence[str]) -> None:
        """Give every job that is claimed under one of *tokens* a new lease."""
        with store_errors("renewing leases"):
            await self.mongo.jobs.update_many(
                {"claim": {"$in": list(tokens)}, "state": State.SENDING.value},
                [{"$set": {"lease": LEASE_END}}],
                hint=BY_CLAIM,
            )

    async def next_due(self, *, now: datetime) -> bool:
        """Tell whether anything waits that is due by *now*."""
        with store_errors("looking for due jobs"):
            return bool((await self._due(1, now))[0])


def claimed(token: str) -> dict[str, Any]:
    return {
        "state": State.SENDING.value,
        "claim": token,
        "lease": LEASE_END,
        "begun": "$$REMOVE",
        "since": "$$NOW",
        "version": {"$add": ["$version", 1]},
    }


def is_due(*, since: datetime) -> dict[str, Any]:
    """Filter by the server's clock, so that a fast clock here sends nothing early.

    A claim that reaches the server long after the look is of no use: its owner has given it up,
    and what it took would wait for the end of a lease.
    """
    in_time = {"$lte": ["$$NOW", since + LATEST_CLAIM]}
    return {"$expr": {"$and": [{"$lte": ["$due", "$$NOW"]}, in_time]}}
