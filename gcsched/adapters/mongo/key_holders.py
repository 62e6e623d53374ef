"""The jobs that hold the dedup keys and request ids that other jobs need."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.read_concern import ReadConcern

from gcsched.adapters.mongo import connection
from gcsched.adapters.mongo.client_indexes import read_if_made
from gcsched.adapters.mongo.codec import read_text
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.index_names import (
    BY_CLIENT,
    BY_DEDUP_KEY,
    BY_ID,
    BY_OWN_REQUEST_ID,
    BY_REQUEST_ID,
)
from gcsched.domain.dedup import KeyHolder, client_key, find_anonymous_key
from gcsched.domain.job import Job, State

HOLDER_FIELDS = ("state", "due", "dedup_key", "dedup_until", "fingerprint")
REQUEST_FIELDS = ("client", "request_id", "own_request_id", "invitation.meeting")
PROJECTION = dict.fromkeys((*HOLDER_FIELDS, *REQUEST_FIELDS), 1)
HELD = {"$exists": True}
DISTINCT_TIMEOUT_MS = 2_000

STATES = frozenset(State)

Holders = Mapping[str, KeyHolder]
"""Job id → the job that holds a key or a request id which that job needs."""
Needs = Collection[tuple[str, str]]
"""Pairs of a job id and a key, or a request id, that this job needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoKeyHolders:
    """Lookup of key holders.

    With *is_majority_read* it reads what a majority has: only that counts as accepted (P1).
    """

    mongo: Mongo
    is_majority_read: bool = True

    async def find(self, jobs: Sequence[Job]) -> Holders:
        """Return job id → the holder of its request id, else of its key, else itself if stored."""
        # The holder of the request id takes precedence over that of the dedup key.
        ids = [(job.id, job.request_id) for job in jobs if job.request_id and not job.client]
        found = {
            **await self._find_by_key([(job.id, job.dedup_key or "") for job in jobs]),
            **await self._find_by_request_id(ids),
            **await self._find_by_own_request_id(jobs),
        }
        # The job itself may be stored by an earlier try, and even have ended and freed its key.
        rest = [job.id for job in jobs if job.id not in found]
        if not rest:
            return found
        own = self._find({"_id": {"$in": rest}}, BY_ID)
        return found | {holder.job_id: holder async for _, holder in own}

    async def find_anonymous(self, jobs: Sequence[Job]) -> Holders:
        """Return which job of a caller without a name holds what *jobs* need, for named clients."""
        named = [job for job in jobs if job.client]
        keys = [(job.id, find_anonymous_key(job.dedup_key)) for job in named]
        ids = [(job.id, job.request_id) for job in named if job.request_id]
        return {
            **await self._find_by_key([each for each in keys if each[1]]),
            **await self._find_by_request_id(ids),
        }

    async def find_named(self, jobs: Sequence[Job]) -> Holders:
        """Return which job of a named client holds what *jobs* need, for callers without a name.

        It looks for the keys of each client that has a job, so it is for a few jobs only.
        """
        retried = [job for job in jobs if not job.client and job.dedup_key and not job.dedup_until]
        if not retried:
            return {}
        clients = await read_if_made(self.mongo, BY_CLIENT, self._list_clients(), otherwise=())
        return await self._find_by_key(
            [
                (job.id, client_key(client, job.dedup_key or ""))
                for job in retried
                for client in clients
            ]
        )

    async def _list_clients(self) -> Sequence[str]:
        """Return the clients that have jobs: the index is read from one to the next."""
        found = self.mongo.jobs.aggregate(
            [{"$match": {"client": {"$gt": ""}}}, {"$group": {"_id": "$client"}}],
            hint=BY_CLIENT,
            maxTimeMS=DISTINCT_TIMEOUT_MS,
        )
        return [each["_id"] async for each in found if isinstance(each["_id"], str)]

    async def _find_by_key(self, needs: Needs) -> Holders:
        query = {"dedup_key": {"$in": [key for _, key in needs]}}
        return await self._find_by("dedup_key", needs, query, BY_DEDUP_KEY)

    async def _find_by_request_id(self, needs: Needs) -> Holders:
        query = {"request_id": {"$in": [request_id for _, request_id in needs]}, "dedup_key": HELD}
        return await self._find_by("request_id", needs, query, BY_REQUEST_ID)

    async def _find_by(self, name: str, needs: Needs, query: dict[str, Any], index: str) -> Holders:
        if not needs:
            return {}
        found = self._find(query, index)
        holders = {value: holder async for doc, holder in found for value in read_texts(doc, name)}
        return {job_id: holders[value] for job_id, value in needs if value in holders}

    async def _find_by_own_request_id(self, jobs: Sequence[Job]) -> Holders:
        """Find the holders of the request ids of named clients, each in the scope of its client."""
        ids = [job.request_id for job in jobs if job.request_id and job.client]
        if not ids:
            return {}
        query = {"own_request_id": {"$in": ids}, "dedup_key": HELD}
        holders = {
            (client, request_id): holder
            async for doc, holder in self._find(query, BY_OWN_REQUEST_ID)
            for client in read_texts(doc, "client")
            for request_id in read_texts(doc, "own_request_id")
        }
        keys = [(job.id, (job.client, job.request_id)) for job in jobs]
        return {job_id: holders[key] for job_id, key in keys if key in holders}

    async def _find(
        self, query: dict[str, Any], index: str
    ) -> AsyncIterator[tuple[Mapping[str, Any], KeyHolder]]:
        async for document in self._collection.find(query, PROJECTION, hint=index):
            yield document, decode_holder(document)

    @property
    def _collection(self) -> connection.Collection:
        if not self.is_majority_read:
            return self.mongo.jobs
        return self.mongo.jobs.with_options(read_concern=ReadConcern("majority"))


def read_texts(document: Mapping[str, Any], name: str) -> list[str]:
    """Return the text in field *name*, or those of an array: MongoDB matches any element."""
    value = document.get(name)
    return [
        each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)
    ]


def read_meeting_id(document: Mapping[str, Any]) -> str:
    """Return the meeting of a job, "" if it has none."""
    invitation = document.get("invitation")
    return read_text(invitation, "meeting") if isinstance(invitation, dict) else ""


def decode_holder(document: Mapping[str, Any]) -> KeyHolder:
    """Return the holder, even if its document is damaged: it still keeps a second mail out."""
    state, due = document.get("state"), document.get("due")
    until = document.get("dedup_until")
    return KeyHolder(
        job_id=str(document["_id"]),
        state=State(state) if isinstance(state, str) and state in STATES else None,
        due_time=due if isinstance(due, datetime) else None,
        client=read_text(document, "client"),
        request_id=read_text(document, "own_request_id") or read_text(document, "request_id"),
        fingerprint=read_text(document, "fingerprint"),
        dedup_until=until if isinstance(until, datetime) else None,
        meeting_id=read_meeting_id(document),
    )
