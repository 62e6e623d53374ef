"""Find what was left behind and repair it, everything by index."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pymongo import UpdateOne

from gcsched.adapters.mongo.bulk_write import BulkUpdate, write_each
from gcsched.adapters.mongo.claims import CLAIMABLE_STATES
from gcsched.adapters.mongo.codec import UnreadableDocument, decode_each
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_ID, BY_LEASE, BY_STATE_AND_DUE
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
    "what became of it cannot be stored: it is too large, or a rule of the collection forbids it"
)
LEASE_EXPIRED = {"$expr": {"$lte": ["$lease", "$$NOW"]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoRecovery:
    mongo: Mongo
    retention: timedelta
    now: Clock
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)

    async def find_due_seconds(self, after: datetime, until: datetime) -> Collection[int]:
        """Give the distinct due seconds of waiting jobs in (after, until]: one key each."""
        seconds: set[int] = set()
        with store_errors("looking for seconds to ring"):
            for state in CLAIMABLE:
                query = {"state": state.value, "due": {"$gt": after, "$lte": until}}
                found = await self.mongo.jobs.distinct("due", query)
                # Of an array it tells each element, whatever that is.
                moments = [each.replace(tzinfo=UTC) for each in found if isinstance(each, datetime)]
                seconds |= {int(each.timestamp()) for each in moments if after < each <= until}
        return seconds

    async def find_orphans(self, most: int) -> list[Orphan]:
        """Give at most *most* claimed jobs whose lease is over."""
        with store_errors("looking for expired leases"):
            # The plain bound serves the index; the server's clock has the last word.
            query = {
                "lease": {"$lte": self.now() + timedelta(seconds=1)},
                **IS_CLAIMED,
                **LEASE_EXPIRED,
            }
            documents = await self.mongo.jobs.find(query, hint=BY_LEASE).to_list(most)
            orphans, unreadable = decode_orphans(documents)
            if unreadable:
                self.unreadable_log.warn(unreadable)
                # Its claim and its begun stay: what became of the mail is told by them (P3).
                await self._quarantine(unreadable)
        return orphans

    async def _quarantine(
        self, unreadable: Sequence[UnreadableDocument], unfit: str = ""
    ) -> BulkUpdate:
        how = Quarantine(unset=["lease"], reason=unfit)
        return await quarantine(self.mongo.jobs, unreadable, {**IS_CLAIMED, **LEASE_EXPIRED}, how)

    async def repair(self, most: int) -> int:
        """Repair states that cannot be, *most* of each kind; give how many."""
        with store_errors("looking for states that cannot be"):
            await warn_unknown_states(self.mongo.jobs)
            leased = await lease_unheld(self.mongo.jobs, most)
            return leased + await release_stale_claims(self.mongo.jobs, most)

    async def check_unreadable(self, most: int) -> int:
        """Set aside what cannot be read, take up what was mended; give how many leases ended."""
        jobs = self.mongo.jobs
        with store_errors("looking at unreadable jobs"):
            await release_repaired(jobs, self.unreadable_log)
            await quarantine_waiting(jobs, now=self.now(), unreadable_log=self.unreadable_log)
            return await reset_endless_leases(jobs, most)

    async def conclude_orphans(self, conclusions: Sequence[tuple[Orphan, Conclusion]]) -> int:
        """Write each conclusion if its orphan is still as it was seen; give how many were.

        One that cannot be changed is told and set aside, and stops no other.
        """
        writes = [self._build_conclusion(orphan, conclusion) for orphan, conclusion in conclusions]
        with write_errors("taking back expired leases"):
            found, places = await write_each(self.mongo.jobs, writes)
            if places:
                unfit = [({"_id": conclusions[place][0].job.id}, NOT_STORABLE) for place in places]
                self.unreadable_log.warn(unfit)
                done = await self._quarantine(unfit, NOT_STORABLE)
                if not found:
                    done.raise_refusal()
        return found

    async def find_expired(self, most: int) -> list[Job]:
        """Give those past their time among the *most* jobs that have been due for longest.

        It looks at no others: without an index on `not_after`, that would be all that wait.
        """
        now = self.now()
        waiting = {"state": {"$in": CLAIMABLE_STATES}}
        with store_errors("looking for jobs past their time"):
            found = self.mongo.jobs.find({**waiting, "due": {"$lte": now}}, {"not_after": 1})
            found = found.sort("due", 1).limit(most).hint(BY_STATE_AND_DUE)
            late = [each["_id"] async for each in found if is_expired(each.get("not_after"), now)]
            if not late:
                return []
            query = {"_id": {"$in": late}, **waiting}
            documents = await self.mongo.jobs.find(query, hint=BY_ID).to_list(most)
        return [job for _, job in decode_each(documents)[0]]

    async def expire(self, ended: Sequence[Job]) -> int:
        """Write *ended* where they wait as they were seen; give how many did."""
        writes = [self._build_expiry(job) for job in ended]
        with write_errors("ending jobs past their time"):
            found, places = await write_each(self.mongo.jobs, writes)
            self.unreadable_log.warn([({"_id": ended[place].id}, NOT_STORABLE) for place in places])
        return found

    def _build_expiry(self, ended: Job) -> UpdateOne:
        fields, gone = encode_outcome(ended, self.retention)
        seen = {"_id": ended.id, "state": {"$in": CLAIMABLE_STATES}, "version": ended.version - 1}
        return UpdateOne(seen, {"$set": fields, "$unset": dict.fromkeys(gone, "")}, hint=BY_ID)

    def _build_conclusion(self, orphan: Orphan, conclusion: Conclusion) -> UpdateOne:
        fields, gone = encode_outcome(conclusion.job, self.retention)
        seen = {
            "_id": orphan.job.id,
            "claim": orphan.claim,
            "state": State.SENDING.value,
            "begun": orphan.begun,  # None: it is missing
        }
        change = {"$set": fields, "$unset": dict.fromkeys(gone, "")}
        return UpdateOne({**seen, **LEASE_EXPIRED}, change, hint=BY_ID)


def decode_orphans(documents: Sequence[Document]) -> tuple[list[Orphan], list[UnreadableDocument]]:
    readable, unreadable = decode_each(documents)
    held = ((document["claim"], job) for document, job in readable)
    return [Orphan(job=job, claim=claim, begun=job.begun) for claim, job in held], unreadable


def is_expired(not_after: object, now: datetime) -> bool:
    """Tell whether a document is past its time; where somebody has spoilt that, it is not."""
    return isinstance(not_after, datetime) and not_after < now
