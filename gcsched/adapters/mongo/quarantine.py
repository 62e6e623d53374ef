"""Jobs that cannot be read: set aside where operators see them, taken up again once mended.

Such a job is in the state UNREADABLE, which no statement of ours claims or moves; `aside` keeps the
state that it had. Processes of versions that do not know it warn of it and leave it alone.
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
from gcsched.adapters.mongo.documents import BY_ID, BY_STATE_AND_DUE
from gcsched.domain.job import CLAIMABLE, WAITING, State

Query = dict[str, Any]

KNOWN_STATES = [QUARANTINED, *(state.value for state in State)]
NO_CLAIM = "nobody"
CLAIM_OR_NONE = {"$cond": [{"$eq": [{"$type": "$claim"}, "string"]}, "$claim", NO_CLAIM]}
LOG_INTERVAL_SECONDS = 600.0
RETRY_INTERVAL_MS = 600_000
MAX_REMEMBERED, MAX_LOG_LINES, MAX_STATE_NAMES, MAX_NAME_LENGTH, MAX_COUNTED = (
    10_000,
    20,
    10,
    64,
    10_000,
)
BATCH_SIZE, MAX_ROUNDS = 100, 10
MIN_OVERDUE = timedelta(seconds=5)  # by then it has been claimed, if anything can claim it
NON_DATE_TYPES = [
    *("minKey", "number", "string", "object", "binData", "objectId", "bool", "timestamp"),
    *("regex", "dbPointer", "javascript", "symbol", "maxKey"),
]
IS_RETRY_DUE = {  # by the server's clock; what is missing is less than any date
    "$expr": {"$lte": ["$unfit.at", {"$subtract": ["$$NOW", RETRY_INTERVAL_MS]}]}
}
ADVICE = "mend the field or delete the document; once mended it is taken up again by itself"


@dataclass(slots=True, kw_only=True, eq=False)
class UnreadableLog:
    """Remember for ten minutes what was told, so that no log line comes with every look."""

    clock: Callable[[], float] = time.monotonic
    _logged_at: dict[str, float] = field(default_factory=dict, init=False)

    def is_new(self, what: object) -> bool:
        now, key = self.clock(), str(what)[:MAX_NAME_LENGTH]
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
        """Log each job once in ten minutes, by what is wrong and not by its values."""
        log = structlog.get_logger()
        news = [each for each in unreadable if self.is_new(each[0].get("_id"))]
        for document, problem in news[:MAX_LOG_LINES]:
            job_id = str(document.get("_id"))[:MAX_NAME_LENGTH]
            log.warning("job unreadable", job_id=job_id, problem=problem, do=ADVICE)
        if len(news) > MAX_LOG_LINES:
            log.warning("jobs unreadable", more=len(news) - MAX_LOG_LINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """How a job is set aside: *previous_state* is the state to be kept, *unset* are fields that it loses.

    *reason* is what no look at the document tells: why it could not be changed.
    """

    previous_state: object = "$state"
    unset: Sequence[str] = ()
    reason: str = ""

    @property
    def build_change(self) -> list[Query]:
        fields: Query = {"aside": self.previous_state, "state": QUARANTINED}
        gone = [*self.unset]
        if self.reason:
            fields["unfit"] = {"why": {"$literal": self.reason}, "at": "$$NOW"}
        else:
            gone.append("unfit")
        return [{"$set": fields}, *([{"$unset": gone}] if gone else [])]


DEFAULT_QUARANTINE = Quarantine()


async def quarantine(
    jobs: Collection,
    unreadable: Sequence[UnreadableDocument],
    guard: Query,
    how: Quarantine = DEFAULT_QUARANTINE,
) -> BulkUpdate:
    """Set those aside that *guard* still finds.

    The offenders of what is returned are those that MongoDB cannot change at all.
    """
    ids, change = [document["_id"] for document, _ in unreadable], how.build_change
    return await update_each(jobs, ids, guard, change)


async def quarantine_waiting(
    jobs: Collection, *, now: datetime, unreadable_log: UnreadableLog
) -> None:
    """Set aside what waits and no claim finds or takes: a due time or a state that is none."""
    waiting: Query = {"state": {"$in": [state.value for state in WAITING]}}
    odd: tuple[Query, ...] = ({"$in": [None, []]}, {"$type": NON_DATE_TYPES})
    for due in odd:
        await quarantine_batch(jobs, waiting | {"due": due}, unreadable_log)
    claimable: Query = {"state": {"$in": [state.value for state in CLAIMABLE]}}
    long_due = claimable | {"due": {"$lte": now - MIN_OVERDUE}}
    for _ in range(MAX_ROUNDS):
        if not await quarantine_batch(jobs, long_due, unreadable_log):
            return


async def quarantine_batch(jobs: Collection, query: Query, told: UnreadableLog) -> int:
    """Set aside the unreadable ones of the first that *query* finds; return how many they are."""
    found = jobs.find(query, sort=[("due", 1)], hint=BY_STATE_AND_DUE, limit=BATCH_SIZE)
    _, unreadable = decode_each(await found.to_list(BATCH_SIZE))
    if unreadable:
        told.warn(unreadable)
        done = (await quarantine(jobs, unreadable, query)).raise_refusal()
        return len(unreadable) - len(done.offenders)
    return 0


async def release_repaired(jobs: Collection, told: UnreadableLog) -> None:
    """Look at those set aside, and take up what has been mended; tell of the others at times.

    What was claimed keeps its claim, and its lease ends now: an orphan like any other (P3).
    """
    query = {"state": QUARANTINED}
    count = await jobs.count_documents(query, hint=BY_STATE_AND_DUE, limit=MAX_COUNTED)
    if not count:
        return
    skip = random.SystemRandom().randint(0, max(0, count - BATCH_SIZE))  # so that each has its turn
    found = jobs.find(query, hint=BY_STATE_AND_DUE, skip=skip, limit=BATCH_SIZE)
    mended: list[Document] = []
    unfit: list[Document] = []
    for document in await found.to_list(BATCH_SIZE):
        try:
            decode({**document, "state": document["aside"]})
        except DECODE_ERRORS as error:
            told.warn([(document, describe_decode_error(error))])
        else:
            (mended if find_quarantine_reason(document) is None else unfit).append(document)
    told.warn([(each, str(find_quarantine_reason(each))) for each in unfit])
    for documents, event in ((mended, "jobs readable again"), (unfit, "jobs tried again")):
        count_of, _ = (
            await write_each(jobs, [*map(build_release, documents)]) if documents else (0, [])
        )
        if count_of:
            structlog.get_logger().info(event, count=count_of)
    if told.is_new(QUARANTINED):
        structlog.get_logger().warning("jobs set aside", count=count, state=QUARANTINED, do=ADVICE)


def build_release(document: Document) -> UpdateOne:
    state = document["aside"]
    fields: Query = {"state": state}
    if state == State.SENDING.value:
        fields |= {"claim": CLAIM_OR_NONE, "lease": "$$NOW"}
    seen = {"_id": document["_id"], "state": QUARANTINED, "aside": state, **IS_RETRY_DUE}
    return UpdateOne(seen, [{"$set": fields}, {"$unset": ["aside", "unfit"]}], hint=BY_ID)


async def warn_unknown_states(jobs: Collection) -> None:
    """Warn of jobs whose state is none of ours; what they should be, only an operator knows."""
    found = jobs.find({"state": {"$nin": KNOWN_STATES}}, {"state": 1}, hint=BY_STATE_AND_DUE)
    counts: dict[str, int] = {}
    async for document in found.limit(MAX_COUNTED):
        name = str(document.get("state"))[:MAX_NAME_LENGTH]
        if name in counts or len(counts) < MAX_STATE_NAMES:
            counts[name] = counts.get(name, 0) + 1
    if counts:
        structlog.get_logger().warning("jobs in unknown states", jobs=counts)
