"""Claims: who may send a job now. Leases are set and judged by the server's clock."""

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import WriteError

from gcsched.adapters.mongo.bulk_write import UpdatePipeline, update_each
from gcsched.adapters.mongo.codec import UnreadableDocument, decode_each
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_CLAIM, BY_ID, BY_PRIORITY, BY_STATE_AND_DUE
from gcsched.adapters.mongo.driver_errors import is_document_error
from gcsched.adapters.mongo.quarantine import (
    DEFAULT_QUARANTINE,
    Quarantine,
    UnreadableLog,
    quarantine,
)
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import CLAIMABLE, LEASE, Priority, State
from gcsched.usecases.ports import ClaimedBatch

LEASE_END = {"$add": ["$$NOW", int(LEASE.total_seconds() * 1000)]}
CLAIMABLE_STATES = [state.value for state in CLAIMABLE]
NOT_BEGUN = {"state": State.SENDING.value, "begun": {"$exists": False}}
# An expression that fails at one document fails for all: fields of other types stay as they are.
HAS_ATTEMPTS = {"$cond": [{"$isArray": "$attempts"}, {"$ne": ["$attempts", []]}, False]}
STATE_BEFORE_CLAIM = {"$cond": [HAS_ATTEMPTS, State.RETRYING.value, State.SCHEDULED.value]}
NEXT_VERSION = {"$cond": [{"$isNumber": "$version"}, {"$add": ["$version", 1]}, "$version"]}
RELEASE_FIELDS = {"state": STATE_BEFORE_CLAIM, "since": "$$NOW", "version": NEXT_VERSION}
CLAIM_FIELDS = ("claim", "lease", "begun")
LOOKAHEAD_FACTOR = 3
MAX_UNWRITABLE, UNWRITABLE_SECONDS = 1_000, 60.0
ID_NOT_TEXT = "its field _id is no text"
TOO_LARGE = "it has no room for a claim, or a rule of the collection forbids one"
LEASE_NOT_CHANGEABLE = "its lease or claim cannot be changed: it is too large, or a rule forbids it"
MAX_CLAIMED_OFFENDERS = 50  # a lease that lapses costs more than some statements
MAX_CLAIM_DELAY = timedelta(seconds=10)  # as long as a connection's silence is borne

FoundIds = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoClaims:
    mongo: Mongo
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)
    _unwritable: dict[str, float] = field(
        default_factory=dict
    )  # those MongoDB can change in no way

    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> ClaimedBatch:
        """Claim at most *most* due jobs under *token*, in three steps by index, urgent ones first.

        Looks at more than it takes and takes some at random, so that replicas which look at the
        same moment do not all want the same jobs.
        """
        with store_errors("claiming due jobs"):
            looks = [self._find_urgent(most * LOOKAHEAD_FACTOR, now)]
            if not urgent_only:
                looks.append(self._find_due(most * LOOKAHEAD_FACTOR, now))
            seen = [look for look in await asyncio.gather(*looks) if look]
            due = await self._filter_claimable(seen)
            wanted = choose_ids(due, most)
            if not wanted:
                return ClaimedBatch(token=token, jobs=(), lease_end=0.0, due_count=0)
            until = time.monotonic() + LEASE.total_seconds()
            guard = {"state": {"$in": CLAIMABLE_STATES}, **filter_due(since=seen[0][0]["now"])}
            change = [{"$set": build_claim(token)}]
            with write_errors("claiming due jobs"):
                updated = await update_each(self.mongo.jobs, wanted, guard, change)
            too_large = [({"_id": each}, TOO_LARGE) for each in updated.offenders]
            await self._quarantine(too_large, guard, Quarantine(reason=TOO_LARGE))
            found = self.mongo.jobs.find({"claim": token}, hint=BY_CLAIM)
            readable, unreadable = decode_each(await found.to_list(most))
            ours = {"claim": token, **NOT_BEGUN}
            await self._quarantine(
                unreadable, ours, Quarantine(previous_state=STATE_BEFORE_CLAIM, unset=CLAIM_FIELDS)
            )
            if not readable:
                updated.raise_refusal()
        jobs = [job for _, job in readable]
        jobs.sort(key=lambda job: job.due_time)
        return ClaimedBatch(
            token=token, jobs=tuple(jobs), lease_end=until, due_count=len(set().union(*due))
        )

    async def _filter_claimable(self, seen: Sequence[FoundIds]) -> list[list[str]]:
        """Return the ids that were seen; what has an id that is no text is set aside at once."""
        documents = [each for look in seen for each in look]
        odd = [each for each in documents if not isinstance(each["_id"], str)]
        await self._quarantine(
            [(each, ID_NOT_TEXT) for each in odd], {"state": {"$in": CLAIMABLE_STATES}}
        )
        return [
            [
                each["_id"]
                for each in look
                if isinstance(each["_id"], str) and not self._is_unwritable(each["_id"])
            ]
            for look in seen
        ]

    def _is_unwritable(self, job_id: str) -> bool:
        return bool(self._unwritable) and self._unwritable.get(job_id, 0.0) > time.monotonic()

    async def _quarantine(
        self,
        unreadable: Sequence[UnreadableDocument],
        guard: dict[str, Any],
        how: Quarantine = DEFAULT_QUARANTINE,
    ) -> None:
        """Set *unreadable* aside; what cannot even be set aside is not claimed by this process."""
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
        """Give the ids, the longest due first, each with the time by the server's clock."""
        if stuck := [each for each in self._unwritable if self._is_unwritable(each)]:
            query = query | {"_id": {"$nin": stuck}}  # many of them would fill each look
        found = self.mongo.jobs.find(query, {"_id": 1, "now": "$$NOW"}).sort("due", 1)
        return await found.limit(most).hint(index).to_list(most)

    async def release(self, tokens: Sequence[str]) -> None:
        """Give back what was claimed under *tokens* and has not begun, as if it never had been."""
        with write_errors("releasing claims"):
            change: UpdatePipeline = [{"$set": RELEASE_FIELDS}, {"$unset": ["claim", "lease"]}]
            await self._update_claimed(tokens, NOT_BEGUN, change)

    async def begin(self, token: str, ids: Sequence[str], *, date: datetime) -> Collection[str]:
        """Mark *ids* as begun if they are still ours, and renew them; give those that are.

        The others must not be sent: this is the fence. A claim that is still there was taken back
        by nobody, even past its lease, so renewing it here is safe.
        Nobody else writes `date` while this claim holds: the caller knows what is stored then.
        """
        held = {"claim": token, "state": State.SENDING.value}
        ours = {"_id": {"$in": list(ids)}, "begun": {"$exists": True}, **held}
        with write_errors("marking jobs as begun"):
            stored_date = {"$ifNull": ["$date", date]}
            change = [{"$set": {"begun": "$$NOW", "lease": LEASE_END, "date": stored_date}}]
            updated = await update_each(self.mongo.jobs, ids, held, change)
            if updated.matched == len(ids):
                return ids
            if not updated.matched:
                updated.raise_refusal()
            found = self.mongo.jobs.find(ours, {"_id": 1}, hint=BY_ID)
            return {document["_id"] async for document in found}

    async def renew(self, tokens: Sequence[str]) -> None:
        """Give every job that is claimed under one of *tokens* a new lease."""
        with write_errors("renewing leases"):
            change: UpdatePipeline = [{"$set": {"lease": LEASE_END}}]
            await self._update_claimed(tokens, {"state": State.SENDING.value}, change)

    async def _update_claimed(
        self, tokens: Sequence[str], guard: dict[str, Any], change: UpdatePipeline
    ) -> None:
        """Update what is claimed under *tokens*; one that cannot be changed stops no other."""
        jobs, held = self.mongo.jobs, {"claim": {"$in": list(tokens)}, **guard}
        try:
            await jobs.update_many(held, change, hint=BY_CLAIM)
        except WriteError as error:
            if not is_document_error(error):
                raise
            ids = [each["_id"] async for each in jobs.find(held, {"_id": 1}, hint=BY_CLAIM)]
            updated = await update_each(jobs, ids, held, change, MAX_CLAIMED_OFFENDERS)
            self.unreadable_log.warn(
                [({"_id": each}, LEASE_NOT_CHANGEABLE) for each in updated.offenders]
            )
            updated.raise_refusal()

    async def has_due_jobs(self, *, now: datetime) -> bool:
        """Tell whether anything waits that is due by *now*."""
        with store_errors("looking for due jobs"):
            return bool(await self._find_due(1, now))


def choose_ids(looks: Sequence[Sequence[str]], most: int) -> list[str]:
    """Choose *most* of what was seen, at random among those of one look, the first look first."""
    wanted: dict[str, None] = {}
    for seen in looks:
        left = [job_id for job_id in seen if job_id not in wanted]
        room = most - len(wanted)
        wanted |= dict.fromkeys(left if len(left) <= room else random.sample(left, room))
    return list(wanted)


def build_claim(token: str) -> dict[str, Any]:
    return {
        "state": State.SENDING.value,
        "claim": token,
        "lease": LEASE_END,
        "begun": "$$REMOVE",
        "since": "$$NOW",
        "version": NEXT_VERSION,
    }


def filter_due(*, since: datetime) -> dict[str, Any]:
    """Filter by the server's clock, so that a fast clock here sends nothing early.

    A claim that reaches the server long after the look is of no use: its owner has given it up,
    and what it took would wait for the end of a lease.
    """
    in_time = {"$lte": ["$$NOW", since + MAX_CLAIM_DELAY]}
    is_one_state = {"$in": ["$state", CLAIMABLE_STATES]}  # an array with one of them is no state
    return {"$expr": {"$and": [{"$lte": ["$due", "$$NOW"]}, in_time, is_one_state]}}
