"""Blocked addresses: one document for each spelling, deleted by MongoDB when its time is over.

Each stands under its address as it was written, which is all that a process of the version before
looks at; it blocks all spellings of that address.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReplaceOne, ReturnDocument

from gcsched.adapters.mongo.codec import read_latest_time, read_text, read_time
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_FOLDED, BY_ID
from gcsched.adapters.mongo.folded_queries import (
    FOLDED,
    Query,
    filter_any_spelling,
    read_by_index,
    read_if_indexed,
)
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.address_folding import fold_address, is_same_address
from gcsched.domain.suppression import Suppression

MAX_COMPARED = 500  # as many as a process of the version before may write until the next filling
MAX_SPELLINGS = 4  # of one address, on average
BATCH_SIZE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoSuppressions:
    mongo: Mongo

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        """Keep *suppressions*; the latest one of an address in one spelling counts."""
        latest = {suppression.address: suppression for suppression in suppressions}
        writes = [ReplaceOne({"_id": a}, encode(s), upsert=True) for a, s in latest.items()]
        with write_errors("blocking addresses"):
            await self.mongo.suppressions.bulk_write(writes, ordered=False)

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Give those of *addresses* that are blocked at *now* in any spelling, in one look.

        Where several spellings of an address are blocked, the one that is blocked longest counts.
        """
        folds = {address: fold_address(address) for address in addresses}
        with store_errors("looking for blocked addresses"):
            found = await self._find_active(folds, now)
        found.sort(key=lambda each: (each.expire_time, each.create_time))
        lasting = {fold_address(each.address): each for each in found}
        return {address: lasting[fold] for address, fold in folds.items() if fold in lasting}

    async def _find_active(self, spelled: Mapping[str, str], now: datetime) -> list[Suppression]:
        """Find what blocks the addresses of *spelled* (as written → folded) at *now*.

        In all spellings, and in one statement as a rule. Each claim asks this, so what it reads
        has a limit. Where `folded` does not tell of all, because its index is not there or very
        many lack the field, the first MAX_COMPARED are compared here, and others found as they
        are written and in small letters: until the index is made and the field filled.
        """
        addresses, folds = spelled.keys(), set(spelled.values())
        most = MAX_COMPARED + MAX_SPELLINGS * len(folds)
        all_kinds = self._read({FOLDED: {"$in": [None, *folds]}}, now, BY_FOLDED, most)
        found = await read_if_indexed(self.mongo, all_kinds)
        if found is None:
            found = await self._read({}, now, BY_ID, MAX_COMPARED)
            found += await self._read({"_id": {"$in": [*addresses, *folds]}}, now, BY_ID)
        elif len(found) == most:
            # In this order: what is filled meanwhile is found by the last statement.
            found += await self._read({"_id": {"$in": [*addresses, *folds]}}, now, BY_ID)
            found += await self._read({FOLDED: {"$in": [*folds]}}, now, BY_FOLDED)
        alike = {each["_id"]: each for each in found if fold_address(each["_id"]) in folds}
        return [decode(document) for document in alike.values()]

    async def _find_spellings(self, address: str, now: datetime) -> list[Suppression]:
        """Find each spelling of *address* that is blocked at *now*, whatever has to be read.

        No mail waits for it, and the server compares: see `spelled_like`.
        """
        query = filter_any_spelling(address, "_id", include_non_ascii=True) | filter_active(now)

        async def read(index: str) -> list[Document]:
            options = {"hint": index, "max_time_ms": READ_TIMEOUT_MS}
            return await self.mongo.suppressions.find(query, **options).to_list(None)

        spellings = await read_by_index(read)
        return [decode(each) for each in spellings if is_same_address(each["_id"], address)]

    async def _read(self, query: Query, now: datetime, index: str, most: int = 0) -> list[Document]:
        """Read what *query* takes in of all that blocks at *now*: *most* at most; 0: all."""
        # In one reply, also where they are more than the driver's 101.
        options = {"limit": most, "batch_size": most or BATCH_SIZE, "max_time_ms": READ_TIMEOUT_MS}
        found = self.mongo.suppressions.find(filter_active(now) | query, hint=index, **options)
        return await found.to_list(None)

    async def read_page(self, after: str, *, most: int, now: datetime) -> list[Suppression]:
        """Give the *most* addresses that follow *after*, of those that are blocked at *now*."""
        query = {"_id": {"$gt": after}, "until": {"$gt": now}}
        with store_errors("listing blocked addresses"):
            found = self.mongo.suppressions.find(
                query, sort=[("_id", 1)], hint=BY_ID, limit=most, batch_size=most
            )
            return [decode(document) async for document in found]

    async def add_one(self, wanted: Suppression) -> Suppression:
        """Keep *wanted*; where its address is blocked already, it has been since then.

        Other spellings that are blocked are so for the same reason and as long from now on: else
        the one that lasts longest would count, and not what was wanted last.
        """
        with write_errors("blocking an address"):
            spellings = await self._find_spellings(wanted.address, wanted.create_time)
            others = [each for each in spellings if each.address != wanted.address]
            document = await self._upsert(
                wanted, min((each.create_time for each in others), default=None)
            )
            if others:
                change = {name: encode(wanted)[name] for name in ("reason", "job_id", "until")}
                still = {"_id": {"$in": [each.address for each in others]}}
                await self.mongo.suppressions.update_many(still, {"$set": change}, hint=BY_ID)
        return decode(document)

    async def _upsert(self, wanted: Suppression, since: datetime | None) -> Document:
        """Write *wanted* itself; *since* is when another spelling was blocked, if one is."""
        is_blocked = {"$gt": ["$until", wanted.create_time]}
        otherwise = since or wanted.create_time
        fields = {
            "folded": {"$literal": fold_address(wanted.address)},
            "reason": {"$literal": wanted.reason},
            "job_id": wanted.job_id,
            "since": {"$cond": [is_blocked, "$since", otherwise]},
            "until": wanted.expire_time,
        }
        document: Document = await self.mongo.suppressions.find_one_and_update(
            {"_id": wanted.address},
            [{"$set": fields}],
            upsert=True,
            hint=BY_ID,
            return_document=ReturnDocument.AFTER,
        )
        return document

    async def remove(self, address: str, *, now: datetime) -> Suppression | None:
        """Let *address* have mail again; give what blocked it, if anything did at *now*.

        All its spellings are freed; what is given is the one that was asked for, if it was blocked.
        """
        with store_errors("freeing an address"):
            spellings = await self._find_spellings(address, now)
            # Also where none is found: only a confirmed write says what a majority has.
            ids = [each.address for each in spellings] or [address]
            freed = {"_id": {"$in": ids}, "until": {"$gt": now}}
            with write_errors("freeing an address"):
                deleted = await self.mongo.suppressions.delete_many(freed, hint=BY_ID)
        if not spellings or not deleted.deleted_count:  # another call may have been faster
            return None
        return max(spellings, key=lambda each: (each.address == address, each.expire_time))


def filter_active(now: datetime) -> Query:
    """Make the filter for what blocks at *now*; what is over stays until the TTL monitor comes."""
    return {"_id": {"$gte": ""}, "until": {"$gt": now}}


def encode(suppression: Suppression) -> dict[str, Any]:
    return {
        "_id": suppression.address,
        FOLDED: fold_address(suppression.address),
        "reason": suppression.reason,
        "job_id": suppression.job_id,
        "since": suppression.create_time,
        "until": suppression.expire_time,
    }


def decode(document: Mapping[str, Any]) -> Suppression:
    """Read tolerantly: an address and a time suffice to block, as in a list that was imported."""
    return Suppression(
        address=document["_id"],
        reason=read_text(document, "reason"),
        job_id=read_text(document, "job_id"),
        create_time=read_time(document, "since"),
        expire_time=read_latest_time(document, "until"),
    )
