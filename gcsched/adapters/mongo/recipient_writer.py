"""The bulk write of user details, after the callers have their replies."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.driver_errors import DUPLICATE_KEY, is_document_error_code
from gcsched.adapters.mongo.index_names import BY_ID
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.address_folding import fold_address
from gcsched.domain.job import Job

MAX_NAMED = 10
MAX_SAVES = 20
"""How many saves a list of a recipient holds: the latest of each process that saves at a time.

A process adds its save to one of two lists and removes its earlier ones from the other, in turn:
MongoDB cannot do both to one array. So other processes, however often they save, do not push out a
save that may have to be repeated.
"""
LISTS = ("saves", "other_saves")


@dataclass(frozen=True, slots=True)
class SaveId:
    """The id of a save: a random one of the process, and a number."""

    process: str
    number: int = 0

    def next(self) -> "SaveId":
        return SaveId(self.process, self.number + 1)

    def __str__(self) -> str:
        return f"{self.process}:{self.number}"

    @property
    def lists(self) -> tuple[str, str]:
        """The list that keeps this save, and the other one."""
        mine = self.number % 2
        return LISTS[mine], LISTS[1 - mine]


@dataclass(slots=True, kw_only=True, eq=False)
class MongoRecipients:
    """The port `Recipients` on MongoDB."""

    mongo: Mongo
    _unconfirmed_ids: Sequence[str] = field(default=(), init=False)
    _latest_save: SaveId = field(
        default_factory=lambda: SaveId(secrets.token_urlsafe(6)), init=False
    )

    async def save(self, jobs: Sequence[Job]) -> None:
        """Store name and address of each job's employee, and count the accepted jobs.

        The same *jobs* again, after an error, are counted once. An employee whose document cannot
        be changed is skipped and logged; the others are stored.
        """
        ids = [job.id for job in jobs]
        # The same ids after an error are the same save: its number must not change.
        if ids != self._unconfirmed_ids:
            self._latest_save = self._latest_save.next()
        self._unconfirmed_ids = ids
        await self._save(jobs, self._latest_save)
        self._unconfirmed_ids = ()

    async def _save(self, jobs: Sequence[Job], save_id: SaveId) -> None:
        by_employee: dict[str, list[Job]] = {}
        for job in jobs:
            by_employee.setdefault(job.empid, []).append(job)
        with write_errors("storing user details"):
            known = await self._find_known(by_employee)
            # An insert costs MongoDB half as much as an upsert, and in a flood most are new.
            writes = [
                build_write(*each, save_id) if each[0] in known else build_insert(*each, save_id)
                for each in by_employee.items()
            ]
            left = await self._write(by_employee, writes)
            if not left:
                return
            # Few are left: the slower write is only for duplicate keys and damaged documents.
            left = await self._write(
                left, [build_guarded_write(*each, save_id) for each in left.items()]
            )
        if left:
            latest = [jobs_of_one[-1].id for jobs_of_one in left.values()]
            structlog.get_logger().error("user details not stored", latest_jobs=latest[:MAX_NAMED])

    async def _find_known(self, empids: Collection[str]) -> Collection[str]:
        """Return those of *empids* that have a document; a covered read of the index."""
        query, options = (
            {"_id": {"$in": [*empids]}},
            {"hint": BY_ID, "max_time_ms": READ_TIMEOUT_MS},
        )
        found = self.mongo.recipients.find(query, {"_id": 1}, **options)
        return {document["_id"] for document in await found.to_list(None)}

    async def _write(
        self, by_employee: Mapping[str, list[Job]], writes: list[InsertOne[Any] | UpdateOne]
    ) -> dict[str, list[Job]]:
        """Write for each employee; return those whose write failed at their own document."""
        try:
            await self.mongo.recipients.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            details: dict[str, Any] = dict(error.details or {})
            failed = details.get("writeErrors", [])
            is_own = all(e["code"] == DUPLICATE_KEY or is_document_error_code(e) for e in failed)
            if details.get("writeConcernErrors") or not is_own:
                raise
            employees = list(by_employee)
            return {(empid := employees[e["index"]]): by_employee[empid] for e in failed}
        return {}


def build_insert(empid: str, jobs: Sequence[Job], save_id: SaveId) -> InsertOne[Any]:
    """Build the write for an employee without a document.

    If another process, or an earlier try of this save, has inserted one meanwhile, it ends as a
    duplicate key, and `build_guarded_write` follows.
    """
    latest, created = jobs[-1], [job.create_time for job in jobs]
    return InsertOne(
        {
            "_id": empid,
            "name": latest.name,
            "email": latest.email,
            "folded": fold_address(latest.email),
            "first_seen": min(created),
            "last_seen": max(created),
            "accepted": len(jobs),
            save_id.lists[0]: [str(save_id)],
        }
    )


def build_write(empid: str, jobs: Sequence[Job], save_id: SaveId) -> UpdateOne:
    """Build the usual write for an employee with a document.

    The filter does not match if *save_id* was counted before, and two processes may insert a new
    employee at the same time. The upsert ends as a duplicate key in both cases, and
    `build_guarded_write` then decides between them.
    """
    latest, created = jobs[-1], [job.create_time for job in jobs]
    (mine, other), this = save_id.lists, str(save_id)
    return UpdateOne(
        {"_id": empid, mine: {"$ne": this}},
        {
            "$set": {
                "name": latest.name,
                "email": latest.email,
                "folded": fold_address(latest.email),
            },
            "$min": {"first_seen": min(created)},
            "$max": {"last_seen": max(created)},
            "$inc": {"accepted": len(jobs)},
            # A negative slice keeps the latest saves.
            "$push": {mine: {"$each": [this], "$slice": -MAX_SAVES}},
            "$pull": {other: {"$regex": f"^{save_id.process}:"}},
        },
        upsert=True,
    )


def build_guarded_write(empid: str, jobs: Sequence[Job], save_id: SaveId) -> UpdateOne:
    """Build the write that accepts any type and counts nothing twice, at four times the cost.

    It is one expression with a check for each field: a damaged field starts again.
    """
    latest = jobs[-1]
    mine, other = save_id.lists
    saves = array_or_empty(mine)
    accepted = {"$cond": [{"$isNumber": "$accepted"}, "$accepted", 0]}
    first, last = min(job.create_time for job in jobs), max(job.create_time for job in jobs)
    # `$literal`, because a name such as "$email" would be read as a field.
    fields: dict[str, Any] = {
        "name": {"$literal": latest.name},
        "email": {"$literal": latest.email},
        "folded": {"$literal": fold_address(latest.email)},
        "first_seen": {"$min": [date_or_default("first_seen", first), first]},
        "last_seen": {"$max": [date_or_default("last_seen", last), last]},
        "accepted": {"$add": [accepted, len(jobs)]},
        mine: {"$slice": [{"$concatArrays": [saves, [str(save_id)]]}, -MAX_SAVES]},
        other: {"$slice": [array_or_empty(other), -MAX_SAVES]},
    }
    is_counted = {"$in": [str(save_id), saves]}
    document = {"$cond": [is_counted, "$$ROOT", {"$mergeObjects": ["$$ROOT", fields]}]}
    return UpdateOne({"_id": empid}, [{"$replaceWith": document}], upsert=True)


def array_or_empty(name: str) -> dict[str, Any]:
    return {"$cond": [{"$isArray": f"${name}"}, f"${name}", []]}


def date_or_default(name: str, default: object) -> dict[str, Any]:
    return {"$cond": [{"$eq": [{"$type": f"${name}"}, "date"]}, f"${name}", default]}
