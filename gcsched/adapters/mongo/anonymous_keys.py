"""The keys of callers without a name, which named clients must not take either.

Before access control is switched on, jobs have no client. A client that repeats a call afterwards
has a name and therefore other keys, so no index would detect the repeated call.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gcsched.adapters.mongo.connection import Document, Mongo
from gcsched.adapters.mongo.index_names import BY_DEDUP_KEY, BY_REQUEST_ID
from gcsched.adapters.mongo.key_holders import HELD, Holders, MongoKeyHolders
from gcsched.domain.dedup import CLIENT_MARK, KeyHolder, find_anonymous_key, is_same_call
from gcsched.domain.job import Job

ABSENT_SECONDS = 0.1  # an anonymous job that another process stores is noticed after this
PRESENT_SECONDS = 60.0  # they stay until their retention ends

ANY_KEY: Document = {"dedup_key": {"$lt": CLIENT_MARK}}
ANY_REQUEST_ID: Document = {"request_id": {"$gt": ""}, "dedup_key": HELD}


@dataclass(slots=True, kw_only=True, eq=False)
class AnonymousKeys:
    """Finds the jobs of callers without a name that hold the keys of named clients' jobs.

    Costs nothing for jobs without a client, and at most one index seek in 100 ms for the others
    while there are no such jobs.
    """

    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[bool, float]] = field(default_factory=dict, init=False)

    async def find_holders(
        self, mongo: Mongo, jobs: Sequence[Job]
    ) -> Mapping[str, KeyHolder | None]:
        """Return job id → the job that answers its call; None if no majority has that job yet.

        An earlier job of the same client takes precedence.
        """
        named = [job for job in jobs if job.client]
        if not named or not await self._may_exist(mongo, named):
            return {}
        seen = await MongoKeyHolders(mongo=mongo, is_majority_read=False).find_anonymous(named)
        held = [job for job in named if job.id in seen]
        if not held:
            return {}
        holders = MongoKeyHolders(mongo=mongo)
        committed = await holders.find_anonymous(held)
        own = select_same_calls(held, await holders.find(held))
        return {job.id: own.get(job.id) or committed.get(job.id) for job in held}

    async def _may_exist(self, mongo: Mongo, named: Sequence[Job]) -> bool:
        """Return whether any job of a caller without a name may hold a key that *named* need."""
        if any(find_anonymous_key(job.dedup_key) for job in named):
            return await self._is_any(mongo, ANY_KEY, BY_DEDUP_KEY)
        # In *employee* mode all jobs share their keys, and the index finds equal ones.
        has_ids = any(job.request_id for job in named)
        return has_ids and await self._is_any(mongo, ANY_REQUEST_ID, BY_REQUEST_ID)

    async def _is_any(self, mongo: Mongo, query: Document, index: str) -> bool:
        """Return whether any job matches *query*, as of ABSENT_SECONDS ago at the earliest."""
        now = self.clock()
        is_present, until = self._known.get(index, (False, 0.0))
        if now < until:
            return is_present
        # Covered by the index, and from the primary: a majority may have the job only later.
        found = await mongo.jobs.find_one(query, {"_id": 0, index: 1}, hint=index)
        is_present = found is not None
        self._known[index] = is_present, now + (PRESENT_SECONDS if is_present else ABSENT_SECONDS)
        return is_present


def select_same_calls(jobs: Sequence[Job], holders: Holders) -> Holders:
    """Return those of *holders* that an earlier call of the same client made."""
    return {
        job.id: holder
        for job in jobs
        if (holder := holders.get(job.id)) is not None and is_same_call(job, holder)
    }
