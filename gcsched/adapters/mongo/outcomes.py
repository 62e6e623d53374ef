"""Write what became of claimed jobs, many in one statement, each guarded by its claim."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from pymongo import UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, WriteError

from gcsched.adapters.mongo.codec import QUARANTINED, encode_attempt
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.documents import BY_ID
from gcsched.adapters.mongo.driver_errors import ENCODING_ERRORS, extract_code, is_document_error
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import FINAL_STATES, WAITING, Job, State
from gcsched.usecases.ports import Conclusion

Fields = dict[str, Any]

# One that was set aside as unreadable under our claim is concluded all the same: its outcome is
# made of the job as it was readable.
HELD_STATES = [State.SENDING.value, QUARANTINED]
PROOF_FIELDS = ("state", "since", "reason", "delete_after")
STATE_FIELDS = (*PROOF_FIELDS, "due", "attempt", "takebacks", "version")
IS_LIST = {"$isArray": "$attempts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoOutcomes:
    mongo: Mongo
    retention: timedelta

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write each conclusion if its claim still holds; give those that lost it.

        A lost claim with a proof of acceptance still makes the job SENT where that is true to
        tell: from UNCERTAIN, while it waits, and from a newer claim that has not begun its body.
        Never from CANCELLED: whoever cancelled it was told so.
        """
        with write_errors("writing outcomes"):
            try:
                return await self._conclude(conclusions)
            except (BulkWriteError, *ENCODING_ERRORS) as error:
                if not is_document_error(error):
                    raise
                if len(conclusions) == 1:
                    return await self._conclude_state_only(conclusions[0], error)
        half = len(conclusions) // 2
        return [
            *await self.conclude(conclusions[:half]),
            *await self.conclude(conclusions[half:]),
        ]

    async def _conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        answer = await self.mongo.jobs.bulk_write(self.build_writes(conclusions), ordered=False)
        if answer.matched_count == len(conclusions):
            return ()
        lost = await self._find_lost(conclusions)
        proofs = [self.build_proof_write(c.job) for c in lost if c.job.state is State.SENT]
        if proofs:
            await self.mongo.jobs.bulk_write(proofs, ordered=False)
        return lost

    async def _conclude_state_only(
        self, conclusion: Conclusion, cause: Exception
    ) -> Collection[Conclusion]:
        """Write the state alone where the whole outcome cannot be stored; else give it up as lost.

        Its lease ends then, and a sweep decides by its marks, as if this process had died.
        """
        job = conclusion.job
        fields, gone = encode_outcome(job, self.retention)
        short = {name: fields[name] for name in STATE_FIELDS if name in fields}
        change = {"$set": short, "$unset": dict.fromkeys(gone, "")}
        query = {"_id": job.id, "claim": conclusion.claim, "state": {"$in": HELD_STATES}}
        structlog.get_logger().error(
            "outcome not stored whole",
            job_id=job.id,
            state=job.state.value,
            error=type(cause).__name__,
            **extract_code(cause),
        )
        try:
            answer = await self.mongo.jobs.update_one(query, change, hint=BY_ID)
        except (WriteError, *ENCODING_ERRORS) as error:
            if not is_document_error(error):
                raise
            return [conclusion]
        return () if answer.matched_count else [conclusion]

    async def _find_lost(self, conclusions: Sequence[Conclusion]) -> list[Conclusion]:
        """Give those of *conclusions* that are not what the database says now."""
        ids = list({c.job.id for c in conclusions})  # two claims of one job may end together
        found = self.mongo.jobs.find({"_id": {"$in": ids}}, {"version": 1, "state": 1}, hint=BY_ID)
        now = {doc["_id"]: (doc.get("version"), doc.get("state")) async for doc in found}
        return [
            replace(c, found_state=str(state))
            for c in conclusions
            for version, state in [now.get(c.job.id, (None, None))]
            if (version, state) != (c.job.version, c.job.state.value)
        ]

    def build_writes(self, conclusions: Sequence[Conclusion]) -> list[UpdateMany]:
        """Make one statement for all that share a claim: half the cost of one for each job."""
        together: dict[tuple[str, ...], list[tuple[str, Fields]]] = {}
        for conclusion in conclusions:
            fields, gone = encode_outcome(conclusion.job, self.retention)
            alike = together.setdefault((conclusion.claim, *gone), [])
            alike.append((conclusion.job.id, fields))
        return [
            build_claim_write(dict(alike), claim=claim, unset=gone)
            for (claim, *gone), alike in together.items()
        ]

    def build_proof_write(self, job: Job) -> UpdateOne:
        """Make SENT of *job*, whoever has it now, unless another body has begun."""
        waiting = {"state": {"$in": [state.value for state in (State.UNCERTAIN, *WAITING)]}}
        not_begun = {"state": State.SENDING.value, "begun": {"$exists": False}}
        fields, gone = encode_outcome(job, self.retention)
        kept = {name: {"$literal": fields[name]} for name in PROOF_FIELDS}
        latest = {"$literal": fields["attempts"][-1:]}
        change = {
            **kept,
            "version": increment("version", job.version),
            "attempt": increment("attempt", job.attempt),
            "attempts": {"$concatArrays": [{"$cond": [IS_LIST, "$attempts", []]}, latest]},
        }
        return UpdateOne(
            {"_id": job.id, "$or": [waiting, not_begun]},
            [{"$set": change}, {"$unset": gone}],
            hint=BY_ID,
        )


def increment(name: str, otherwise: int) -> Fields:
    """Add one to a count; an expression that failed at one document would fail for all."""
    return {"$cond": [{"$isNumber": f"${name}"}, {"$add": [f"${name}", 1]}, otherwise]}


def build_claim_write(
    fields_by_id: dict[str, Fields], *, claim: str, unset: list[str]
) -> UpdateMany:
    """Merge into each claimed document its own fields, looked up by its place in the list."""
    ids, fields = list(fields_by_id), list(fields_by_id.values())
    place = {"$indexOfArray": [{"$literal": ids}, "$_id"]}
    own_fields = {"$arrayElemAt": [{"$literal": fields}, place]}
    return UpdateMany(
        {"_id": {"$in": ids}, "claim": claim, "state": {"$in": HELD_STATES}},
        [{"$replaceWith": {"$mergeObjects": ["$$ROOT", own_fields]}}, {"$unset": unset}],
        hint=BY_ID,
    )


def encode_outcome(job: Job, retention: timedelta) -> tuple[Fields, list[str]]:
    """Give what a claimed document must have and must lose to be *job*, its claim ended."""
    fields: Fields = {
        "state": job.state.value,
        "since": job.state_time,
        "due": job.due_time,
        "reason": job.reason,
        "attempt": job.attempt,
        "takebacks": job.lease_expirations,
        "version": job.version,
        "attempts": [encode_attempt(attempt) for attempt in job.attempts],
    }
    gone = ["claim", "lease", "begun", "aside"]
    if job.state in FINAL_STATES:
        fields["delete_after"] = job.state_time + retention
    if job.date is None:  # a fence may have stored one, and no body has left with it
        gone.append("date")
    if job.dedup_key is None:
        gone.append("dedup_key")
    if job.released_key is not None:
        fields["released_key"] = job.released_key
    return fields, gone
