"""The filling of `folded`, the address without case, in documents that lack it (ADR 0025).

Documents stored before there was such a field lack it, and so do those that a process of the
previous version stores or replaces during an upgrade.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne

from gcsched.adapters.mongo.bulk_write import write_each
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.field_checks import INVALID_UTF8_MARK
from gcsched.adapters.mongo.folded_queries import FOLDED, read_if_indexed
from gcsched.adapters.mongo.index_names import BY_ERASED, BY_FOLDED, BY_ID
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS
from gcsched.domain.address_folding import fold_address
from gcsched.usecases.ports import AddressStore, FoldedPage

Query = dict[str, Any]

ADDRESS_FIELDS: Mapping[AddressStore, str] = {
    AddressStore.SUPPRESSIONS: "_id",
    AddressStore.RECIPIENTS: "email",
    AddressStore.JOBS: "email",
}
"""The field of each collection that holds the address as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAddressFolding:
    """The port `FoldedAddresses` on MongoDB."""

    mongo: Mongo

    async def fill(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage | None:
        """Write `folded` in the *most* documents that follow *after*, among those that lack it.

        Returns None while its index does not exist. Without it each process would read the whole
        collection every time.
        """
        # Null also matches a missing field.
        missing = self._read_page(kind, {FOLDED: None, "_id": {"$gt": after}}, BY_FOLDED, most)
        with store_errors("folding addresses"):
            page = await read_if_indexed(self.mongo, missing)
            return None if page is None else await self._write(kind, page, most)

    async def check(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage:
        """Correct `folded` in the *most* documents that follow *after*, present or not.

        A process of the previous version may have changed an address beside an old `folded`.
        """
        with store_errors("checking folded addresses"):
            page = await self._read_page(kind, {"_id": {"$gt": after}}, BY_ID, most)
            return await self._write(kind, page, most)

    async def clear_erased(self, *, most: int) -> int:
        """Empty `folded` in *most* jobs that a process of the previous version has erased.

        That process empties the address but does not know this field.
        """
        left = {"email": "", FOLDED: {"$gt": ""}}
        jobs, options = self.mongo.jobs, {"hint": BY_ERASED, "max_time_ms": READ_TIMEOUT_MS}
        with store_errors("looking for erased jobs"):
            reading = jobs.find(left, {"_id": 1}, limit=most, **options).to_list(most)
            if not (found := await read_if_indexed(self.mongo, reading)):
                return 0
            ids = {"_id": {"$in": [each["_id"] for each in found]}}
            result = await jobs.update_many(ids | left, {"$set": {FOLDED: ""}}, hint=BY_ID)
        return int(result.modified_count)

    async def _read_page(
        self, kind: AddressStore, query: Query, index: str, most: int
    ) -> list[Document]:
        projection = {ADDRESS_FIELDS[kind]: 1, FOLDED: 1}
        collection = self.mongo.database[kind.value]
        options = {"hint": index, "limit": most, "batch_size": most, "max_time_ms": READ_TIMEOUT_MS}
        found = collection.find(query, projection, sort=[("_id", 1)], **options)
        return await found.to_list(most)

    async def _write(self, kind: AddressStore, page: Sequence[Document], most: int) -> FoldedPage:
        writes = list(build_writes(page, ADDRESS_FIELDS[kind]))
        collection = self.mongo.database[kind.value]
        count, failed = await write_each(collection, writes) if writes else (0, [])
        is_last = len(page) < most
        return FoldedPage(
            count=count,
            failed=len(failed) + sum(not has_address(each, ADDRESS_FIELDS[kind]) for each in page),
            last=None if is_last else page[-1]["_id"],
        )


def build_writes(page: Sequence[Document], address_field: str) -> Iterator[UpdateOne]:
    """Yield an update for each document whose `folded` does not match its address.

    Each matches the document only as it was read: the address may have changed meanwhile.
    """
    for document in page:
        if not has_address(document, address_field):
            continue
        address, before = document[address_field], document.get(FOLDED)
        if (folded := fold_address(address)) != before:
            # `$eq`, because a stored value may look like an operator. Null also matches a missing
            # field.
            seen = {"_id": document["_id"], FOLDED: {"$eq": before}}
            if address_field != "_id":
                seen[address_field] = {"$eq": address}
            yield UpdateOne(seen, {"$set": {FOLDED: folded}}, hint=BY_ID)


def has_address(document: Document, address_field: str) -> bool:
    """Return whether the address can be folded: it is a text, and all of it was valid UTF-8."""
    address = document.get(address_field)
    return isinstance(address, str) and INVALID_UTF8_MARK not in address
