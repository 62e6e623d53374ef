"""User details, kept in bulk after the callers have their answers."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.connection import Mongo, store_errors
from gcsched.adapters.mongo.refusals import is_of_document
from gcsched.domain.job import Job

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
            save_id = secrets.token_hex(8)
        self._unsure = ids, save_id
        await self._save(jobs, save_id)
        self._unsure = (), ""

    async def _save(self, jobs: Sequence[Job], save_id: str) -> None:
        of_each: dict[str, list[Job]] = {}
        for job in jobs:
            of_each.setdefault(job.empid, []).append(job)
        writes = [seen(empid, theirs, save_id) for empid, theirs in of_each.items()]
        with store_errors("keeping user details"):
            try:
                await self.mongo.recipients.bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                if not is_of_document(error):
                    raise
                failed = [e["index"] for e in (error.details or {}).get("writeErrors", ())]
                latest = [theirs[-1].id for theirs in of_each.values()]
                ids = [latest[index] for index in failed]
                structlog.get_logger().error("user details not kept", latest_jobs=ids[:10])


def seen(empid: str, jobs: Sequence[Job], save_id: str) -> UpdateOne:
    """Make the write for one employee; the same *save_id* again changes nothing.

    It is one expression with a guard for each type: a field that is spoilt is begun anew.
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
