"""The audit: one document for each act, inserted before it and completed after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from gcsched.adapters.mongo.codec import is_list, read_count, read_text, read_time
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.index_names import BY_ID, BY_SUBJECT, BY_WHO
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS
from gcsched.adapters.mongo.write_checks import write_errors
from gcsched.domain.audit import RETENTION, AuditEntry, AuditFilter, AuditOutcome, first_id_at
from gcsched.usecases.ports import AuditPage

OUTCOMES = {outcome.value: outcome for outcome in AuditOutcome}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAudit:
    """The port `AuditStore` on MongoDB."""

    mongo: Mongo

    async def insert(self, entry: AuditEntry) -> None:
        """Store *entry*. Raises StoreUnavailable.

        An upsert: if a write before was stored without a confirmation, this one waits for it.
        """
        document = encode(entry)
        change = {"$setOnInsert": document}
        with write_errors("recording a call in the audit"):
            await self.mongo.audit.update_one({"_id": entry.id}, change, upsert=True, hint=BY_ID)

    async def complete(self, entries: Sequence[AuditEntry]) -> None:
        """Store how *entries* have ended. Raises StoreUnavailable."""
        writes = [
            UpdateOne({"_id": entry.id}, {"$set": encode_end(entry)}, hint=BY_ID)
            for entry in entries
        ]
        with write_errors("completing audit entries"):
            await self.mongo.audit.bulk_write(writes, ordered=False)

    async def read_page(self, entry_filter: AuditFilter, after: str, *, most: int) -> AuditPage:
        """Return the *most* entries that follow *after*, the latest first.

        Reads one more, to know whether there is a next page.
        """
        query, index = build_query(entry_filter, after)
        with store_errors("listing the audit"):
            cursor = self.mongo.audit.find(
                query,
                sort=[("_id", -1)],
                hint=index,
                limit=most + 1,
                batch_size=most + 1,
                max_time_ms=READ_TIMEOUT_MS,
            )
            found = await cursor.to_list(None)
        shown = found[:most]
        return AuditPage(
            entries=tuple(map(decode, shown)),
            next_after=shown[-1]["_id"] if len(found) > most else "",
        )


def build_query(entry_filter: AuditFilter, after: str) -> tuple[Document, str]:
    """Return the query for *entry_filter*, and the index that serves it."""
    # A bound matches texts only: a document with another id has no place in the list.
    bounds = {"$gte": "" if entry_filter.from_time is None else first_id_at(entry_filter.from_time)}
    ends = [after] if after else []
    if entry_filter.before_time is not None:
        ends.append(first_id_at(entry_filter.before_time))
    if ends:
        bounds["$lt"] = min(ends)
    query: Document = {"_id": bounds}
    index = BY_ID
    if entry_filter.client:
        query["who"], index = entry_filter.client, BY_WHO
    if entry_filter.subjects:
        query["subjects"], index = {"$in": list(entry_filter.subjects)}, BY_SUBJECT
    return query, index


def encode(entry: AuditEntry) -> dict[str, Any]:
    """Return the document of an *entry* that has not ended, without its id."""
    return {
        "at": entry.time,
        "who": entry.client,
        "via": entry.via,
        "act": entry.method,
        "details": entry.details,
        "subjects": list(entry.subjects),
        "outcome": entry.outcome.value,
        "delete_after": entry.time + RETENTION,
    }


def encode_end(entry: AuditEntry) -> dict[str, Any]:
    return {
        "outcome": entry.outcome.value,
        "changed": entry.count,
        "error": entry.error,
        "ended": entry.end_time,
    }


def decode(document: Mapping[str, Any]) -> AuditEntry:
    """Return the entry, even if some fields of the document are damaged."""
    subjects, ended = document.get("subjects"), document.get("ended")
    return AuditEntry(
        id=document["_id"],
        time=read_time(document, "at"),
        client=read_text(document, "who"),
        via=read_text(document, "via"),
        method=read_text(document, "act"),
        details=read_text(document, "details"),
        subjects=tuple(each for each in subjects if isinstance(each, str))
        if is_list(subjects)
        else (),
        outcome=OUTCOMES.get(read_text(document, "outcome"), AuditOutcome.STARTED),
        count=read_count(document, "changed"),
        error=read_text(document, "error"),
        end_time=ended if isinstance(ended, datetime) else None,
    )
