"""Daily runs and sweeps, stored so that every replica sees them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from pymongo.errors import DuplicateKeyError

from gcsched.adapters.mongo.bulk_write import update_each
from gcsched.adapters.mongo.claims import NEXT_VERSION
from gcsched.adapters.mongo.connection import Collection, Mongo, store_errors
from gcsched.adapters.mongo.index_names import BY_STATE_AND_DUE
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS, read_majority
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import State

SWEEP = "sweep"
# Of a damaged document: `$add` would fail at a count that is not a number.
STORED_MOVED = {"$cond": [{"$isNumber": "$moved"}, "$moved", 0]}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoRuns:
    """The port `RunStore` on MongoDB."""

    mongo: Mongo

    async def begin_sweep(self, *, within: timedelta, now: datetime) -> bool:
        """Record a sweep at *now*; return False if one started *within* this time before.

        A recorded time in the future, or one that is not a date, does not count: it would keep all
        processes from sweeping.
        """
        outdated: list[dict[str, Any]] = [
            {"started": {"$lte": now - within}},
            {"started": {"$gt": now + within}},
            {"started": {"$not": {"$type": "date"}}},
            {"started": {"$type": "array"}},
        ]
        with store_errors("recording a sweep"):
            try:
                await self.mongo.runs.update_one(
                    {"_id": SWEEP, "$or": outdated}, {"$set": {"started": now}}, upsert=True
                )
            except DuplicateKeyError:
                # The filter did not match, so the upsert tried to insert a second document.
                return False
        return True

    async def begin_daily(self, day: date, *, now: datetime) -> bool:
        """Insert ``daily:<day>``; return False if it exists already."""
        with store_errors("starting the daily run"):
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
        """Make *most* QUEUED jobs of the runs up to *until* due at *now*.

        Returns how many were found and how many were moved: another process may have been faster.
        A late run extends the expire time of its jobs to *not_after*, unless the caller has set it.
        """
        queued = filter_queued(until)
        with store_errors("moving the daily queue"):
            # A majority read: a node that has lost its majority must not report an empty queue.
            ids = await read_majority(partial(find_first_ids, queued, most), self.mongo.jobs)
            if not ids:
                return 0, 0
            change = [{"$set": build_move(now, not_after)}]
            with write_errors("moving the daily queue"):
                updated = await update_each(self.mongo.jobs, ids, queued, change)
            updated.raise_refusal()
        # Without the offenders: the caller continues while jobs are found, and these stay.
        return len(ids) - len(updated.offenders), updated.matched

    async def finish_daily(self, day: date, moved: int, *, now: datetime) -> None:
        with write_errors("finishing the daily run"):
            started = {"$ifNull": ["$started", now]}
            change = {"started": started, "finished": now, "moved": {"$add": [STORED_MOVED, moved]}}
            await self.mongo.runs.update_one(
                {"_id": daily_run_id(day)}, [{"$set": change}], upsert=True
            )

    async def record_manual(self, moved: int, *, started: datetime, now: datetime) -> None:
        with write_errors("recording a manual run"):
            total = {"$add": [STORED_MOVED, moved]}  # another may have started at the same time
            change = {"started": started, "finished": now, "moved": total}
            run = {"_id": f"daily:manual:{started.isoformat()}"}
            await self.mongo.runs.update_one(run, [{"$set": change}], upsert=True)

    async def has_queued(self, *, until: datetime) -> bool:
        with store_errors("reading the daily queue"):
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
        # A run may start before its day, but a mail must not be dated in the future.
        "due_at": {"$min": ["$due_at", now]},
        "not_after": {"$cond": ["$not_after_asked", "$not_after", later]},
    }


def daily_run_id(day: date) -> str:
    return f"daily:{day.isoformat()}"
