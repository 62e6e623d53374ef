"""Claims: the right of one process to send a batch of jobs, until its lease expires.

A claim writes its token into every job of the batch. Each later write under the claim matches that
token, so that a process that lost its claim changes nothing. Leases are set and compared by the
clock of MongoDB's primary ($$NOW), because the clocks of two replicas may differ by seconds.
"""

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import WriteError

from gcsched.adapters.mongo.bulk_write import BulkUpdate, UpdatePipeline, update_each
from gcsched.adapters.mongo.codec import UnreadableDocument, decode_each
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.driver_errors import is_document_error
from gcsched.adapters.mongo.index_names import BY_CLAIM, BY_ID, BY_PRIORITY, BY_STATE_AND_DUE
from gcsched.adapters.mongo.quarantine import (
    DEFAULT_QUARANTINE,
    Quarantine,
    UnreadableLog,
    quarantine,
)
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import CLAIMABLE, LEASE, Job, Priority, State
from gcsched.usecases.ports import ClaimedBatch

LEASE_END = {"$add": ["$$NOW", int(LEASE.total_seconds() * 1000)]}
CLAIMABLE_STATES = [state.value for state in CLAIMABLE]
NOT_BEGUN = {"state": State.SENDING.value, "begun": {"$exists": False}}
# An expression that fails at one document fails the statement for all of them, so each expression
# tests the type of its field first and leaves a field of another type as it is.
HAS_ATTEMPTS = {"$cond": [{"$isArray": "$attempts"}, {"$ne": ["$attempts", []]}, False]}
STATE_BEFORE_CLAIM = {"$cond": [HAS_ATTEMPTS, State.RETRYING.value, State.SCHEDULED.value]}
NEXT_VERSION = {"$cond": [{"$isNumber": "$version"}, {"$add": ["$version", 1]}, "$version"]}
RELEASE_FIELDS = {"state": STATE_BEFORE_CLAIM, "since": "$$NOW", "version": NEXT_VERSION}
CLAIM_FIELDS = ("claim", "lease", "begun")
LOOKAHEAD_FACTOR = 3  # how many due jobs are read for each that is claimed
MAX_UNWRITABLE, UNWRITABLE_SECONDS = 1_000, 60.0
ID_NOT_TEXT = "its field _id is not a text"
TOO_LARGE = "it has no room for a claim, or a rule of the collection forbids one"
LEASE_NOT_CHANGEABLE = "its lease or claim cannot be changed: it is too large, or a rule forbids it"
MAX_CLAIMED_OFFENDERS = 50  # an expired lease costs more than some statements
MAX_CLAIM_DELAY = timedelta(seconds=10)  # the socket timeout: after it, the process gave up

FoundIds = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoClaims:
    """The port `Claims` on MongoDB."""

    mongo: Mongo
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)
    # Job ids that MongoDB cannot even quarantine, and until when this process skips them.
    _unwritable: dict[str, float] = field(default_factory=dict)

    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> ClaimedBatch:
        """Claim at most *most* due jobs under *token*, urgent ones first.

        Three statements, each by an index: find due ids, update those that are still due, read what
        the update took. Reads more ids than it claims and chooses some at random, so that replicas
        that claim at the same moment do not compete for the same jobs.
        """
        with store_errors("claiming due jobs"):
            queries = [self._find_urgent(most * LOOKAHEAD_FACTOR, now)]
            if not urgent_only:
                queries.append(self._find_due(most * LOOKAHEAD_FACTOR, now))
            found = [rows for rows in await asyncio.gather(*queries) if rows]
            due = await self._filter_claimable(found)
            if not (ids := choose_ids(due, most)):
                return ClaimedBatch(token=token, jobs=(), lease_end=0.0, due_count=0)
            # Before the update: the server sets the lease later, so this end is never too late.
            lease_end = time.monotonic() + LEASE.total_seconds()
            guard = {"state": {"$in": CLAIMABLE_STATES}, **filter_due(since=found[0][0]["now"])}
            updated = await self._take(token, ids, guard)
            jobs = await self._read_claimed(token, most)
            if not jobs:
                updated.raise_refusal()
        jobs.sort(key=lambda job: job.due_time)
        return ClaimedBatch(
            token=token, jobs=tuple(jobs), lease_end=lease_end, due_count=len(set().union(*due))
        )

    async def _take(self, token: str, ids: Sequence[str], guard: dict[str, Any]) -> BulkUpdate:
        """Write the claim into those of *ids* that still match *guard*."""
        change = [{"$set": build_claim(token)}]
        with write_errors("claiming due jobs"):
            updated = await update_each(self.mongo.jobs, ids, guard, change)
        too_large = [({"_id": each}, TOO_LARGE) for each in updated.offenders]
        await self._quarantine(too_large, guard, Quarantine(reason=TOO_LARGE))
        return updated

    async def _read_claimed(self, token: str, most: int) -> list[Job]:
        """Read the jobs that *token* holds; quarantine those that cannot be decoded."""
        found = self.mongo.jobs_without_time_zones.find({"claim": token}, hint=BY_CLAIM)
        readable, unreadable = decode_each(await found.to_list(most))
        held = {"claim": token, **NOT_BEGUN}
        how = Quarantine(previous_state=STATE_BEFORE_CLAIM, unset=CLAIM_FIELDS)
        await self._quarantine(unreadable, held, how)
        return [job for _, job in readable]

    async def _filter_claimable(self, found: Sequence[FoundIds]) -> list[list[str]]:
        """Return the ids that can be claimed; quarantine documents whose id is not a text."""
        documents = [each for rows in found for each in rows]
        odd = [each for each in documents if not isinstance(each["_id"], str)]
        await self._quarantine(
            [(each, ID_NOT_TEXT) for each in odd], {"state": {"$in": CLAIMABLE_STATES}}
        )
        return [
            [
                each["_id"]
                for each in rows
                if isinstance(each["_id"], str) and not self._is_unwritable(each["_id"])
            ]
            for rows in found
        ]

    def _is_unwritable(self, job_id: str) -> bool:
        return bool(self._unwritable) and self._unwritable.get(job_id, 0.0) > time.monotonic()

    async def _quarantine(
        self,
        unreadable: Sequence[UnreadableDocument],
        guard: dict[str, Any],
        how: Quarantine = DEFAULT_QUARANTINE,
    ) -> None:
        """Quarantine *unreadable*; skip for a minute what MongoDB cannot even quarantine."""
        if unreadable:
            self.unreadable_log.warn(unreadable)
            done = await quarantine(self.mongo.jobs, unreadable, guard, how)
            if len(self._unwritable) >= MAX_UNWRITABLE:
                self._unwritable.clear()
            until = time.monotonic() + UNWRITABLE_SECONDS
            self._unwritable.update((str(each), until) for each in done.offenders)

    async def _find_urgent(self, most: int, now: datetime) -> FoundIds:
        query = {
            "priority": Priority.URGENT.value,
            "state": {"$in": CLAIMABLE_STATES},
            "due": {"$lte": now},
        }
        return await self._find(query, BY_PRIORITY, most)

    async def _find_due(self, most: int, now: datetime) -> FoundIds:
        return await self._find(
            {"state": {"$in": CLAIMABLE_STATES}, "due": {"$lte": now}}, BY_STATE_AND_DUE, most
        )

    async def _find(self, query: dict[str, Any], index: str, most: int) -> FoundIds:
        """Return the ids, the longest due first, each with the time by the server's clock."""
        if stuck := [each for each in self._unwritable if self._is_unwritable(each)]:
            query = query | {"_id": {"$nin": stuck}}  # else they could fill the whole batch
        found = self.mongo.jobs.find(query, {"_id": 1, "now": "$$NOW"}).sort("due", 1)
        return await found.limit(most).hint(index).to_list(most)

    async def release(self, tokens: Sequence[str]) -> None:
        """Undo the claims *tokens*, except jobs whose body has begun; no attempt is charged.

        For claims whose reply was lost: this process does not know what they took.
        """
        with write_errors("releasing claims"):
            change: UpdatePipeline = [{"$set": RELEASE_FIELDS}, {"$unset": ["claim", "lease"]}]
            await self._update_claimed(tokens, NOT_BEGUN, change)

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        """Mark those of *ids* that *token* still holds as begun, and return them: the fence.

        The others must not be sent. One atomic update decides between this process and a sweep that
        takes the job back, so a body is never written under a lost claim. It leaves the lease as it
        is: the caller knows when it ends. Plain operators cost half of what a pipeline costs.
        Only the holder of a claim writes `date`: the caller knows afterwards what is stored.
        """
        held = {"claim": token, "state": State.SENDING.value}
        begun = {"_id": {"$in": list(ids)}, "begun": {"$exists": True}, **held}
        with write_errors("marking jobs as begun"):
            # `$min` keeps an earlier date: a resend has that of the first mail.
            change = {"$currentDate": {"begun": True}, "$min": {"date": date}}
            updated = await update_each(self.mongo.jobs, ids, held, change)
            if updated.matched == len(ids):
                return ids
            if not updated.matched:
                updated.raise_refusal()
            found = self.mongo.jobs.find(begun, {"_id": 1}, hint=BY_ID)
            return {document["_id"] async for document in found}

    async def renew(self, tokens: Sequence[str]) -> Collection[str]:
        """Extend the lease of every job that is claimed under one of *tokens*.

        Returns the tokens with a job whose lease cannot be changed. `$max`, because a renewal that
        was given up may still run at the server, and end after the one that followed it.
        """
        with write_errors("renewing leases"):
            change: UpdatePipeline = [{"$set": {"lease": {"$max": ["$lease", LEASE_END]}}}]
            return await self._update_claimed(tokens, {"state": State.SENDING.value}, change)

    async def _update_claimed(
        self, tokens: Sequence[str], guard: dict[str, Any], change: UpdatePipeline
    ) -> Collection[str]:
        """Update the jobs claimed under *tokens*; one that cannot be changed does not stop others.

        One statement as a rule. It ends at a document that fails, so the ids are then updated one
        half after the other. Returns the tokens of those that cannot be changed.
        """
        jobs, held = self.mongo.jobs, {"claim": {"$in": list(tokens)}, **guard}
        try:
            await jobs.update_many(held, change, hint=BY_CLAIM)
        except WriteError as error:
            if not is_document_error(error):
                raise
            found = jobs.find(held, {"claim": 1}, hint=BY_CLAIM)
            tokens_by_id = {each["_id"]: str(each["claim"]) async for each in found}
            updated = await update_each(
                jobs, list(tokens_by_id), held, change, MAX_CLAIMED_OFFENDERS
            )
            self.unreadable_log.warn(
                [({"_id": each}, LEASE_NOT_CHANGEABLE) for each in updated.offenders]
            )
            updated.raise_refusal()
            return {tokens_by_id[each] for each in updated.offenders}
        return ()

    async def has_due_jobs(self, *, now: datetime) -> bool:
        """Return whether a waiting job is due by *now*."""
        with store_errors("looking for due jobs"):
            return bool(await self._find_due(1, now))


def choose_ids(found: Sequence[Sequence[str]], most: int) -> list[str]:
    """Choose *most* ids: all of the first list before any of the next, at random within a list."""
    chosen: dict[str, None] = {}
    for ids in found:
        left = [job_id for job_id in ids if job_id not in chosen]
        room = most - len(chosen)
        chosen |= dict.fromkeys(left if len(left) <= room else random.sample(left, room))
    return list(chosen)


def build_claim(token: str) -> dict[str, Any]:
    return {
        "state": State.SENDING.value,
        "claim": token,
        "lease": LEASE_END,
        "begun": "$$REMOVE",  # of an earlier claim: nothing has begun under this one
        "since": "$$NOW",
        "version": NEXT_VERSION,
    }


def filter_due(*, since: datetime) -> dict[str, Any]:
    """Return the filter for jobs that are due by the server's clock.

    A fast clock on this machine must not send early. A claim that reaches the server long after
    the ids were read (at *since*) must take nothing: its process has given up waiting, and the jobs
    would stay claimed until the lease expires.
    """
    in_time = {"$lte": ["$$NOW", since + MAX_CLAIM_DELAY]}
    # The query alone also matches an array that contains one of the states.
    is_one_state = {"$in": ["$state", CLAIMABLE_STATES]}
    return {"$expr": {"$and": [{"$lte": ["$due", "$$NOW"]}, in_time, is_one_state]}}
