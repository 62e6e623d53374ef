"""User details, kept in bulk after the callers have their answers."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.refusals import DUPLICATE_KEY, is_of_document_code
from gcsched.domain.job import Job

MOST_NAMED = 10
KEPT = 20
"""How many saves a recipient remembers: more than there are processes that save at one time."""


@dataclass(slots=True, kw_only=True, eq=False)
class MongoRecipients:
    mongo: Mongo
    _unsure: tuple[Sequence[str], str] = field(default=((), ""), init=False)

    async def save(self, jobs: Sequence[Job]) -> None:
        """Note name and address of each job's employee, and count what was accepted for them.

        The same *jobs* again, after an error, are counted once. An employee whose document cannot
        be changed is left out and logged; the others are kept.
        """
        ids = [job.id for job in jobs]
        unsure, save_id = self._unsure
        if ids != unsure:
            save_id = secrets.token_urlsafe(6)
        self._unsure = ids, save_id
        await self._save(jobs, save_id)
        self._unsure = (), ""

    async def _save(self, jobs: Sequence[Job], save_id: str) -> None:
        of_each: dict[str, list[Job]] = {}
        for job in jobs:
            of_each.setdefault(job.empid, []).append(job)
        with store_errors("keeping user details"):
            left = await self._write(of_each, [seen(*each, save_id) for each in of_each.items()])
            if not left:
                return
            left = await self._write(left, [guarded(*each, save_id) for each in left.items()])
        if left:
            latest = [theirs[-1].id for theirs in left.values()]
            structlog.get_logger().error("user details not kept", latest_jobs=latest[:MOST_NAMED])

    async def _write(
        self, of_each: Mapping[str, list[Job]], writes: list[UpdateOne]
    ) -> dict[str, list[Job]]:
        """Write for each employee; return those whose write failed at their own document."""
        try:
            await self.mongo.recipients.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            details: dict[str, Any] = dict(error.details or {})
            failed = details.get("writeErrors", [])
            is_theirs = all(e["code"] == DUPLICATE_KEY or is_of_document_code(e) for e in failed)
            if details.get("writeConcernErrors") or not is_theirs:
                raise
            employees = list(of_each)
            return {(empid := employees[e["index"]]): of_each[empid] for e in failed}
        return {}


def seen(empid: str, jobs: Sequence[Job], save_id: str) -> UpdateOne:
    """Make the usual write for one employee.

    It finds none to change where *save_id* was counted before, and where two processes meet an
    employee at the same time: both end as a duplicate key, and `guarded` tells them apart.
    """
    latest, created = jobs[-1], [job.created for job in jobs]
    return UpdateOne(
        {"_id": empid, "saves": {"$ne": save_id}},
        {
            "$set": {"name": latest.name, "email": latest.email},
            "$min": {"first_seen": min(created)},
            "$max": {"last_seen": max(created)},
            "$inc": {"accepted": len(jobs)},
            "$push": {"saves": {"$each": [save_id], "$slice": -KEPT}},
        },
        upsert=True,
    )


def guarded(empid: str, jobs: Sequence[Job], save_id: str) -> UpdateOne:
    """Make the write that fails at no type and counts nothing twice, at four times the cost.

    It is one expression with a guard for each field: one that is spoilt is begun anew.
    """
    latest = jobs[-1]
    saves = {"$cond": [{"$isArray": "$saves"}, "$saves", []]}
    accepted = {"$cond": [{"$isNumber": "$accepted"}, "$accepted", 0]}
    first, last = min(job.created for job in jobs), max(job.created for job in jobs)
    fields: dict[str, Any] = {
        "name": {"$literal": latest.name},
        "email": {"$literal": latest.email},
        "first_seen": {"$min": [moment("first_seen", first), first]},
        "last_seen": {"$max": [moment("last_seen", last), last]},
        "accepted": {"$add": [accepted, len(jobs)]},
        "saves": {"$slice": [{"$concatArrays": [saves, [save_id]]}, -KEPT]},
    }
    is_counted = {"$in": [save_id, saves]}
    counted = {"$cond": [is_counted, "$$ROOT", {"$mergeObjects": ["$$ROOT", fields]}]}
    return UpdateOne({"_id": empid}, [{"$replaceWith": counted}], upsert=True)


def moment(name: str, otherwise: object) -> dict[str, Any]:
    return {"$cond": [{"$eq": [{"$type": f"${name}"}, "date"]}, f"${name}", otherwise]}
