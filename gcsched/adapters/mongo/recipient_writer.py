"""User details, kept in bulk after the callers have their answers."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.driver_errors import DUPLICATE_KEY, is_document_error_code
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.address_folding import fold_address
from gcsched.domain.job import Job

MAX_NAMED = 10
MAX_SAVES = 20
"""How many saves a list of a recipient holds: some of each process that saves at one time.

A process saves into one list and takes its earlier ones out of the other, in turn (MongoDB cannot
do both to one). So others, however often they save, do not push out what may have to be repeated.
"""
LISTS = ("saves", "other_saves")


@dataclass(frozen=True, slots=True)
class SaveId:
    """Which save it is, of which process."""

    process: str
    number: int = 0

    def following(self) -> "SaveId":
        return SaveId(self.process, self.number + 1)

    def __str__(self) -> str:
        return f"{self.process}:{self.number}"

    @property
    def lists(self) -> tuple[str, str]:
        """Return the list that keeps this save, and the other one."""
        mine = self.number % 2
        return LISTS[mine], LISTS[1 - mine]


@dataclass(slots=True, kw_only=True, eq=False)
class MongoRecipients:
    mongo: Mongo
    _unconfirmed_ids: Sequence[str] = field(default=(), init=False)
    _latest_save: SaveId = field(
        default_factory=lambda: SaveId(secrets.token_urlsafe(6)), init=False
    )

    async def save(self, jobs: Sequence[Job]) -> None:
        """Note name and address of each job's employee, and count what was accepted for them.

        The same *jobs* again, after an error, are counted once. An employee whose document cannot
        be changed is left out and logged; the others are kept.
        """
        ids = [job.id for job in jobs]
        if ids != self._unconfirmed_ids:
            self._latest_save = self._latest_save.following()
        self._unconfirmed_ids = ids
        await self._save(jobs, self._latest_save)
        self._unconfirmed_ids = ()

    async def _save(self, jobs: Sequence[Job], save_id: SaveId) -> None:
        of_each: dict[str, list[Job]] = {}
        for job in jobs:
            of_each.setdefault(job.empid, []).append(job)
        with write_errors("keeping user details"):
            left = await self._write(
                of_each, [build_write(*each, save_id) for each in of_each.items()]
            )
            if not left:
                return
            left = await self._write(
                left, [build_guarded_write(*each, save_id) for each in left.items()]
            )
        if left:
            latest = [theirs[-1].id for theirs in left.values()]
            structlog.get_logger().error("user details not kept", latest_jobs=latest[:MAX_NAMED])

    async def _write(
        self, of_each: Mapping[str, list[Job]], writes: list[UpdateOne]
    ) -> dict[str, list[Job]]:
        """Write for each employee; return those whose write failed at their own document."""
        try:
            await self.mongo.recipients.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            details: dict[str, Any] = dict(error.details or {})
            failed = details.get("writeErrors", [])
            is_theirs = all(e["code"] == DUPLICATE_KEY or is_document_error_code(e) for e in failed)
            if details.get("writeConcernErrors") or not is_theirs:
                raise
            employees = list(of_each)
            return {(empid := employees[e["index"]]): of_each[empid] for e in failed}
        return {}


def build_write(empid: str, jobs: Sequence[Job], save_id: SaveId) -> UpdateOne:
    """Make the usual write for one employee.

    It finds none to change where *save_id* was counted before, and where two processes meet an
    employee at the same time: both end as a duplicate key, and `build_guarded_write` tells them apart.
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
            "$push": {mine: {"$each": [this], "$slice": -MAX_SAVES}},
            "$pull": {other: {"$regex": f"^{save_id.process}:"}},
        },
        upsert=True,
    )


def build_guarded_write(empid: str, jobs: Sequence[Job], save_id: SaveId) -> UpdateOne:
    """Make the write that fails at no type and counts nothing twice, at four times the cost.

    It is one expression with a guard for each field: one that is spoilt is begun anew.
    """
    latest = jobs[-1]
    mine, other = save_id.lists
    saves = array_or_empty(mine)
    accepted = {"$cond": [{"$isNumber": "$accepted"}, "$accepted", 0]}
    first, last = min(job.create_time for job in jobs), max(job.create_time for job in jobs)
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
    counted = {"$cond": [is_counted, "$$ROOT", {"$mergeObjects": ["$$ROOT", fields]}]}
    return UpdateOne({"_id": empid}, [{"$replaceWith": counted}], upsert=True)


def array_or_empty(name: str) -> dict[str, Any]:
    return {"$cond": [{"$isArray": f"${name}"}, f"${name}", []]}


def date_or_default(name: str, otherwise: object) -> dict[str, Any]:
    return {"$cond": [{"$eq": [{"$type": f"${name}"}, "date"]}, f"${name}", otherwise]}
