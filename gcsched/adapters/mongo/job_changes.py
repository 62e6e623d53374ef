"""Changes of jobs by callers, each written only if the job is still as it was read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pymongo
import structlog
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo.admissions import release_expired_keys
from gcsched.adapters.mongo.codec import (
    DECODE_ERRORS,
    decode,
    decode_each,
    make_unreadable_error,
)
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.driver_errors import (
    DUPLICATE_KEY,
    Problem,
    classify_code,
    is_document_error_code,
)
from gcsched.adapters.mongo.folded_queries import filter_any_spelling
from gcsched.adapters.mongo.index_names import (
    BY_DEDUP_KEY,
    BY_ID,
    BY_OWN_REQUEST_ID,
    BY_REQUEST_ID,
    BY_STATE_AND_DUE,
)
from gcsched.adapters.mongo.key_holders import HELD, Holders, MongoKeyHolders
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS, read_majority
from gcsched.adapters.mongo.outcomes import encode_outcome
from gcsched.adapters.mongo.steps import add_step_to
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.address_folding import is_same_address
from gcsched.domain.job import FINAL_STATES, Job, State
from gcsched.errors import DuplicateJob
from gcsched.usecases.management.partial_change import MAX_NAMED, PartialChange

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobChanges:
    """The ports `JobChanges`, `BulkJobChanges` and `InFlightJobs` on MongoDB."""

    mongo: Mongo
    retention: timedelta

    async def find(self, job_id: str) -> Job | None:
        """Read the job from the primary; raises UnreadableJob."""
        with store_errors("reading a job"):
            document = await self.mongo.jobs.find_one({"_id": job_id}, hint=BY_ID)
        if document is None:
            return None
        try:
            return decode(document)
        except DECODE_ERRORS as error:
            raise make_unreadable_error(document, error) from error

    async def is_committed(self, job: Job) -> bool:
        """Return whether a majority of the replica set has *job* in this version."""
        jobs = self.mongo.jobs.with_options(read_concern=ReadConcern("majority"))
        with store_errors("reading a job"):
            return await jobs.find_one(filter_unchanged(job), {"_id": 1}, hint=BY_ID) is not None

    async def change(self, seen: Job, changed: Job, *, within: timedelta) -> bool:
        """Replace *seen* by *changed*; return False if the job is not as it was *seen*.

        Raises DuplicateJob when another job holds the dedup key or the request id it would take.
        """
        query, change = filter_unchanged(seen), build_change(seen, changed, self.retention)
        with write_errors("changing a job"), pymongo.timeout(within.total_seconds()):
            if barring := await self._find_barring([(seen, changed)]):
                raise DuplicateJob(seen.id, barring[seen.id].job_id)
            try:
                result = await self.mongo.jobs.update_one(query, change, hint=BY_ID)
            except DuplicateKeyError:
                # A job that only keeps its key has just lost it: it is not as it was seen.
                if not takes_key(seen, changed) or await self._release_expired_keys([changed]):
                    return False
                if (holder := await self._find_holder(changed)) is None:
                    return False
                raise DuplicateJob(seen.id, holder) from None
        return result.matched_count == 1

    async def change_all(self, pairs: Sequence[tuple[Job, Job]]) -> tuple[int, int]:
        """Change the jobs (seen, changed) that are as they were seen; skip those with a taken key.

        Returns how many were changed, and how many must be read again: they were not as they were
        seen, or their key has just become free. Raises PartialChange if some documents cannot be
        changed, after all others were.
        """
        with store_errors("changing jobs"):
            if barring := await self._find_barring(pairs):
                pairs = [pair for pair in pairs if pair[0].id not in barring]
        if not pairs:
            return 0, 0
        writes = [
            UpdateOne(
                filter_unchanged(seen), build_change(seen, changed, self.retention), hint=BY_ID
            )
            for seen, changed in pairs
        ]
        with write_errors("changing jobs"):
            try:
                result = await self.mongo.jobs.bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                return await self._resolve_partial_failure(pairs, error)
        return result.modified_count, len(pairs) - result.modified_count

    async def _resolve_partial_failure(
        self, pairs: Sequence[tuple[Job, Job]], error: BulkWriteError
    ) -> tuple[int, int]:
        """Return what `change_all` does, for a bulk write that failed at some documents."""
        keys, own = split_write_errors(error)
        taken = [changed for _, changed in map(pairs.__getitem__, keys)]
        count = int((error.details or {})["nModified"])
        # A key whose window is over is freed; the next call for that job can take it.
        freed = await self._release_expired_keys(taken) if taken else 0
        lost = len(pairs) - len(taken) - len(own) - count + freed
        if not own:
            return count, lost
        stuck = [pairs[position][0].id for position in own]
        structlog.get_logger().error("jobs not changed", count=len(stuck), jobs=stuck[:MAX_NAMED])
        raise PartialChange(count, lost, stuck, str(classify_error_at(error, own[0]))) from error

    async def find_committed(self, ids: Collection[str]) -> Sequence[Job]:
        """Return the jobs with these *ids* as a majority of the replica set has them."""
        query, limit = {"_id": {"$in": list(ids)}}, READ_TIMEOUT_MS
        with store_errors("reading jobs"):
            found = await read_majority(
                lambda jobs: jobs.find(query, hint=BY_ID, max_time_ms=limit).to_list(None),
                self.mongo.jobs,
            )
        return [job for _, job in decode_each(found)[0]]

    async def find_claimed(self, address: str) -> Sequence[Job]:
        """Return the jobs to *address*, in any spelling, that are being sent.

        The query goes by state, not by address: the number of claimed jobs has a limit, the number
        of jobs to one address does not.
        """
        same_address = filter_any_spelling(address, "email", include_non_ascii=True)
        query = {"state": State.SENDING.value, **same_address}
        with store_errors("looking for claimed jobs"):
            found = self.mongo.jobs.find(query, hint=BY_STATE_AND_DUE, max_time_ms=READ_TIMEOUT_MS)
            readable, _ = decode_each(await found.to_list(None))
        return [job for _, job in readable if is_same_address(job.email, address)]

    async def find_begun(self, ids: Collection[str]) -> Collection[tuple[str, str]]:
        """Return id and claim of those of *ids* whose body has begun and has no outcome yet."""
        query = {"_id": {"$in": list(ids)}, "state": State.SENDING.value, "begun": {"$ne": None}}
        with store_errors("looking for begun jobs"):
            found = self.mongo.jobs.find(query, {"claim": 1}, hint=BY_ID)
            return [(each["_id"], str(each.get("claim"))) async for each in found]

    async def _release_expired_keys(self, jobs: Sequence[Job]) -> int:
        """Free the keys that *jobs* need if their window is over; return how many were freed."""
        return await release_expired_keys(
            self.mongo, [(job.dedup_key, job.state_time) for job in jobs]
        )

    async def _find_barring(self, pairs: Sequence[tuple[Job, Job]]) -> Holders:
        """Return which jobs hold the keys of retried jobs under the name of another kind of caller.

        No index detects these: a job of a named client, and the same one that was scheduled while
        access was not controlled (ADR 0039).
        """
        retried = [changed for seen, changed in pairs if takes_key(seen, changed)]
        if not retried:
            return {}
        holders = MongoKeyHolders(mongo=self.mongo, is_majority_read=False)
        return {**await holders.find_anonymous(retried), **await holders.find_named(retried)}

    async def _find_holder(self, changed: Job) -> str | None:
        """Return the id of the job that holds a key *changed* needs; None if it is free again."""
        jobs = self.mongo.jobs
        others: Document = {"_id": {"$ne": changed.id}}
        query = others | {"dedup_key": changed.dedup_key}
        found = await jobs.find_one(query, {"_id": 1}, hint=BY_DEDUP_KEY)
        if found is None and changed.request_id:
            query, index = others | {"dedup_key": HELD}, BY_REQUEST_ID
            if changed.client:
                query |= {"own_request_id": changed.request_id, "client": changed.client}
                index = BY_OWN_REQUEST_ID
            else:
                query["request_id"] = changed.request_id
            found = await jobs.find_one(query, {"_id": 1}, hint=index)
        return None if found is None else str(found["_id"])


def takes_key(seen: Job, changed: Job) -> bool:
    """Return whether the change takes a dedup key again that the job had released."""
    return changed.dedup_key is not None and changed.dedup_key != seen.dedup_key


def split_write_errors(error: BulkWriteError) -> tuple[list[int], list[int]]:
    """Return the positions that failed on a taken key, and those that failed at their document.

    Raises *error* if it contains anything else: the state of the other writes is unknown then.
    """
    details: Document = dict(error.details or {})
    errors = details.get("writeErrors") or []
    keys = [each["index"] for each in errors if each["code"] == DUPLICATE_KEY]
    own = [each["index"] for each in errors if is_document_error_code(each)]
    if details.get("writeConcernErrors") or len(keys) + len(own) < len(errors):
        raise error
    return keys, own


def classify_error_at(error: BulkWriteError, position: int) -> Problem | None:
    errors = (error.details or {})["writeErrors"]
    [one] = [each for each in errors if each["index"] == position]
    return classify_code(one["code"], str(one.get("errmsg", "")), is_write_error=True)


def filter_unchanged(seen: Job) -> Document:
    """Return the filter that matches the job only as it was *seen*.

    A claimed job also matches only under that claim and before its body. The fence does not raise
    the version, so the version alone would match a job whose body has begun.
    """
    query: Document = {"_id": seen.id, "state": seen.state.value, "version": seen.version}
    if seen.state is State.SENDING:
        query |= {"claim": seen.claim, "begun": None}  # null also matches a missing field
    return query


def build_change(seen: Job, job: Job, retention: timedelta) -> Document:
    """Return the update of *seen* that stores *job* with its new step, and ends its claim."""
    fields, removed = encode_outcome(job, retention)
    fields |= {"due_at": job.schedule_time, "not_after": job.expire_time}
    if job.date is not None:
        fields["date"] = job.date
    if job.dedup_key is not None:
        fields["dedup_key"] = job.dedup_key
    if job.dedup_until is not None:
        fields["dedup_until"] = job.dedup_until
    if job.released_key is None:
        removed.append("released_key")
    if job.state not in FINAL_STATES:
        removed.append("delete_after")  # a retried job must not be deleted
    change: Document = {"$set": fields, "$unset": dict.fromkeys(removed, "")}
    add_step_to(change, seen, job)
    return change
