"""The jobs that hold the dedup keys and request ids of new jobs."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo.codec import read_text
from gcsched.adapters.mongo.connection import Collection, Mongo
from gcsched.adapters.mongo.documents import BY_DEDUP_KEY, BY_ID, BY_REQUEST_ID
from gcsched.domain.dedup import KeyHolder
from gcsched.domain.job import Job, State

PROJECTION = dict.fromkeys(
    ("state", "due", "dedup_key", "dedup_until", "request_id", "fingerprint"), 1
)

STATES = frozenset(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoKeyHolders:
    """Lookup of key holders. It reads what a majority has: only that counts as accepted (P1)."""

    mongo: Mongo

    async def find(self, jobs: Sequence[Job]) -> Mapping[str, KeyHolder]:
        """Return job id → the holder of its request id, else of its key, else itself if stored."""
        # The holder of the request id takes precedence over that of the dedup key.
        found = {**await self._find_by_key(jobs), **await self._find_by_request_id(jobs)}
        # The job itself may be stored by an earlier try, and even have ended and freed its key.
        rest = [job.id for job in jobs if job.id not in found]
        if not rest:
            return found
        own = self._find({"_id": {"$in": rest}}, BY_ID)
        return found | {holder.job_id: holder async for _, holder in own}

    async def _find_by_key(self, jobs: Sequence[Job]) -> dict[str, KeyHolder]:
        keys = [job.dedup_key for job in jobs]
        found = self._find({"dedup_key": {"$in": keys}}, BY_DEDUP_KEY)
        by_key = {
            key: holder async for doc, holder in found for key in read_texts(doc, "dedup_key")
        }
        return {job.id: by_key[job.dedup_key] for job in jobs if job.dedup_key in by_key}

    async def _find_by_request_id(self, jobs: Sequence[Job]) -> dict[str, KeyHolder]:
        ids = [job.request_id for job in jobs if job.request_id]
        if not ids:
            return {}
        query = {"request_id": {"$in": ids}, "dedup_key": {"$exists": True}}
        found = self._find(query, BY_REQUEST_ID)
        by_id = {
            key: holder async for doc, holder in found for key in read_texts(doc, "request_id")
        }
        return {job.id: by_id[job.request_id] for job in jobs if job.request_id in by_id}

    async def _find(
        self, query: dict[str, Any], index: str
    ) -> AsyncIterator[tuple[Mapping[str, Any], KeyHolder]]:
        async for document in self._collection.find(query, PROJECTION, hint=index):
            yield document, decode_holder(document)

    @property
    def _collection(self) -> Collection:
        return self.mongo.jobs.with_options(read_concern=ReadConcern("majority"))


def read_texts(document: Mapping[str, Any], name: str) -> list[str]:
    """Return the text in field *name*, or those of an array: MongoDB matches any element."""
    value = document[name]
    return [
        each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
    ]


def decode_holder(document: Mapping[str, Any]) -> KeyHolder:
    """Return the holder, even if its document is damaged: it still keeps a second mail out."""
    state, due = document.get("state"), document.get("due")
    until = document.get("dedup_until")
    return KeyHolder(
        job_id=str(document["_id"]),
        state=State(state) if isinstance(state, str) and state in STATES else None,
        due_time=due if isinstance(due, datetime) else None,
        request_id=read_text(document, "request_id"),
        fingerprint=read_text(document, "fingerprint"),
        dedup_until=until if isinstance(until, datetime) else None,
    )
