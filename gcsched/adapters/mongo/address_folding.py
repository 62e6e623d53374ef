"""Write `folded` where it is missing: documents of versions before, and of their processes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateOne

from gcsched.adapters.mongo.bulk_write import write_each
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import BY_ERASED, BY_FOLDED, BY_ID
from gcsched.adapters.mongo.field_checks import INVALID_UTF8_MARK
from gcsched.adapters.mongo.folded_queries import FOLDED, read_if_indexed
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS
from gcsched.domain.address_folding import fold_address
from gcsched.usecases.ports import AddressStore, FoldedPage

Query = dict[str, Any]

ADDRESS_FIELDS: Mapping[AddressStore, str] = {
    AddressStore.SUPPRESSIONS: "_id",
    AddressStore.RECIPIENTS: "email",
    AddressStore.JOBS: "email",
}
"""The field of each collection that has the address as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAddressFolding:
    mongo: Mongo

    async def fill(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage | None:
        """Write it in the *most* documents that follow *after*, of those that lack it.

        None: its index is not there. To look for them without it would read all there is, each
        time and in each process.
        """
        missing = self._read_page(kind, {FOLDED: None, "_id": {"$gt": after}}, BY_FOLDED, most)
        with store_errors("folding addresses"):
            page = await read_if_indexed(self.mongo, missing)
            return None if page is None else await self._write(kind, page, most)

    async def check(self, kind: AddressStore, after: str, *, most: int) -> FoldedPage:
        """Put it right in the *most* documents that follow *after*, whether they have it or not."""
        with store_errors("checking folded addresses"):
            page = await self._read_page(kind, {"_id": {"$gt": after}}, BY_ID, most)
            return await self._write(kind, page, most)

    async def clear_erased(self, *, most: int) -> int:
        """Empty it in *most* jobs that a process of the version before has erased.

        That process empties the address and does not know of the other field.
        """
        left = {"email": "", FOLDED: {"$gt": ""}}
        jobs, options = self.mongo.jobs, {"hint": BY_ERASED, "max_time_ms": READ_TIMEOUT_MS}
        with store_errors("looking for erased jobs"):
            reading = jobs.find(left, {"_id": 1}, limit=most, **options).to_list(most)
            if not (found := await read_if_indexed(self.mongo, reading)):
                return 0
            ids = {"_id": {"$in": [each["_id"] for each in found]}}
            answer = await jobs.update_many(ids | left, {"$set": {FOLDED: ""}}, hint=BY_ID)
        return int(answer.modified_count)

    async def _read_page(
        self, kind: AddressStore, query: Query, index: str, most: int
    ) -> list[Document]:
        wanted = {ADDRESS_FIELDS[kind]: 1, FOLDED: 1}
        options = {"hint": index, "limit": most, "batch_size": most, "max_time_ms": READ_TIMEOUT_MS}
        found = self.mongo.database[kind.value].find(query, wanted, sort=[("_id", 1)], **options)
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


def build_writes(page: Sequence[Document], written_in: str) -> Iterator[UpdateOne]:
    """Make the write for each whose field is another than its address gives, if it still is so."""
    for document in page:
        if not has_address(document, written_in):
            continue
        written, before = document[written_in], document.get(FOLDED)
        if (folded := fold_address(written)) != before:
            # As values: what is stored may look like an operator. None is also: it is missing.
            seen = {"_id": document["_id"], FOLDED: {"$eq": before}}
            if written_in != "_id":
                seen[written_in] = {"$eq": written}
            yield UpdateOne(seen, {"$set": {FOLDED: folded}}, hint=BY_ID)


def has_address(document: Document, written_in: str) -> bool:
    """Tell whether it can be folded: a text, and no octets of it are lost."""
    written = document.get(written_in)
    return isinstance(written, str) and INVALID_UTF8_MARK not in written
