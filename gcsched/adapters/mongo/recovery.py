"""Recovery for sweeps: orphans, expired jobs and impossible states. Every query uses an index."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pymongo import UpdateOne

from gcsched.adapters.mongo.bulk_write import BulkUpdate, write_each
from gcsched.adapters.mongo.claims import CLAIMABLE_STATES
from gcsched.adapters.mongo.codec import UnreadableDocument, decode_each
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.index_names import BY_ID, BY_STATE_AND_DUE
from gcsched.adapters.mongo.outcomes import encode_outcome
from gcsched.adapters.mongo.quarantine import (
    Quarantine,
    UnreadableLog,
    quarantine,
    quarantine_waiting,
    release_repaired,
    warn_unknown_states,
)
from gcsched.adapters.mongo.repairs import (
    lease_unheld,
    release_stale_claims,
    reset_endless_leases,
)
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import CLAIMABLE, Job, State
from gcsched.usecases.ports import Clock, Conclusion, Orphan

IS_CLAIMED = {"state": State.SENDING.value, "claim": {"$type": "string"}}
NOT_STORABLE = (
    "its outcome cannot be stored: it is too large, or a rule of the collection forbids it"
)
LEASE_EXPIRED = {"$expr": {"$lte": ["$lease", "$$NOW"]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoRecovery:
    """The port `RecoveryStore` on MongoDB."""

    mongo: Mongo
    retention: timedelta
    now: Clock
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)

    async def find_due_seconds(self, after: datetime, until: datetime) -> Collection[int]:
        """Return the distinct due seconds of waiting jobs in (after, until]."""
        seconds: set[int] = set()
        with store_errors("looking for due seconds"):
            for state in CLAIMABLE:
                query = {"state": state.value, "due": {"$gt": after, "$lte": until}}
                # One state at a time: `distinct` then skips through the index by key.
                found = await self.mongo.jobs.distinct("due", query)
                # For an array it returns every element, of any type.
                times = [each.replace(tzinfo=UTC) for each in found if isinstance(each, datetime)]
                seconds |= {int(each.timestamp()) for each in times if after < each <= until}
        return seconds

    async def find_orphans(self, most: int) -> list[Orphan]:
        """Return at most *most* claimed jobs whose lease has expired.

        Reads all claimed jobs, which are as many as the processes hold: an index on `lease` would
        cost more at every claim, renewal and outcome than it saves here.
        """
        with store_errors("looking for expired leases"):
            # The plain bound rejects most at less cost, with a second for a slow clock here.
            # LEASE_EXPIRED then decides by the server's clock.
            query = {
                "lease": {"$lte": self.now() + timedelta(seconds=1)},
                **IS_CLAIMED,
                **LEASE_EXPIRED,
            }
            found = self.mongo.jobs.find(query, hint=BY_STATE_AND_DUE)
            documents = await found.limit(most).to_list(most)
            orphans, unreadable = decode_orphans(documents)
            if unreadable:
                self.unreadable_log.warn(unreadable)
                # `claim` and `begun` stay: they show later whether a mail may have left (P3).
                await self._quarantine(unreadable)
        return orphans

    async def _quarantine(
        self, unreadable: Sequence[UnreadableDocument], reason: str = ""
    ) -> BulkUpdate:
        how = Quarantine(unset=["lease"], reason=reason)
        return await quarantine(self.mongo.jobs, unreadable, {**IS_CLAIMED, **LEASE_EXPIRED}, how)

    async def repair(self, most: int) -> int:
        """Repair impossible states, *most* of each kind; return how many."""
        with store_errors("looking for impossible states"):
            await warn_unknown_states(self.mongo.jobs)
            leased = await lease_unheld(self.mongo.jobs, most)
            return leased + await release_stale_claims(self.mongo.jobs, most)

    async def check_unreadable(self, most: int) -> int:
        """Quarantine unreadable jobs, release repaired ones; return how many leases were reset."""
        jobs = self.mongo.jobs
        with store_errors("checking unreadable jobs"):
            await release_repaired(jobs, self.unreadable_log)
            await quarantine_waiting(jobs, now=self.now(), unreadable_log=self.unreadable_log)
            return await reset_endless_leases(jobs, most)

    async def conclude_orphans(self, conclusions: Sequence[tuple[Orphan, Conclusion]]) -> int:
        """Write each conclusion if its orphan is still as it was read; return how many were.

        One that cannot be written is logged and quarantined, and does not stop the others.
        """
        writes = [self._build_conclusion(orphan, conclusion) for orphan, conclusion in conclusions]
        with write_errors("taking back expired leases"):
            matched, failed = await write_each(self.mongo.jobs, writes)
            if failed:
                unfit = [({"_id": conclusions[each][0].job.id}, NOT_STORABLE) for each in failed]
                self.unreadable_log.warn(unfit)
                done = await self._quarantine(unfit, NOT_STORABLE)
                if not matched:
                    done.raise_refusal()
        return matched

    async def find_expired(self, most: int) -> list[Job]:
        """Return the expired jobs among the *most* that have been due for longest.

        `not_after` has no index, so finding all expired jobs would read every waiting one. Expired
        jobs are the longest due as a rule, and a claim expires the others.
        """
        now = self.now()
        waiting = {"state": {"$in": CLAIMABLE_STATES}}
        with store_errors("looking for expired jobs"):
            found = self.mongo.jobs.find({**waiting, "due": {"$lte": now}}, {"not_after": 1})
            found = found.sort("due", 1).limit(most).hint(BY_STATE_AND_DUE)
            ids = [each["_id"] async for each in found if is_expired(each.get("not_after"), now)]
            if not ids:
                return []
            query = {"_id": {"$in": ids}, **waiting}
            documents = await self.mongo.jobs.find(query, hint=BY_ID).to_list(most)
        return [job for _, job in decode_each(documents)[0]]

    async def expire(self, ended: Sequence[Job]) -> int:
        """Write *ended* for the jobs that still wait as they were read; return how many did."""
        writes = [self._build_expiry(job) for job in ended]
        with write_errors("expiring jobs"):
            matched, failed = await write_each(self.mongo.jobs, writes)
            self.unreadable_log.warn([({"_id": ended[each].id}, NOT_STORABLE) for each in failed])
        return matched

    def _build_expiry(self, ended: Job) -> UpdateOne:
        fields, removed = encode_outcome(ended, self.retention)
        seen = {"_id": ended.id, "state": {"$in": CLAIMABLE_STATES}, "version": ended.version - 1}
        return UpdateOne(seen, {"$set": fields, "$unset": dict.fromkeys(removed, "")}, hint=BY_ID)

    def _build_conclusion(self, orphan: Orphan, conclusion: Conclusion) -> UpdateOne:
        fields, removed = encode_outcome(conclusion.job, self.retention)
        seen = {
            "_id": orphan.job.id,
            "claim": orphan.claim,
            "state": State.SENDING.value,
            "begun": orphan.begun,  # null also matches a missing field
        }
        change = {"$set": fields, "$unset": dict.fromkeys(removed, "")}
        # LEASE_EXPIRED once more: the process may have renewed its lease meanwhile.
        return UpdateOne({**seen, **LEASE_EXPIRED}, change, hint=BY_ID)


def decode_orphans(documents: Sequence[Document]) -> tuple[list[Orphan], list[UnreadableDocument]]:
    readable, unreadable = decode_each(documents)
    held = ((document["claim"], job) for document, job in readable)
    return [Orphan(job=job, claim=claim, begun=job.begun) for claim, job in held], unreadable


def is_expired(not_after: object, now: datetime) -> bool:
    """Return whether a document has expired; a field that is not a date never does."""
    return isinstance(not_after, datetime) and not_after < now
