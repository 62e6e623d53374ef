"""Claims: who may send a job now. Leases are set and judged by the server's clock."""

import asyncio
import random
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo.errors import WriteError

from gcsched.adapters.mongo.bulk_write import Change, update_each
from gcsched.adapters.mongo.codec import Unreadable, sorted_out
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_CLAIM, BY_ID, BY_STATE_AND_DUE, BY_URGENCY
from gcsched.adapters.mongo.driver_errors import is_of_document
from gcsched.adapters.mongo.unreadable import AS_IT_IS, Aside, Told, set_aside
from gcsched.adapters.mongo.writing import write_errors
from gcsched.domain.job import CLAIMABLE, LEASE, Priority, State
from gcsched.usecases.ports import Batch

LEASE_END = {"$add": ["$$NOW", int(LEASE.total_seconds() * 1000)]}
STATES = [state.value for state in CLAIMABLE]
NOT_BEGUN = {"state": State.SENDING.value, "begun": {"$exists": False}}
# An expression that fails at one document fails for all: fields of other types stay as they are.
WAS_TRIED = {"$cond": [{"$isArray": "$attempts"}, {"$ne": ["$attempts", []]}, False]}
BEFORE_CLAIM = {"$cond": [WAS_TRIED, State.RETRYING.value, State.SCHEDULED.value]}
NEXT_VERSION = {"$cond": [{"$isNumber": "$version"}, {"$add": ["$version", 1]}, "$version"]}
RELEASED = {"state": BEFORE_CLAIM, "since": "$$NOW", "version": NEXT_VERSION}
HELD = ("claim", "lease", "begun")
LOOK_AHEAD = 3
MOST_STUCK, STUCK_SECONDS = 1_000, 60.0
ODD_ID = "its field _id is no text"
TOO_LARGE = "it has no room for a claim, or a rule of the collection forbids one"
UNCHANGED = "its lease or claim cannot be changed: it is too large, or a rule forbids it"
MOST_HELD_OFFENDERS = 50  # a lease that lapses costs more than some statements
LATEST_CLAIM = timedelta(seconds=10)  # as long as a connection's silence is borne

Seen = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoClaims:
    mongo: Mongo
    told: Told = field(default_factory=Told)
    _stuck: dict[str, float] = field(default_factory=dict)  # those MongoDB can change in no way

    async def claim(
        self, token: str, most: int, *, now: datetime, urgent_only: bool = False
    ) -> Batch:
        """Claim at most *most* due jobs under *token*, in three steps by index, urgent ones first.

        Looks at more than it takes and takes some at random, so that replicas which look at the
        same moment do not all want the same jobs.
        """
        with store_errors("claiming due jobs"):
            looks = [self._urgent(most * LOOK_AHEAD, now)]
            if not urgent_only:
                looks.append(self._due(most * LOOK_AHEAD, now))
            seen = [look for look in await asyncio.gather(*looks) if look]
            due = await self._claimable(seen)
            wanted = chosen(due, most)
            if not wanted:
                return Batch(token=token, jobs=(), until=0.0, saw=0)
            until = time.monotonic() + LEASE.total_seconds()
            guard = {"state": {"$in": STATES}, **is_due(since=seen[0][0]["now"])}
            change = [{"$set": claimed(token)}]
            with write_errors("claiming due jobs"):
                updated = await update_each(self.mongo.jobs, wanted, guard, change)
            too_large = [({"_id": each}, TOO_LARGE) for each in updated.offenders]
            await self._put_away(too_large, guard, Aside(unfit=TOO_LARGE))
            found = self.mongo.jobs.find({"claim": token}, hint=BY_CLAIM)
            readable, unreadable = sorted_out(await found.to_list(most))
            ours = {"claim": token, **NOT_BEGUN}
            await self._put_away(unreadable, ours, Aside(was=BEFORE_CLAIM, gone=HELD))
            if not readable:
                updated.or_raise()
        jobs = [job for _, job in readable]
        jobs.sort(key=lambda job: job.due_time)
        return Batch(token=token, jobs=tuple(jobs), until=until, saw=len(set().union(*due)))

    async def _claimable(self, seen: Sequence[Seen]) -> list[list[str]]:
        """Return the ids that were seen; what has an id that is no text is set aside at once."""
        documents = [each for look in seen for each in look]
        odd = [each for each in documents if not isinstance(each["_id"], str)]
        await self._put_away([(each, ODD_ID) for each in odd], {"state": {"$in": STATES}})
        return [
            [
                each["_id"]
                for each in look
                if isinstance(each["_id"], str) and not self._is_stuck(each["_id"])
            ]
            for look in seen
        ]

    def _is_stuck(self, job_id: str) -> bool:
        return bool(self._stuck) and self._stuck.get(job_id, 0.0) > time.monotonic()

    async def _put_away(
        self, unreadable: Sequence[Unreadable], guard: dict[str, Any], how: Aside = AS_IT_IS
    ) -> None:
        """Set *unreadable* aside; what cannot even be set aside is not claimed by this process."""
        if unreadable:
            self.told.tell(unreadable)
            done = await set_aside(self.mongo.jobs, unreadable, guard, how)
            if len(self._stuck) >= MOST_STUCK:
                self._stuck.clear()
            until = time.monotonic() + STUCK_SECONDS
            self._stuck.update((str(each), until) for each in done.offenders)

    async def _urgent(self, most: int, now: datetime) -> Seen:
        query = {"priority": Priority.URGENT.value, "state": {"$in": STATES}, "due": {"$lte": now}}
        return await self._look(query, BY_URGENCY, most)

    async def _due(self, most: int, now: datetime) -> Seen:
        return await self._look(
            {"state": {"$in": STATES}, "due": {"$lte": now}}, BY_STATE_AND_DUE, most
        )

    async def _look(self, query: dict[str, Any], index: str, most: int) -> Seen:
        """Give the ids, the longest due first, each with the time by the server's clock."""
        if stuck := [each for each in self._stuck if self._is_stuck(each)]:
            query = query | {"_id": {"$nin": stuck}}  # many of them would fill each look
        found = self.mongo.jobs.find(query, {"_id": 1, "now": "$$NOW"}).sort("due", 1)
        return await found.limit(most).hint(index).to_list(most)

    async def release(self, tokens: Sequence[str]) -> None:
        """Give back what was claimed under *tokens* and has not begun, as if it never had been."""
        with write_errors("releasing claims"):
            change: Change = [{"$set": RELEASED}, {"$unset": ["claim", "lease"]}]
            await self._update_held(tokens, NOT_BEGUN, change)

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
            if updated.found == len(ids):
                return ids
            if not updated.found:
                updated.or_raise()
            found = self.mongo.jobs.find(ours, {"_id": 1}, hint=BY_ID)
            return {document["_id"] async for document in found}

    async def renew(self, tokens: Sequence[str]) -> None:
        """Give every job that is claimed under one of *tokens* a new lease."""
        with write_errors("renewing leases"):
            change: Change = [{"$set": {"lease": LEASE_END}}]
            await self._update_held(tokens, {"state": State.SENDING.value}, change)

    async def _update_held(
        self, tokens: Sequence[str], guard: dict[str, Any], change: Change
    ) -> None:
        """Update what is claimed under *tokens*; one that cannot be changed stops no other."""
        jobs, held = self.mongo.jobs, {"claim": {"$in": list(tokens)}, **guard}
        try:
            await jobs.update_many(held, change, hint=BY_CLAIM)
        except WriteError as error:
            if not is_of_document(error):
                raise
            ids = [each["_id"] async for each in jobs.find(held, {"_id": 1}, hint=BY_CLAIM)]
            updated = await update_each(jobs, ids, held, change, MOST_HELD_OFFENDERS)
            self.told.tell([({"_id": each}, UNCHANGED) for each in updated.offenders])
            updated.or_raise()

    async def next_due(self, *, now: datetime) -> bool:
        """Tell whether anything waits that is due by *now*."""
        with store_errors("looking for due jobs"):
            return bool(await self._due(1, now))


def chosen(looks: Sequence[Sequence[str]], most: int) -> list[str]:
    """Choose *most* of what was seen, at random among those of one look, the first look first."""
    wanted: dict[str, None] = {}
    for seen in looks:
        left = [job_id for job_id in seen if job_id not in wanted]
        room = most - len(wanted)
        wanted |= dict.fromkeys(left if len(left) <= room else random.sample(left, room))
    return list(wanted)


def claimed(token: str) -> dict[str, Any]:
    return {
        "state": State.SENDING.value,
        "claim": token,
        "lease": LEASE_END,
        "begun": "$$REMOVE",
        "since": "$$NOW",
        "version": NEXT_VERSION,
    }


def is_due(*, since: datetime) -> dict[str, Any]:
    """Filter by the server's clock, so that a fast clock here sends nothing early.

    A claim that reaches the server long after the look is of no use: its owner has given it up,
    and what it took would wait for the end of a lease.
    """
    in_time = {"$lte": ["$$NOW", since + LATEST_CLAIM]}
    is_one_state = {"$in": ["$state", STATES]}  # an array with one of them is no state
    return {"$expr": {"$and": [{"$lte": ["$due", "$$NOW"]}, in_time, is_one_state]}}
