"""What clients have used of their jobs per day: one document for each client and day.

Every process reserves in one guarded update, so all together never exceed the limit. The document
also has the latest reservation of each process: if it was not confirmed, nothing was inserted for
it, and the next one of that process undoes it.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pymongo
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.index_names import BY_CLIENT_AND_STATE, BY_ID
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.job import WAITING
from gcsched.usecases.ports import DayGrant

RETENTION = timedelta(days=35)  # so that an operator can look at a month
UPSERT_TRIES = 3
MAX_NUMBER = 2**63


@dataclass(kw_only=True, eq=False)
class MongoUsage:
    """The port `UsageStore` on MongoDB. A client has one reservation in progress at a time."""

    mongo: Mongo
    _process: str = field(default_factory=lambda: secrets.token_hex(8), init=False)
    _number: int = field(default=0, init=False)
    _confirmed: dict[str, int] = field(default_factory=dict, init=False)

    async def reserve(
        self, client: str, day: date, count: int, *, most: int, within: timedelta
    ) -> DayGrant:
        """Reserve *count* jobs of *day*, or as many as fit into *most*."""
        self._number = number = self._number + 1
        slot, confirmed = f"held.{self._process}", self._confirmed.get(client, 0)
        reserving = build_reservation(slot, number, count, most=most, confirmed=confirmed)
        change = [*reserving, {"$set": {"delete_after": end_of(day)}}]
        with write_errors("reserving jobs of a client"), pymongo.timeout(within.total_seconds()):
            document = await self._update(make_id(client, day), change)
        self._confirmed[client] = number
        granted = read_number(read_slot(document, self._process).get("count"))
        return DayGrant(count=min(granted, count), used=read_number(document.get("jobs")))

    async def _update(self, usage_id: str, change: list[Document]) -> Document:
        """Change the document. Several processes may try to create it at the same time."""
        for tries_left in reversed(range(UPSERT_TRIES)):
            try:
                document: Document = await self.mongo.usage.find_one_and_update(
                    {"_id": usage_id},
                    change,
                    upsert=True,
                    hint=BY_ID,
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                if not tries_left:
                    raise
            else:
                return document
        raise AssertionError

    async def give_back(self, client: str, day: date, count: int, *, within: timedelta) -> None:
        """Undo the reservation of *count* jobs that were not stored."""
        enough = {"_id": make_id(client, day), "jobs": {"$gte": count}}
        with write_errors("giving back jobs of a client"), pymongo.timeout(within.total_seconds()):
            await self.mongo.usage.update_one(enough, {"$inc": {"jobs": -count}}, hint=BY_ID)

    async def read(self, client: str, day: date, *, within: timedelta) -> int:
        """Return how many jobs of *day* are reserved."""
        with store_errors("reading the usage"), pymongo.timeout(within.total_seconds()):
            document = await self.mongo.usage.find_one(
                {"_id": make_id(client, day)}, {"jobs": 1}, hint=BY_ID
            )
        return read_number((document or {}).get("jobs"))

    async def read_many(
        self, clients: Sequence[str], day: date, *, within: timedelta
    ) -> dict[str, int]:
        """Return how many jobs of *day* are reserved by client; those without any are absent."""
        names = {make_id(client, day): client for client in clients}
        with store_errors("reading the usage"), pymongo.timeout(within.total_seconds()):
            cursor = self.mongo.usage.find({"_id": {"$in": [*names]}}, {"jobs": 1}, hint=BY_ID)
            found = await cursor.to_list(None)
        return {names[each["_id"]]: read_number(each.get("jobs")) for each in found}

    async def count_waiting(self, client: str, *, most: int, within: timedelta) -> int:
        """Count the jobs of *client* that wait to be sent, up to *most*."""
        waiting = {"client": client, "state": {"$in": [state.value for state in WAITING]}}
        with store_errors("counting waiting jobs"), pymongo.timeout(within.total_seconds()):
            return int(
                await self.mongo.jobs.count_documents(
                    waiting, hint=BY_CLIENT_AND_STATE, limit=max(1, most)
                )
            )

    async def count_stored(self, ids: Sequence[str], *, within: timedelta) -> int:
        """Count the jobs of *ids* that are stored."""
        with store_errors("looking for stored jobs"), pymongo.timeout(within.total_seconds()):
            return int(await self.mongo.jobs.count_documents({"_id": {"$in": ids}}, hint=BY_ID))


def build_reservation(
    slot: str, number: int, count: int, *, most: int, confirmed: int
) -> list[Document]:
    """Return the update that reserves; *confirmed* is the last reservation that was confirmed.

    A later one in *slot* is undone: nothing was inserted for it. If *slot* has a later one than
    *number*, this update was given up long ago and arrives late: it changes nothing.

    A count that is not a number is 0: the document is damaged, and the client must not be
    without service for it.
    """
    used = {"$cond": [{"$isNumber": "$jobs"}, "$jobs", 0]}
    latest = f"${slot}.number"
    is_late = {"$and": [{"$isNumber": latest}, {"$gte": [latest, number]}]}
    is_unconfirmed = {"$and": [{"$gt": [latest, confirmed]}, {"$lt": [latest, number]}]}
    is_undone = {"$and": [{"$isNumber": f"${slot}.count"}, is_unconfirmed]}
    to_undo = {"$cond": [is_undone, f"${slot}.count", 0]}
    held = {"$cond": [{"$eq": [{"$type": "$held"}, "object"]}, "$held", {}]}
    room = {"$max": [0, {"$subtract": [most, "$jobs"]}]}
    granted = {"$cond": [is_late, 0, {"$min": [count, room]}]}
    return [
        {"$set": {"jobs": {"$max": [0, {"$subtract": [used, to_undo]}]}, "held": held}},
        {
            "$set": {
                "jobs": {"$add": ["$jobs", granted]},
                slot: {"$cond": [is_late, f"${slot}", {"number": number, "count": granted}]},
            }
        },
    ]


def make_id(client: str, day: date) -> str:
    return f"{client}:{day.isoformat()}"


def end_of(day: date) -> datetime:
    """Return when the document of *day* is deleted."""
    return datetime.combine(day, time(), UTC) + RETENTION


def read_slot(document: Mapping[str, Any], process: str) -> Mapping[str, Any]:
    held = document.get("held")
    slot = held.get(process) if isinstance(held, dict) else None
    return slot if isinstance(slot, dict) else {}


def read_number(value: object) -> int:
    """Return *value*, a count; 0 if it is not one, as in a damaged document."""
    return int(value) if isinstance(value, int | float) and 0 <= value < MAX_NUMBER else 0
