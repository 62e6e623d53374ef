"""Daily runs and sweeps, noted where every replica sees them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from pymongo.errors import DuplicateKeyError

from gcsched.adapters.mongo.bulk_write import update_each
from gcsched.adapters.mongo.claims import NEXT_VERSION
from gcsched.adapters.mongo.connection import Collection, Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_STATE_AND_DUE
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS, read_majority
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import State

SWEEP = "sweep"
STORED_MOVED = {"$cond": [{"$isNumber": "$moved"}, "$moved", 0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoRuns:
    mongo: Mongo

    async def begin_sweep(self, *, within: timedelta, now: datetime) -> bool:
        """Note a sweep at *now*, unless one was noted *within* this time before.

        One that is noted in the future, or is no date, counts for nothing: it would keep everybody
        from sweeping.
        """
        unseen: list[dict[str, Any]] = [
            {"started": {"$lte": now - within}},
            {"started": {"$gt": now + within}},
            {"started": {"$not": {"$type": "date"}}},
            {"started": {"$type": "array"}},
        ]
        with store_errors("noting a sweep"):
            try:
                await self.mongo.runs.update_one(
                    {"_id": SWEEP, "$or": unseen}, {"$set": {"started": now}}, upsert=True
                )
            except DuplicateKeyError:
                return False
        return True

    async def begin_daily(self, day: date, *, now: datetime) -> bool:
        """Insert ``daily:<day>``; False when it is there already."""
        with store_errors("beginning the daily run"):
            try:
                await self.mongo.runs.insert_one(
                    {"_id": daily_run_id(day), "started": now, "moved": 0}
                )
            except DuplicateKeyError:
                return False
        return True

    async def move_queued(
        self, *, until: datetime, now: datetime, not_after: datetime, most: int
    ) -> tuple[int, int]:
        """Make *most* QUEUED jobs of a run up to *until* due at *now*.

        Gives how many were found, and how many were made so: others may have been faster.

        A run that was made up late gives its jobs the time it took from them, where the caller has
        not said himself until when.
        """
        queued = filter_queued(until)
        with store_errors("moving the daily queue"):
            # Certain: "nothing is queued" must be no belief of a node without a majority.
            ids = await read_majority(partial(find_first_ids, queued, most), self.mongo.jobs)
            if not ids:
                return 0, 0
            change = [{"$set": build_move(now, not_after)}]
            with write_errors("moving the daily queue"):
                updated = await update_each(self.mongo.jobs, ids, queued, change)
            updated.raise_refusal()
            count, offenders = updated.matched, updated.offenders
        # Those that cannot be changed would be found again and again.
        return len(ids) - len(offenders), count

    async def finish_daily(self, day: date, moved: int, *, now: datetime) -> None:
        with write_errors("finishing the daily run"):
            started = {"$ifNull": ["$started", now]}
            change = {"started": started, "finished": now, "moved": {"$add": [STORED_MOVED, moved]}}
            await self.mongo.runs.update_one(
                {"_id": daily_run_id(day)}, [{"$set": change}], upsert=True
            )

    async def record_manual(self, moved: int, *, started: datetime, now: datetime) -> None:
        with write_errors("noting a run by hand"):
            total = {"$add": [STORED_MOVED, moved]}  # others may have begun in the same moment
            change = {"started": started, "finished": now, "moved": total}
            run = {"_id": f"daily:manual:{started.isoformat()}"}
            await self.mongo.runs.update_one(run, [{"$set": change}], upsert=True)

    async def has_queued(self, *, until: datetime) -> bool:
        with store_errors("looking at the daily queue"):
            left = await self.mongo.jobs.find_one(
                filter_queued(until), {"_id": 1}, hint=BY_STATE_AND_DUE
            )
        return left is not None


async def find_first_ids(query: dict[str, Any], most: int, jobs: Collection) -> list[str]:
    options = {"limit": most, "batch_size": most, "max_time_ms": READ_TIMEOUT_MS}
    found = jobs.find(query, {"_id": 1}, hint=BY_STATE_AND_DUE, **options)
    return [document["_id"] for document in await found.to_list(most)]


def filter_queued(until: datetime) -> dict[str, Any]:
    return {"state": State.QUEUED.value, "due": {"$lte": until}}


def build_move(now: datetime, not_after: datetime) -> dict[str, Any]:
    later = {"$max": ["$not_after", not_after]}
    return {
        "state": State.SCHEDULED.value,
        "due": now,
        "since": now,
        "version": NEXT_VERSION,
        # Run before its day, a mail must not be dated in the future.
        "due_at": {"$min": ["$due_at", now]},
        "not_after": {"$cond": ["$not_after_asked", "$not_after", later]},
    }


def daily_run_id(day: date) -> str:
    return f"daily:{day.isoformat()}"
