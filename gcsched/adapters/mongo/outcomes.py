"""Write what became of claimed jobs, many in one command, each guarded by its claim."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pymongo import UpdateOne

from gcsched.adapters.mongo.codec import encode_attempt
from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.domain.job import FINAL, Job, State
from gcsched.usecases.ports import Conclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoOutcomes:
    mongo: Mongo
    retention: timedelta

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[str]:
        """Write each conclusion if its claim still holds; give the ids of those that lost it.

        A lost claim with a proof of acceptance still makes the job SENT where that is true to
        tell: from UNCERTAIN, from RETRYING, and from a newer claim that has not begun its body.
        """
        with store_errors("writing outcomes"):
            writes = [self.guarded(conclusion) for conclusion in conclusions]
            answer = await self.mongo.jobs.bulk_write(writes, ordered=False)
            if answer.matched_count == len(conclusions):
                return ()
            lost = await self._lost(conclusions)
            proofs = [self.proven(c.job) for c in lost if c.job.state is State.SENT]
            if proofs:
                await self.mongo.jobs.bulk_write(proofs, ordered=False)
        return {conclusion.job.id for conclusion in lost}

    async def _lost(self, conclusions: Sequence[Conclusion]) -> list[Conclusion]:
        """Give those of *conclusions* that are not what the database says now."""
        versions = {c.job.id: (c.job.version, c.job.state.value) for c in conclusions}
        found = self.mongo.jobs.find(
            {"_id": {"$in": list(versions)}}, {"version": 1, "state": 1, "_id": 1}
        )
        now = {doc["_id"]: (doc["version"], doc["state"]) async for doc in found}
        return [c for c in conclusions if now.get(c.job.id) != versions[c.job.id]]

    def guarded(self, conclusion: Conclusion) -> UpdateOne:
        job = conclusion.job
        ours = {"_id": job.id, "claim": conclusion.claim, "state": State.SENDING.value}
        return UpdateOne(ours, concluded(job, self.retention))

    def proven(self, job: Job) -> UpdateOne:
        """Make SENT of *job*, whoever has it now, unless another body has begun."""
        waiting = {"state": {"$in": [State.UNCERTAIN.value, State.RETRYING.value]}}
        not_begun = {"state": State.SENDING.value, "begun": {"$exists": False}}
        change = concluded(job, self.retention)
        change["$inc"] = {"version": 1}
        change["$push"] = {"attempts": change["$set"].pop("attempts")[-1]}
        del change["$set"]["version"]
        return UpdateOne({"_id": job.id, "$or": [waiting, not_begun]}, change)


def concluded(job: Job, retention: timedelta) -> dict[str, Any]:
    """Give the update that makes a claimed document into *job* and ends the claim."""
    fields: dict[str, Any] = {
        "state": job.state.value,
        "since": job.since,
        "due": job.due,
        "reason": job.reason,
        "attempt": job.attempt,
        "takebacks": job.takebacks,
        "version": job.version,
        "attempts": [encode_attempt(attempt) for attempt in job.attempts],
    }
    gone = {"claim": "", "lease": "", "begun": ""}
    if job.state in FINAL:
        fields["delete_after"] = job.since + retention
    if job.dedup_key is None:
        gone["dedup_key"] = ""
    return {"$set": fields, "$unset": gone}
