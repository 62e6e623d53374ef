"""Suppressions: one document per spelling of an address, deleted by MongoDB when it expires.

The id is the address as it was written, because a process of the previous version looks only for
that. A suppression of one spelling applies to all spellings (ADR 0025).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReplaceOne, ReturnDocument

from gcsched.adapters.mongo.codec import read_latest_time, read_text, read_time
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.folded_queries import (
    FOLDED,
    Query,
    filter_any_spelling,
    read_by_index,
    read_if_indexed,
)
from gcsched.adapters.mongo.index_names import BY_FOLDED, BY_ID
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.address_folding import fold_address, is_same_address
from gcsched.domain.suppression import Suppression

MAX_COMPARED = 500  # more than a process of the previous version writes until the next filling
MAX_SPELLINGS = 4  # per address, on average
BATCH_SIZE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoSuppressions:
    """The ports `Suppressions` and `SuppressionStore` on MongoDB."""

    mongo: Mongo

    async def add(self, suppressions: Sequence[Suppression]) -> None:
        """Store *suppressions*; of several for one spelling, the latest counts."""
        latest = {suppression.address: suppression for suppression in suppressions}
        writes = [ReplaceOne({"_id": a}, encode(s), upsert=True) for a, s in latest.items()]
        with write_errors("suppressing addresses"):
            await self.mongo.suppressions.bulk_write(writes, ordered=False)

    async def find_active(
        self, addresses: Collection[str], *, now: datetime
    ) -> Mapping[str, Suppression]:
        """Return those of *addresses* that are suppressed at *now* in any spelling.

        If several spellings of an address are suppressed, the one that expires last counts.
        """
        folds = {address: fold_address(address) for address in addresses}
        with store_errors("looking for suppressed addresses"):
            found = await self._find_active(folds, now)
        found.sort(key=lambda each: (each.expire_time, each.create_time))
        longest = {fold_address(each.address): each for each in found}
        return {address: longest[fold] for address, fold in folds.items() if fold in longest}

    async def _find_active(self, by_address: Mapping[str, str], now: datetime) -> list[Suppression]:
        """Return the suppressions of *by_address* (as written → folded) at *now*.

        One statement as a rule. Every claim calls this, so the number of documents it reads has a
        limit. If `folded` does not cover all, because its index is missing or very many documents
        lack the field, the first MAX_COMPARED are compared here. The others are found only as the
        address is written and in lower case, until the index is created and the field filled.
        """
        addresses, folds = by_address.keys(), set(by_address.values())
        most = MAX_COMPARED + MAX_SPELLINGS * len(folds)
        # Null: documents that lack the field are read in the same statement.
        reading = self._read({FOLDED: {"$in": [None, *folds]}}, now, BY_FOLDED, most)
        found = await read_if_indexed(self.mongo, reading)
        if found is None:
            found = await self._read({}, now, BY_ID, MAX_COMPARED)
            found += await self._read({"_id": {"$in": [*addresses, *folds]}}, now, BY_ID)
        elif len(found) == most:
            # There may be more than the limit. In this order: a document that is filled meanwhile
            # is found by the last statement.
            found += await self._read({"_id": {"$in": [*addresses, *folds]}}, now, BY_ID)
            found += await self._read({FOLDED: {"$in": [*folds]}}, now, BY_FOLDED)
        matching = {each["_id"]: each for each in found if fold_address(each["_id"]) in folds}
        return [decode(document) for document in matching.values()]

    async def _find_spellings(self, address: str, now: datetime) -> list[Suppression]:
        """Return every spelling of *address* that is suppressed at *now*, without a limit.

        No mail waits for this, and the server compares: see `filter_any_spelling`.
        """
        query = filter_any_spelling(address, "_id", include_non_ascii=True) | filter_active(now)

        async def read(index: str) -> list[Document]:
            options = {"hint": index, "max_time_ms": READ_TIMEOUT_MS}
            return await self.mongo.suppressions.find(query, **options).to_list(None)

        spellings = await read_by_index(read)
        return [decode(each) for each in spellings if is_same_address(each["_id"], address)]

    async def _read(self, query: Query, now: datetime, index: str, most: int = 0) -> list[Document]:
        """Read the suppressions that match *query* at *now*: *most* at most; 0 means all."""
        # In one reply: the driver's first batch has only 101 documents.
        options = {"limit": most, "batch_size": most or BATCH_SIZE, "max_time_ms": READ_TIMEOUT_MS}
        found = self.mongo.suppressions.find(filter_active(now) | query, hint=index, **options)
        return await found.to_list(None)

    async def read_page(self, after: str, *, most: int, now: datetime) -> list[Suppression]:
        """Return the *most* addresses that follow *after*, of those suppressed at *now*."""
        query = {"_id": {"$gt": after}, "until": {"$gt": now}}
        with store_errors("listing suppressions"):
            found = self.mongo.suppressions.find(
                query, sort=[("_id", 1)], hint=BY_ID, limit=most, batch_size=most
            )
            return [decode(document) async for document in found]

    async def add_one(self, suppression: Suppression) -> Suppression:
        """Store *suppression*; if its address is suppressed already, keep the create time.

        Other spellings get the same reason and expire time. Otherwise the one that expires last
        would count, instead of the latest call.
        """
        address, now = suppression.address, suppression.create_time
        with write_errors("suppressing an address"):
            spellings = await self._find_spellings(address, now)
            others = [each for each in spellings if each.address != address]
            document = await self._upsert(
                suppression, min((each.create_time for each in others), default=None)
            )
            if others:
                change = {name: encode(suppression)[name] for name in ("reason", "job_id", "until")}
                query = {"_id": {"$in": [each.address for each in others]}}
                await self.mongo.suppressions.update_many(query, {"$set": change}, hint=BY_ID)
        return decode(document)

    async def _upsert(self, suppression: Suppression, since: datetime | None) -> Document:
        """Write *suppression*; *since* is when another spelling was suppressed, if one is.

        One statement, because another call or the TTL monitor may change the document in between.
        """
        is_active = {"$gt": ["$until", suppression.create_time]}
        default = since or suppression.create_time
        fields = {
            "folded": {"$literal": fold_address(suppression.address)},
            "reason": {"$literal": suppression.reason},
            "job_id": suppression.job_id,
            "since": {"$cond": [is_active, "$since", default]},
            "until": suppression.expire_time,
        }
        document: Document = await self.mongo.suppressions.find_one_and_update(
            {"_id": suppression.address},
            [{"$set": fields}],
            upsert=True,
            hint=BY_ID,
            return_document=ReturnDocument.AFTER,
        )
        return document

    async def remove(self, address: str, *, now: datetime) -> Suppression | None:
        """Remove every spelling of *address*; return the suppression that was active at *now*.

        Of several, returns the one with the given spelling, or else the one that expires last.
        """
        with store_errors("removing a suppression"):
            spellings = await self._find_spellings(address, now)
            # A write even if none is found: only that confirms that a majority has none.
            ids = [each.address for each in spellings] or [address]
            query = {"_id": {"$in": ids}, "until": {"$gt": now}}
            with write_errors("removing a suppression"):
                deleted = await self.mongo.suppressions.delete_many(query, hint=BY_ID)
        if not spellings or not deleted.deleted_count:  # another call may have been faster
            return None
        return max(spellings, key=lambda each: (each.address == address, each.expire_time))


def filter_active(now: datetime) -> Query:
    """Return the filter for suppressions that are active at *now*.

    Expired ones stay until the TTL monitor deletes them. The bound on `_id` leaves out documents
    whose id is not a text.
    """
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
    """Return the suppression; an address and a time suffice, as in an imported list."""
    return Suppression(
        address=document["_id"],
        reason=read_text(document, "reason"),
        job_id=read_text(document, "job_id"),
        create_time=read_time(document, "since"),
        expire_time=read_latest_time(document, "until"),
    )
