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

from gcsched.adapters.mongo.bulk_write import Updated, update_each, write_each
from gcsched.adapters.mongo.codec import (
    ASIDE,
    UNREADABLE,
    Unreadable,
    decode,
    problem_of,
    sorted_out,
    unfit_for,
)
from gcsched.adapters.mongo.connection import Collection, Document
from gcsched.adapters.mongo.documents import BY_ID, BY_STATE_AND_DUE
from gcsched.domain.job import CLAIMABLE, WAITING, State

Query = dict[str, Any]

KNOWN = [ASIDE, *(state.value for state in State)]
NOBODY = "nobody"
CLAIM_OR_NOBODY = {"$cond": [{"$eq": [{"$type": "$claim"}, "string"]}, "$claim", NOBODY]}
TELL_AGAIN_SECONDS = 600.0
TRY_UNFIT_AGAIN_MS = 600_000
MOST_TOLD, MOST_LINES, MOST_NAMES, LONGEST_NAME, MOST_COUNTED = 10_000, 20, 10, 64, 10_000
AT_ONCE, ROUNDS = 100, 10
LONG_DUE = timedelta(seconds=5)  # by then it has been claimed, if anything can claim it
NO_DATES = [
    *("minKey", "number", "string", "object", "binData", "objectId", "bool", "timestamp"),
    *("regex", "dbPointer", "javascript", "symbol", "maxKey"),
]
TRIED_LONG_AGO = {  # by the server's clock; what is missing is less than any date
    "$expr": {"$lte": ["$unfit.at", {"$subtract": ["$$NOW", TRY_UNFIT_AGAIN_MS]}]}
}
TO_DO = "mend the field or delete the document; once mended it is taken up again by itself"


@dataclass(slots=True, kw_only=True, eq=False)
class Told:
    """Remember for ten minutes what was told, so that no log line comes with every look."""

    clock: Callable[[], float] = time.monotonic
    _at: dict[str, float] = field(default_factory=dict, init=False)

    def is_news(self, what: object) -> bool:
        now, key = self.clock(), str(what)[:LONGEST_NAME]
        if now - self._at.get(key, -TELL_AGAIN_SECONDS) < TELL_AGAIN_SECONDS:
            return False
        if len(self._at) >= MOST_TOLD:
            self._at = {each: at for each, at in self._at.items() if now - at < TELL_AGAIN_SECONDS}
        if len(self._at) < MOST_TOLD:
            self._at[key] = now
        return key in self._at

    def tell(self, unreadable: Sequence[Unreadable]) -> None:
        """Log each job once in ten minutes, by what is wrong and not by its values."""
        log = structlog.get_logger()
        news = [each for each in unreadable if self.is_news(each[0].get("_id"))]
        for document, problem in news[:MOST_LINES]:
            job_id = str(document.get("_id"))[:LONGEST_NAME]
            log.warning("job unreadable", job_id=job_id, problem=problem, do=TO_DO)
        if len(news) > MOST_LINES:
            log.warning("jobs unreadable", more=len(news) - MOST_LINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """How a job is set aside: *was* is the state to be kept, *gone* are fields that it loses.

    *unfit* is what no look at the document tells: why it could not be changed.
    """

    was: object = "$state"
    gone: Sequence[str] = ()
    unfit: str = ""

    @property
    def change(self) -> list[Query]:
        fields: Query = {"aside": self.was, "state": ASIDE}
        gone = [*self.gone]
        if self.unfit:
            fields["unfit"] = {"why": {"$literal": self.unfit}, "at": "$$NOW"}
        else:
            gone.append("unfit")
        return [{"$set": fields}, *([{"$unset": gone}] if gone else [])]


AS_IT_IS = Aside()


async def set_aside(
    jobs: Collection, unreadable: Sequence[Unreadable], guard: Query, how: Aside = AS_IT_IS
) -> Updated:
    """Set those aside that *guard* still finds.

    The offenders of what is returned are those that MongoDB cannot change at all.
    """
    ids, change = [document["_id"] for document, _ in unreadable], how.change
    return await update_each(jobs, ids, guard, change)


async def set_aside_what_waits(jobs: Collection, *, now: datetime, told: Told) -> None:
    """Set aside what waits and no claim finds or takes: a due time or a state that is none."""
    waiting: Query = {"state": {"$in": [state.value for state in WAITING]}}
    odd: tuple[Query, ...] = ({"$in": [None, []]}, {"$type": NO_DATES})
    for due in odd:
        await set_aside_some(jobs, waiting | {"due": due}, told)
    claimable: Query = {"state": {"$in": [state.value for state in CLAIMABLE]}}
    long_due = claimable | {"due": {"$lte": now - LONG_DUE}}
    for _ in range(ROUNDS):
        if not await set_aside_some(jobs, long_due, told):
            return


async def set_aside_some(jobs: Collection, query: Query, told: Told) -> int:
    """Set aside the unreadable ones of the first that *query* finds; return how many they are."""
    found = jobs.find(query, sort=[("due", 1)], hint=BY_STATE_AND_DUE, limit=AT_ONCE)
    _, unreadable = sorted_out(await found.to_list(AT_ONCE))
    if unreadable:
        told.tell(unreadable)
        done = (await set_aside(jobs, unreadable, query)).or_raise()
        return len(unreadable) - len(done.offenders)
    return 0


async def take_up_again(jobs: Collection, told: Told) -> None:
    """Look at those set aside, and take up what has been mended; tell of the others at times.

    What was claimed keeps its claim, and its lease ends now: an orphan like any other (P3).
    """
    query = {"state": ASIDE}
    count = await jobs.count_documents(query, hint=BY_STATE_AND_DUE, limit=MOST_COUNTED)
    if not count:
        return
    skip = random.SystemRandom().randint(0, max(0, count - AT_ONCE))  # so that each has its turn
    found = jobs.find(query, hint=BY_STATE_AND_DUE, skip=skip, limit=AT_ONCE)
    mended: list[Document] = []
    unfit: list[Document] = []
    for document in await found.to_list(AT_ONCE):
        try:
            decode({**document, "state": document["aside"]})
        except UNREADABLE as error:
            told.tell([(document, problem_of(error))])
        else:
            (mended if unfit_for(document) is None else unfit).append(document)
    told.tell([(each, str(unfit_for(each))) for each in unfit])
    for documents, event in ((mended, "jobs readable again"), (unfit, "jobs tried again")):
        count_of, _ = await write_each(jobs, [*map(taken_up, documents)]) if documents else (0, [])
        if count_of:
            structlog.get_logger().info(event, count=count_of)
    if told.is_news(ASIDE):
        structlog.get_logger().warning("jobs set aside", count=count, state=ASIDE, do=TO_DO)


def taken_up(document: Document) -> UpdateOne:
    state = document["aside"]
    fields: Query = {"state": state}
    if state == State.SENDING.value:
        fields |= {"claim": CLAIM_OR_NOBODY, "lease": "$$NOW"}
    seen = {"_id": document["_id"], "state": ASIDE, "aside": state, **TRIED_LONG_AGO}
    return UpdateOne(seen, [{"$set": fields}, {"$unset": ["aside", "unfit"]}], hint=BY_ID)


async def tell_unknown_states(jobs: Collection) -> None:
    """Warn of jobs whose state is none of ours; what they should be, only an operator knows."""
    found = jobs.find({"state": {"$nin": KNOWN}}, {"state": 1}, hint=BY_STATE_AND_DUE)
    counts: dict[str, int] = {}
    async for document in found.limit(MOST_COUNTED):
        name = str(document.get("state"))[:LONGEST_NAME]
        if name in counts or len(counts) < MOST_NAMES:
            counts[name] = counts.get(name, 0) + 1
    if counts:
        structlog.get_logger().warning("jobs in unknown states", jobs=counts)
