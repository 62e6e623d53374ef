"""Admission of new jobs: one insert for a group of callers, without looking for duplicates first.

The unique indexes on keys and request ids decide which of several callers was first, also across
processes. Only a job whose insert failed needs a second statement, to find the holder. Jobs of
named clients are looked up before, while there are jobs of callers without a name (ADR 0039).
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pymongo
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.anonymous_keys import AnonymousKeys
from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.index_names import BY_DEDUP_KEY
from gcsched.adapters.mongo.key_holders import MongoKeyHolders
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.dedup import AdmissionAnswer, KeyHolder, answer_conflict, answer_created
from gcsched.domain.job import Job
from gcsched.errors import StoreUnavailable

DUPLICATE_KEY = 11000
MAX_LOOKUPS = 10
LOOKUP_INTERVAL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAdmissions:
    """The port `Admissions` on MongoDB."""

    mongo: Mongo
    anonymous_keys: AnonymousKeys = field(default_factory=AnonymousKeys)

    async def admit(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Store those of *jobs* whose keys are free; return for each the job that holds its keys.

        Each round has the time limit *within*, also at a server that does not reply. Raises
        StoreUnavailable if a majority did not confirm; some jobs may be stored then, and the same
        call again finds them by their keys.
        """
        answers: dict[str, AdmissionAnswer] = {}
        left = list(jobs)
        for _ in range(MAX_LOOKUPS):
            # The driver shares this limit between the statements of a round (maxTimeMS, sockets).
            with pymongo.timeout(within.total_seconds()):
                found, unanswered = await self._admit_round(left)
            answers |= found
            left = [job for job in unanswered if job.id not in answers]
            if not left:
                return [answers.get(job.id) or answer_created(job) for job in jobs]
            # A holder is not majority-committed yet, or has just released the key.
            await asyncio.sleep(LOOKUP_INTERVAL_SECONDS)
        raise StoreUnavailable("looking up the job that holds the key")

    async def _admit_round(
        self, jobs: Sequence[Job]
    ) -> tuple[dict[str, AdmissionAnswer], list[Job]]:
        """Return job id → answer as far as known, and the jobs that are not stored."""
        with store_errors("storing the job"):
            held = await self.anonymous_keys.find_holders(self.mongo, jobs)
        answers = answer_held(jobs, held)
        not_stored = [job for job in jobs if job.id in held]
        if new := [job for job in jobs if job.id not in held]:
            with write_errors("storing the job"):
                taken = await self._insert(new)
                if taken:
                    answers |= await self._resolve_duplicates(taken)
            not_stored += taken
        return answers, not_stored

    async def dry_run(self, jobs: Sequence[Job], *, within: timedelta) -> list[AdmissionAnswer]:
        """Return what `admit` would; store nothing."""
        errors = store_errors("looking up the job that holds the key")
        with errors, pymongo.timeout(within.total_seconds()):
            held = await self.anonymous_keys.find_holders(self.mongo, jobs)
            holders = await MongoKeyHolders(mongo=self.mongo).find(jobs)
        found = [(job, held.get(job.id) or holders.get(job.id)) for job in jobs]
        return [
            (holder and answer_conflict(job, holder)) or answer_created(job)
            for job, holder in found
        ]

    async def _insert(self, jobs: Sequence[Job]) -> list[Job]:
        """Insert *jobs*; return those whose key is taken."""
        try:
            # Unordered, so that one taken key does not stop the jobs after it.
            await self.mongo.jobs.insert_many([encode(job) for job in jobs], ordered=False)
        except BulkWriteError as error:
            return [jobs[index] for index in find_duplicates(error)]
        return []

    async def _resolve_duplicates(self, jobs: Sequence[Job]) -> dict[str, AdmissionAnswer]:
        """Return job id → answer, without the jobs whose key is free now: they are tried again."""
        holders = await MongoKeyHolders(mongo=self.mongo).find(jobs)
        answers = [
            (job, answer_conflict(job, holders[job.id])) for job in jobs if job.id in holders
        ]
        if expired := [job for job, answer in answers if answer is None]:
            await release_expired_keys(
                self.mongo, [(job.dedup_key, job.create_time) for job in expired]
            )
        return {job.id: answer for job, answer in answers if answer is not None}


def answer_held(
    jobs: Sequence[Job], held: Mapping[str, KeyHolder | None]
) -> dict[str, AdmissionAnswer]:
    """Return job id → answer for those of *jobs* that are *held* by a job that a majority has."""
    answers = {
        job.id: answer_conflict(job, holder)
        for job in jobs
        if (holder := held.get(job.id)) is not None
    }
    return {job_id: answer for job_id, answer in answers.items() if answer is not None}


async def release_expired_keys(mongo: Mongo, keys: Sequence[tuple[str | None, datetime]]) -> int:
    """Release each of *keys* whose window is over at its time; return how many were released.

    If several callers try, one succeeds. The holder gets a unique key that no request has: without
    any key it would leave the index on request ids, and its request id could be used again.
    """
    released = {"dedup_key": {"$concat": ["over ", "$_id"]}, "released_key": "$dedup_key"}
    result = await mongo.jobs.bulk_write(
        [
            UpdateOne(
                {"dedup_key": key, "dedup_until": {"$lte": now}},
                [{"$set": released}],
                hint=BY_DEDUP_KEY,
            )
            for key, now in keys
        ],
        ordered=False,
    )
    return int(result.modified_count)


def find_duplicates(error: BulkWriteError) -> list[int]:
    """Return the positions that failed on a taken key; raise *error* if it has any other error.

    If the majority is away, E11000 comes together with a write concern error. The holder of the key
    may then be rolled back, so this is not a duplicate.
    """
    details: dict[str, Any] = dict(error.details or {})
    errors = details.get("writeErrors", [])
    if details.get("writeConcernErrors") or any(e["code"] != DUPLICATE_KEY for e in errors):
        raise error
    return [e["index"] for e in errors]
