"""Store new jobs: one write for a group of callers, and unique keys decide who was first."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_DEDUP_KEY
from gcsched.adapters.mongo.key_holders import MongoKeyHolders
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.dedup import AdmissionAnswer, answer_conflict, answer_created
from gcsched.domain.job import Job
from gcsched.errors import StoreUnavailable

DUPLICATE_KEY = 11000
MAX_LOOKUPS = 10
LOOKUP_INTERVAL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAdmissions:
    mongo: Mongo

    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Store those of *jobs* whose keys are free; say for each which job holds them.

        Each look gets *within*, also at a server that says nothing. Raises StoreUnavailable when a
        majority did not confirm; some of the jobs may be stored then, and the same call again finds
        them by their keys.
        """
        answers: dict[str, AdmissionAnswer] = {}
        left = list(jobs)
        for _ in range(MAX_LOOKUPS):
            with write_errors("storing the job"), pymongo.timeout(within.total_seconds()):
                clashing = await self._insert(left)
                if clashing:
                    answers |= await self._resolve_clashes(clashing)
            left = [job for job in clashing if job.id not in answers]
            if not left:
                return [answers.get(job.id) or answer_created(job) for job in jobs]
            # The holder is not majority-committed yet, or has just let the key go.
            await asyncio.sleep(LOOKUP_INTERVAL_SECONDS)
        raise StoreUnavailable("looking up the job that was asked for before")

    async def dry_run(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Say what `admit` would; store nothing."""
        looking = store_errors("looking for the job that was asked for before")
        with looking, pymongo.timeout(within.total_seconds()):
            holders = await MongoKeyHolders(mongo=self.mongo).find(jobs)
        found = [(job, holders.get(job.id)) for job in jobs]
        return [
            (holder and answer_conflict(job, holder)) or answer_created(job)
            for job, holder in found
        ]

    async def _insert(self, jobs: Sequence[Job]) -> list[Job]:
        """Insert *jobs*; give those with a key that is taken."""
        try:
            await self.mongo.jobs.insert_many([encode(job) for job in jobs], ordered=False)
        except BulkWriteError as error:
            return [jobs[index] for index in find_duplicates(error)]
        return []

    async def _resolve_clashes(self, clashing: Sequence[Job]) -> dict[str, AdmissionAnswer]:
        """Give job id → answer; without those who may try again, as nobody is in the way now."""
        holders = await MongoKeyHolders(mongo=self.mongo).find(clashing)
        judged = [
            (job, answer_conflict(job, holders[job.id])) for job in clashing if job.id in holders
        ]
        if over := [job for job, given in judged if given is None]:
            await release_expired_keys(
                self.mongo, [(job.dedup_key, job.create_time) for job in over]
            )
        return {job.id: given for job, given in judged if given is not None}


async def release_expired_keys(mongo: Mongo, keys: Sequence[tuple[str | None, datetime]]) -> int:
    """Take each of *keys* from who holds it, if its time is over by then; give how many were taken.

    Of several callers, one does. The holder leaves with a key that nobody asks for: with none, it
    would lose its request id too.
    """
    freed = {"dedup_key": {"$concat": ["over ", "$_id"]}, "released_key": "$dedup_key"}
    answer = await mongo.jobs.bulk_write(
        [
            UpdateOne(
                {"dedup_key": key, "dedup_until": {"$lte": now}},
                [{"$set": freed}],
                hint=BY_DEDUP_KEY,
            )
            for key, now in keys
        ],
        ordered=False,
    )
    return int(answer.modified_count)


def find_duplicates(error: BulkWriteError) -> list[int]:
    """Give the indexes that failed on a taken key; anything else in *error* is raised again.

    E11000 and a write concern error come together when the majority is away: nobody's success.
    """
    details: dict[str, Any] = dict(error.details or {})
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(e["code"] != DUPLICATE_KEY for e in errors):
        raise error
    return [e["index"] for e in errors]
