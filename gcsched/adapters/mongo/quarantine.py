"""The quarantine of jobs that cannot be read, and their release once they are repaired.

A quarantined job is in the stored state UNREADABLE, which no other statement claims or moves. Its
field `aside` keeps the previous state; `unfit` says why a readable job is here, for example because
it is too large to be changed. Versions that do not know the state only log it (ADR 0020).
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from pymongo import UpdateOne

from gcsched.adapters.mongo.bulk_write import BulkUpdate, update_each, write_each
from gcsched.adapters.mongo.codec import (
    DECODE_ERRORS,
    QUARANTINED,
    UnreadableDocument,
    decode,
    decode_each,
    describe_decode_error,
    find_quarantine_reason,
)
from gcsched.adapters.mongo.connection import Collection, Document
from gcsched.adapters.mongo.index_names import BY_ID, BY_STATE_AND_DUE
from gcsched.domain.job import CLAIMABLE, WAITING, State

Query = dict[str, Any]

KNOWN_STATES = [QUARANTINED, *(state.value for state in State)]
PLACEHOLDER_CLAIM = "nobody"  # of a job without a claim, so that a sweep finds it as an orphan
CLAIM_OR_PLACEHOLDER = {
    "$cond": [{"$eq": [{"$type": "$claim"}, "string"]}, "$claim", PLACEHOLDER_CLAIM]
}
LOG_INTERVAL_SECONDS = 600.0
RETRY_INTERVAL_MS = 600_000
MAX_REMEMBERED, MAX_COUNTED = 10_000, 10_000
MAX_LOG_LINES, MAX_STATE_NAMES, MAX_NAME_LENGTH = 20, 10, 64
BATCH_SIZE, MAX_ROUNDS = 100, 10
MIN_OVERDUE = timedelta(seconds=5)  # by then it is claimed, unless no claim can read it
# Every BSON type but dates; null and the empty array have a query of their own.
NON_DATE_TYPES = [
    *("minKey", "number", "string", "object", "binData", "objectId", "bool", "timestamp"),
    *("regex", "dbPointer", "javascript", "symbol", "maxKey"),
]
IS_RETRY_DUE = {  # by the server's clock; a missing `unfit` compares as less than any date
    "$expr": {"$lte": ["$unfit.at", {"$subtract": ["$$NOW", RETRY_INTERVAL_MS]}]}
}
ADVICE = "repair the field or delete the document; a repaired job is released by the next sweep"


@dataclass(slots=True, kw_only=True, eq=False)
class UnreadableLog:
    """The log of unreadable documents: each is logged once in ten minutes, not by every sweep."""

    clock: Callable[[], float] = time.monotonic
    _logged_at: dict[str, float] = field(default_factory=dict, init=False)

    def is_new(self, subject: object) -> bool:
        """Return whether *subject* was not logged lately, and remember it.

        When too many are remembered, new ones count as known: the log must not grow without limit.
        """
        now, key = self.clock(), str(subject)[:MAX_NAME_LENGTH]
        if now - self._logged_at.get(key, -LOG_INTERVAL_SECONDS) < LOG_INTERVAL_SECONDS:
            return False
        if len(self._logged_at) >= MAX_REMEMBERED:
            self._logged_at = {
                each: at for each, at in self._logged_at.items() if now - at < LOG_INTERVAL_SECONDS
            }
        if len(self._logged_at) < MAX_REMEMBERED:
            self._logged_at[key] = now
        return key in self._logged_at

    def warn(self, unreadable: Sequence[UnreadableDocument]) -> None:
        """Log each job that was not logged in the last ten minutes, without its values."""
        log = structlog.get_logger()
        new = [each for each in unreadable if self.is_new(each[0].get("_id"))]
        for document, problem in new[:MAX_LOG_LINES]:
            job_id = str(document.get("_id"))[:MAX_NAME_LENGTH]
            log.warning("job unreadable", job_id=job_id, problem=problem, do=ADVICE)
        if len(new) > MAX_LOG_LINES:
            log.warning("jobs unreadable", more=len(new) - MAX_LOG_LINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """How a job is quarantined.

    *previous_state* is the state that `aside` keeps, as an expression; *unset* are the fields to
    remove; *reason* is why a readable job is quarantined, which its document does not show.
    """

    previous_state: object = "$state"
    unset: Sequence[str] = ()
    reason: str = ""

    @property
    def change(self) -> list[Query]:
        fields: Query = {"aside": self.previous_state, "state": QUARANTINED}
        removed = [*self.unset]
        if self.reason:
            fields["unfit"] = {"why": {"$literal": self.reason}, "at": "$$NOW"}
        else:
            removed.append("unfit")
        return [{"$set": fields}, *([{"$unset": removed}] if removed else [])]


DEFAULT_QUARANTINE = Quarantine()


async def quarantine(
    jobs: Collection,
    unreadable: Sequence[UnreadableDocument],
    guard: Query,
    how: Quarantine = DEFAULT_QUARANTINE,
) -> BulkUpdate:
    """Quarantine those of *unreadable* that still match *guard*.

    The offenders in the returned update are the documents that MongoDB cannot change at all.
    """
    ids, change = [document["_id"] for document, _ in unreadable], how.change
    return await update_each(jobs, ids, guard, change)


async def quarantine_waiting(
    jobs: Collection, *, now: datetime, unreadable_log: UnreadableLog
) -> None:
    """Quarantine waiting jobs that no claim finds or can read.

    A claim compares `due` with a date, so it never finds a job whose `due` has another type.
    """
    waiting: Query = {"state": {"$in": [state.value for state in WAITING]}}
    odd: tuple[Query, ...] = ({"$in": [None, []]}, {"$type": NON_DATE_TYPES})
    for due in odd:
        await quarantine_batch(jobs, waiting | {"due": due}, unreadable_log)
    # A claim finds these, but would have taken them by now if it could decode them.
    claimable: Query = {"state": {"$in": [state.value for state in CLAIMABLE]}}
    long_due = claimable | {"due": {"$lte": now - MIN_OVERDUE}}
    for _ in range(MAX_ROUNDS):
        if not await quarantine_batch(jobs, long_due, unreadable_log):
            return


async def quarantine_batch(jobs: Collection, query: Query, unreadable_log: UnreadableLog) -> int:
    """Quarantine the unreadable jobs among the first that match *query*; return their number."""
    found = jobs.find(query, sort=[("due", 1)], hint=BY_STATE_AND_DUE, limit=BATCH_SIZE)
    _, unreadable = decode_each(await found.to_list(BATCH_SIZE))
    if unreadable:
        unreadable_log.warn(unreadable)
        done = (await quarantine(jobs, unreadable, query)).raise_refusal()
        return len(unreadable) - len(done.offenders)
    return 0


async def release_repaired(jobs: Collection, unreadable_log: UnreadableLog) -> None:
    """Release the quarantined jobs that are readable again; log the others from time to time.

    A job that was claimed keeps its claim, and its lease ends now. A sweep then decides about it as
    about any orphan (P3).
    """
    query = {"state": QUARANTINED}
    count = await jobs.count_documents(query, hint=BY_STATE_AND_DUE, limit=MAX_COUNTED)
    if not count:
        return
    # A random batch, so that many that stay unreadable do not hide a repaired one permanently.
    skip = random.SystemRandom().randint(0, max(0, count - BATCH_SIZE))
    found = jobs.find(query, hint=BY_STATE_AND_DUE, skip=skip, limit=BATCH_SIZE)
    repaired: list[Document] = []
    unfit: list[Document] = []
    for document in await found.to_list(BATCH_SIZE):
        try:
            decode({**document, "state": document["aside"]})
        except DECODE_ERRORS as error:
            unreadable_log.warn([(document, describe_decode_error(error))])
        else:
            (repaired if find_quarantine_reason(document) is None else unfit).append(document)
    unreadable_log.warn([(each, str(find_quarantine_reason(each))) for each in unfit])
    await release(jobs, repaired, "jobs readable again")
    await release(jobs, unfit, "quarantined jobs tried again")
    if unreadable_log.is_new(QUARANTINED):
        structlog.get_logger().warning(
            "jobs quarantined", count=count, state=QUARANTINED, do=ADVICE
        )


async def release(jobs: Collection, documents: Sequence[Document], event: str) -> None:
    if not documents:
        return
    count, _ = await write_each(jobs, [*map(build_release, documents)])
    if count:
        structlog.get_logger().info(event, count=count)


def build_release(document: Document) -> UpdateOne:
    """Build the update that gives a quarantined job its state back, if it is still as read."""
    state = document["aside"]
    fields: Query = {"state": state}
    if state == State.SENDING.value:
        fields |= {"claim": CLAIM_OR_PLACEHOLDER, "lease": "$$NOW"}
    seen = {"_id": document["_id"], "state": QUARANTINED, "aside": state, **IS_RETRY_DUE}
    return UpdateOne(seen, [{"$set": fields}, {"$unset": ["aside", "unfit"]}], hint=BY_ID)


async def warn_unknown_states(jobs: Collection) -> None:
    """Log jobs in a state that this version does not know: only an operator can correct them."""
    found = jobs.find({"state": {"$nin": KNOWN_STATES}}, {"state": 1}, hint=BY_STATE_AND_DUE)
    counts: dict[str, int] = {}
    async for document in found.limit(MAX_COUNTED):
        name = str(document.get("state"))[:MAX_NAME_LENGTH]
        if name in counts or len(counts) < MAX_STATE_NAMES:
            counts[name] = counts.get(name, 0) + 1
    if counts:
        structlog.get_logger().warning("jobs in unknown states", jobs=counts)
