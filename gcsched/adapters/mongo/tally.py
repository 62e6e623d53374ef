"""Count jobs by index, each count within a time limit."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.errors import ExecutionTimeout

from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_STATE_AND_DUE
from gcsched.domain.job import CLAIMABLE, State
from gcsched.usecases.ports import JobCounts

LONGEST_COUNT_MS = 2_000
LONGEST_LOOK_MS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoTally:
    mongo: Mongo

    async def count(self, *, now: datetime) -> JobCounts:
        """Count each state; those that hold too many to be counted in time are left out."""
        with store_errors("counting jobs"):
            counted = {state: await self._in_state(state) for state in State}
            oldest = await self._oldest_due(now)
        by_state = {state: count for state, count in counted.items() if count is not None}
        return JobCounts(by_state=by_state, oldest_due=oldest)

    async def _in_state(self, state: State) -> int | None:
        try:
            return int(
                await self.mongo.jobs.count_documents(
                    {"state": state.value}, hint=BY_STATE_AND_DUE, maxTimeMS=LONGEST_COUNT_MS
                )
            )
        except ExecutionTimeout:
            return None

    async def _oldest_due(self, now: datetime) -> timedelta:
        waiting = {"state": {"$in": [state.value for state in CLAIMABLE]}, "due": {"$lte": now}}
        found = self.mongo.jobs.find(waiting, {"due": 1}).sort("due", 1).limit(1)
        found = found.hint(BY_STATE_AND_DUE).max_time_ms(LONGEST_LOOK_MS)
        documents = await found.to_list(1)
        return now - documents[0]["due"] if documents else timedelta(0)
