"""Counts of jobs per state: each by index, and each with a time limit."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo.errors import ExecutionTimeout

from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.index_names import BY_STATE_AND_DUE
from gcsched.domain.job import CLAIMABLE, State
from gcsched.usecases.ports import JobCounts

COUNT_TIMEOUT_MS = 2_000
QUERY_TIMEOUT_MS = 2_000
MAX_UNREADABLE = 10_000
MAX_EXAMINED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobCounter:
    """The port `JobCounter` on MongoDB."""

    mongo: Mongo

    async def count(self, *, now: datetime) -> JobCounts:
        """Count each state; leave out those that cannot be counted within COUNT_TIMEOUT_MS."""
        with store_errors("counting jobs"):
            counted = {state: await self._count_in_state(state) for state in State}
            oldest = await self._find_oldest_due(now)
        by_state = {state: count for state, count in counted.items() if count is not None}
        return JobCounts(by_state=by_state, oldest_due_lateness=oldest)

    async def _count_in_state(self, state: State) -> int | None:
        try:
            return int(
                await self.mongo.jobs.count_documents(
                    {"state": state.value}, hint=BY_STATE_AND_DUE, maxTimeMS=COUNT_TIMEOUT_MS
                )
            )
        except ExecutionTimeout:  # too many to count in time
            return None

    async def count_unreadable(self) -> int:
        """Count the quarantined jobs and those in unknown states, up to MAX_UNREADABLE."""
        unknown = {"state": {"$nin": [state.value for state in State]}}
        with store_errors("counting unreadable jobs"):
            return int(
                await self.mongo.jobs.count_documents(
                    unknown, hint=BY_STATE_AND_DUE, limit=MAX_UNREADABLE
                )
            )

    async def _find_oldest_due(self, now: datetime) -> timedelta:
        waiting = {"state": {"$in": [state.value for state in CLAIMABLE]}, "due": {"$lte": now}}
        found = self.mongo.jobs.find(waiting, {"due": 1}).sort("due", 1).limit(MAX_EXAMINED)
        found = found.hint(BY_STATE_AND_DUE).max_time_ms(QUERY_TIMEOUT_MS)
        documents = await found.to_list(MAX_EXAMINED)
        # The query also finds an array of dates, until a sweep quarantines that job.
        times = [each["due"] for each in documents if isinstance(each["due"], datetime)]
        return now - times[0] if times else timedelta(0)
