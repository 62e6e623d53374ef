"""Outcomes of claimed jobs: many in one statement, each written only while its claim holds."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from pymongo import UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError, WriteError

from gcsched.adapters.mongo.codec import QUARANTINED, encode_attempt
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.driver_errors import ENCODING_ERRORS, extract_code, is_document_error
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import FINAL_STATES, WAITING, Job, State
from gcsched.usecases.ports import Conclusion

Fields = dict[str, Any]

# A job may be quarantined while a process sends it. Its outcome is written all the same: it is made
# from the job as the process claimed it, when it was readable.
HELD_STATES = [State.SENDING.value, QUARANTINED]
PROOF_FIELDS = ("state", "since", "reason", "delete_after")
STATE_FIELDS = (*PROOF_FIELDS, "due", "attempt", "takebacks", "version")
IS_LIST = {"$isArray": "$attempts"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoOutcomes:
    """The port `Outcomes` on MongoDB."""

    mongo: Mongo
    retention: timedelta

    async def conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        """Write each conclusion if its claim still holds; return those whose claim is lost.

        A relay may have accepted the mail of a lost claim. That job still becomes SENT from
        UNCERTAIN, while it waits, and from a newer claim that has not begun its body. It stays
        CANCELLED if it was cancelled: the caller has that reply already.
        """
        with write_errors("writing outcomes"):
            try:
                return await self._conclude(conclusions)
            except (BulkWriteError, *ENCODING_ERRORS) as error:
                if not is_document_error(error):
                    raise
                if len(conclusions) == 1:
                    return await self._conclude_state_only(conclusions[0], error)
        # One outcome cannot be stored and fails the whole statement. Halve until it is alone.
        half = len(conclusions) // 2
        return [
            *await self.conclude(conclusions[:half]),
            *await self.conclude(conclusions[half:]),
        ]

    async def _conclude(self, conclusions: Sequence[Conclusion]) -> Collection[Conclusion]:
        result = await self.mongo.jobs.bulk_write(self.build_writes(conclusions), ordered=False)
        if result.matched_count == len(conclusions):
            return ()
        lost = await self._find_lost(conclusions)
        proofs = [self.build_proof_write(c.job) for c in lost if c.job.state is State.SENT]
        if proofs:
            await self.mongo.jobs.bulk_write(proofs, ordered=False)
        return lost

    async def _conclude_state_only(
        self, conclusion: Conclusion, cause: Exception
    ) -> Collection[Conclusion]:
        """Write the state alone if the whole outcome cannot be stored; else return it as lost.

        The lease of a lost one expires, and a sweep decides by `begun` and the sent markers, as if
        this process had died.
        """
        job = conclusion.job
        fields, removed = encode_outcome(job, self.retention)
        state_only = {name: fields[name] for name in STATE_FIELDS if name in fields}
        change = {"$set": state_only, "$unset": dict.fromkeys(removed, "")}
        query = {"_id": job.id, "claim": conclusion.claim, "state": {"$in": HELD_STATES}}
        structlog.get_logger().error(
            "outcome cannot be stored, storing the state only",
            job_id=job.id,
            state=job.state.value,
            error=type(cause).__name__,
            **extract_code(cause),
        )
        try:
            result = await self.mongo.jobs.update_one(query, change, hint=BY_ID)
        except (WriteError, *ENCODING_ERRORS) as error:
            if not is_document_error(error):
                raise
            return [conclusion]
        return () if result.matched_count else [conclusion]

    async def _find_lost(self, conclusions: Sequence[Conclusion]) -> list[Conclusion]:
        """Return those of *conclusions* that are not stored.

        A conclusion that was written before, and whose reply was lost, matches no claim either. Its
        state and version are stored, so it is not lost.
        """
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
        """Build one update per claim, at half the cost of one per job.

        `$unset` cannot differ between the documents of an update, so the fields to remove are part
        of the group's key.
        """
        groups: dict[tuple[str, ...], list[tuple[str, Fields]]] = {}
        for conclusion in conclusions:
            fields, removed = encode_outcome(conclusion.job, self.retention)
            group = groups.setdefault((conclusion.claim, *removed), [])
            group.append((conclusion.job.id, fields))
        return [
            build_claim_write(dict(group), claim=claim, unset=removed)
            for (claim, *removed), group in groups.items()
        ]

    def build_proof_write(self, job: Job) -> UpdateOne:
        """Build the update that makes *job* SENT under any claim, unless another body has begun.

        It changes only what the proof says and adds to the counts: a newer claim may have raised
        them meanwhile. `$literal` keeps a relay's text from being read as an expression.
        """
        waiting = {"state": {"$in": [state.value for state in (State.UNCERTAIN, *WAITING)]}}
        not_begun = {"state": State.SENDING.value, "begun": {"$exists": False}}
        fields, removed = encode_outcome(job, self.retention)
        proof = {name: {"$literal": fields[name]} for name in PROOF_FIELDS}
        latest = {"$literal": fields["attempts"][-1:]}
        change = {
            **proof,
            "version": increment("version", job.version),
            "attempt": increment("attempt", job.attempt),
            "attempts": {"$concatArrays": [{"$cond": [IS_LIST, "$attempts", []]}, latest]},
        }
        return UpdateOne(
            {"_id": job.id, "$or": [waiting, not_begun]},
            [{"$set": change}, {"$unset": removed}],
            hint=BY_ID,
        )


def increment(name: str, default: int) -> Fields:
    """Return the expression that adds 1 to a count, or sets *default* if it is not a number.

    `$add` alone would fail at such a document, and with it the whole statement.
    """
    return {"$cond": [{"$isNumber": f"${name}"}, {"$add": [f"${name}", 1]}, default]}


def build_claim_write(
    fields_by_id: dict[str, Fields], *, claim: str, unset: list[str]
) -> UpdateMany:
    """Build one update that merges into each claimed document its own fields.

    The statement carries the ids and the fields as two lists. For each document the server looks up
    the position of its `_id` in the first and takes the fields at that position from the second.
    """
    ids, fields = list(fields_by_id), list(fields_by_id.values())
    position = {"$indexOfArray": [{"$literal": ids}, "$_id"]}
    own_fields = {"$arrayElemAt": [{"$literal": fields}, position]}
    return UpdateMany(
        {"_id": {"$in": ids}, "claim": claim, "state": {"$in": HELD_STATES}},
        # `$mergeObjects` keeps what a newer version may have added to the document.
        [{"$replaceWith": {"$mergeObjects": ["$$ROOT", own_fields]}}, {"$unset": unset}],
        hint=BY_ID,
    )


def encode_outcome(job: Job, retention: timedelta) -> tuple[Fields, list[str]]:
    """Return the fields to set and the fields to remove so that a claimed document stores *job*.

    The claim ends with it. Fields that no outcome changes are left out.
    """
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
    removed = ["claim", "lease", "begun", "aside"]
    if job.state in FINAL_STATES:
        fields["delete_after"] = job.state_time + retention
    if job.date is None:  # the fence may have stored one, but no body has left with it
        removed.append("date")
    if job.dedup_key is None:
        removed.append("dedup_key")
    if job.released_key is not None:
        fields["released_key"] = job.released_key
    return fields, removed
