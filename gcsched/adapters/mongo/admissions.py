"""Store new jobs: one write for a group of callers, and the unique key decides duplicates."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pymongo
from pymongo.errors import BulkWriteError
from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_DEDUP_KEY, BY_ID
from gcsched.domain.job import Job
from gcsched.errors import StoreUnavailable
from gcsched.usecases.ports import Admitted

DUPLICATE_KEY = 11000
LOOKS = 10
BETWEEN_LOOKS_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAdmissions:
    mongo: Mongo

    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[Admitted]:
        """Store those of *jobs* whose dedup key is free; say for each which job holds its key.

        Each look gets *within*, also at a server that says nothing. Raises StoreUnavailable when a
        majority did not confirm; some of the jobs may be stored then, and the same call again finds
        them by their keys.
        """
        holders: dict[str, str] = {}
        left = list(jobs)
        for _ in range(LOOKS):
            with store_errors("storing the job"), pymongo.timeout(within.total_seconds()):
                clashing = await self._insert(left)
                if clashing:
                    holders |= await self._holders(clashing)
            left = [job for job in clashing if job.dedup_key not in holders]
            if not left:
                return [admitted(job, holders) for job in jobs]
            # The holder is not majority-committed yet, or has just let the key go.
            await asyncio.sleep(BETWEEN_LOOKS_SECONDS)
        raise StoreUnavailable("looking up the job that was asked for before")

    async def _insert(self, jobs: Sequence[Job]) -> list[Job]:
        """Insert *jobs*; give those whose key is taken."""
        try:
            await self.mongo.jobs.insert_many([encode(job) for job in jobs], ordered=False)
        except BulkWriteError as error:
            return [jobs[index] for index in duplicates(error)]
        return []

    async def _holders(self, jobs: Sequence[Job]) -> dict[str, str]:
        """Give key → job id; only what a majority has counts as accepted (P1)."""
        collection = self.mongo.jobs.with_options(read_concern=ReadConcern("majority"))
        keys = [job.dedup_key for job in jobs]
        found = collection.find({"dedup_key": {"$in": keys}}, {"dedup_key": 1}, hint=BY_DEDUP_KEY)
        holders = {document["dedup_key"]: document["_id"] async for document in found}
        # Our own job of an earlier try may be stored, and even ended, with its key free again.
        key_of = {job.id: job.dedup_key or "" for job in jobs if job.dedup_key not in holders}
        if key_of:
            own = collection.find({"_id": {"$in": list(key_of)}}, {"_id": 1}, hint=BY_ID)
            holders |= {key_of[document["_id"]]: document["_id"] async for document in own}
        return holders


def admitted(job: Job, holders: dict[str, str]) -> Admitted:
    """Say who holds the key of *job*; a retried write may find that it is *job* itself."""
    holder = holders.get(job.dedup_key or "", job.id)
    return Admitted(job_id=holder, is_new=holder == job.id)


def duplicates(error: BulkWriteError) -> list[int]:
    """Give the indexes that failed on a taken key; anything else in *error* is raised again.

    E11000 and a write concern error come together when the majority is away: nobody's success.
    """
    details: dict[str, Any] = dict(error.details or {})
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(e["code"] != DUPLICATE_KEY for e in errors):
        raise error
    return [e["index"] for e in errors]
