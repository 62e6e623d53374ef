"""Blocked addresses: one document each, deleted by MongoDB when its time is over."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReplaceOne, ReturnDocument

from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_ID
from gcsched.adapters.mongo.tolerant import a_latest_moment, a_moment, a_text
from gcsched.domain.suppression import Suppression


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoSuppressions:
    mongo: Mongo

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        """Keep *suppressions*; the latest one of an address counts."""
        latest = {suppression.address: suppression for suppression in suppressions}
        writes = [ReplaceOne({"_id": a}, encode(s), upsert=True) for a, s in latest.items()]
        with store_errors("blocking addresses"):
            await self.mongo.suppressions.bulk_write(writes, ordered=False)

    async def among(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Give those of *addresses* that are blocked at *now*, in one look."""
        # What is over stays until the TTL monitor comes by.
        query = {"_id": {"$in": list(addresses)}, "until": {"$gt": now}}
        with store_errors("looking for blocked addresses"):
            found = self.mongo.suppressions.find(query, hint=BY_ID)
            return {document["_id"]: decode(document) async for document in found}

    async def page(self, after: str, *, most: int, now: datetime) -> list[Suppression]:
        """Give the *most* addresses that follow *after*, of those that are blocked at *now*."""
        query = {"_id": {"$gt": after}, "until": {"$gt": now}}
        with store_errors("listing blocked addresses"):
            found = self.mongo.suppressions.find(
                query, sort=[("_id", 1)], hint=BY_ID, limit=most, batch_size=most
            )
            return [decode(document) async for document in found]

    async def block(self, wanted: Suppression) -> Suppression:
        """Keep *wanted*; where its address is blocked already, it has been since then."""
        is_blocked = {"$gt": ["$until", wanted.since]}
        since = {"$cond": [is_blocked, "$since", wanted.since]}
        fields = {"reason": {"$literal": wanted.reason}, "job_id": wanted.job_id}
        with store_errors("blocking an address"):
            document = await self.mongo.suppressions.find_one_and_update(
                {"_id": wanted.address},
                [{"$set": fields | {"since": since, "until": wanted.until}}],
                upsert=True,
                hint=BY_ID,
                return_document=ReturnDocument.AFTER,
            )
        return decode(document)

    async def free(self, address: str, *, now: datetime) -> Suppression | None:
        """Let *address* have mail again; give what blocked it, if anything did at *now*."""
        with store_errors("freeing an address"):
            document: Document | None = await self.mongo.suppressions.find_one_and_delete(
                {"_id": address, "until": {"$gt": now}}, hint=BY_ID
            )
        return None if document is None else decode(document)


def encode(suppression: Suppression) -> dict[str, Any]:
    return {
        "_id": suppression.address,
        "reason": suppression.reason,
        "job_id": suppression.job_id,
        "since": suppression.since,
        "until": suppression.until,
    }


def decode(document: Mapping[str, Any]) -> Suppression:
    """Read tolerantly: an address and a time suffice to block, as in a list that was imported."""
    return Suppression(
        address=document["_id"],
        reason=a_text(document, "reason"),
        job_id=a_text(document, "job_id"),
        since=a_moment(document, "since"),
        until=a_latest_moment(document, "until"),
    )
