"""Read jobs: one by its id, or page by page, each page a few ranges of one index in its order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gcsched.adapters.mongo.codec import (
    DECODE_ERRORS,
    decode,
    decode_each,
    explain_unreadable,
    is_list,
)
from gcsched.adapters.mongo.connection import Collection, Document, Mongo, store_errors
from gcsched.adapters.mongo.documents import (
    BY_EMPID,
    BY_FOLDED,
    BY_ID,
    BY_REQUEST_ID_AND_ID,
    BY_STATE_AND_DUE,
    JobDocument,
)
from gcsched.adapters.mongo.folded_queries import (
    filter_any_spelling,
    filter_folded,
    has_all_folded,
    read_by_index,
)
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS, read_majority
from gcsched.adapters.mongo.quarantine import UnreadableLog
from gcsched.domain.ids import EPOCH
from gcsched.domain.job import Job
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery
from gcsched.errors import UnreadableJob
from gcsched.usecases.ports import Page

Query = dict[str, Any]

BASIC_PROJECTION = {"message": 0, "variables": 0, "attempts": 0}
LAST_CHARACTER = "\U0010ffff"
DEFAULT_FIELDS: Document = {"message": "", "attempts": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobList:
    """Pages as the primary has them; where *is_majority_read*, as a majority has them."""

    mongo: Mongo
    is_majority_read: bool = False
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)

    async def read_page(
        self, listing: JobListQuery, after: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        """Give the *most* jobs that follow *after*; without their texts unless *is_full*.

        One more is looked at, to know whether there is a next page.
        """
        found: list[Document] = []
        projection = None if is_full else BASIC_PROJECTION
        with store_errors("listing jobs"):
            for query in split_ranges(listing, after):
                if (left := most + 1 - len(found)) > 0:
                    look = JobQuery(
                        query=query,
                        projection=projection,
                        index=choose_index(listing.filter),
                        options=build_options(listing, left),
                    )
                    found += await self._run(look)
        shown = found[:most]
        # By the document: a last one that cannot be read must not end the list.
        following = find_place(shown[-1], listing) if len(found) > most else None
        readable, unreadable = decode_each(DEFAULT_FIELDS | document for document in shown)
        self.unreadable_log.warn(unreadable)
        return Page(jobs=tuple(job for _, job in readable), next_cursor=following)

    async def _run(self, look: "JobQuery") -> list[Document]:
        jobs = self.mongo.jobs
        return await (read_majority(look.run, jobs) if self.is_majority_read else look.run(jobs))

    async def count(self, wanted: JobFilter, *, most: int) -> int:
        """Count what *wanted* takes in, up to *most*."""
        query, jobs = build_filter(wanted), self.mongo.jobs

        async def count_by(index: str) -> int:
            options: dict[str, Any] = {"limit": most, "maxTimeMS": READ_TIMEOUT_MS}
            return int(await jobs.count_documents(query, hint=index, **options))

        with store_errors("counting jobs"):
            if wanted.email and await has_all_folded(jobs):
                query = {
                    "_id": {"$gte": ""},
                    **filter_folded(wanted.email),
                }  # the index alone tells
            return await read_by_index(count_by, choose_index(wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """One statement that reads jobs, all in one answer."""

    query: Query
    projection: Mapping[str, int] | None
    index: str
    options: Mapping[str, Any]

    async def run(self, jobs: Collection) -> list[Document]:
        async def read(index: str) -> list[Document]:
            cursor = jobs.find(self.query, self.projection, hint=index, **self.options)
            return await cursor.to_list(None)

        return await read_by_index(read, self.index)


def build_options(listing: JobListQuery, most: int) -> dict[str, Any]:
    direction = -1 if listing.order.is_descending else 1
    keys = ["due", "_id"] if listing.order.is_by_due_time else ["_id"]
    return {
        "sort": [(key, direction) for key in keys],
        "limit": most,
        "batch_size": most,
        "max_time_ms": READ_TIMEOUT_MS,
    }


def choose_index(wanted: JobFilter) -> str:
    if wanted.state is not None:
        return BY_STATE_AND_DUE
    if wanted.empid:
        return BY_EMPID
    if wanted.request_id:
        return BY_REQUEST_ID_AND_ID
    return BY_FOLDED if wanted.email else BY_ID


def split_ranges(listing: JobListQuery, after: Cursor | None) -> Iterator[Query]:
    """Give what to look for, one after the other: first the rest of those due when *after* was.

    Not as one `$or`: how that is read is the planner's choice, and it remembers wrong ones.
    """
    query = build_filter(listing.filter)
    beyond = "$lt" if listing.order.is_descending else "$gt"
    if after is None:
        yield query
    elif not listing.order.is_by_due_time:
        # Ids sort by creation, so an index needs nothing else.
        yield query | {"_id": query["_id"] | {beyond: after.id}}
    else:
        yield query | {"due": after.due_time, "_id": {beyond: after.id}}
        # Narrower than what the filter says of this end.
        due = {name: bound for name, bound in query["due"].items() if name[:3] != beyond}
        yield query | {"due": due | {beyond: after.due_time}}


def build_filter(wanted: JobFilter) -> Query:
    """Give the whole of *wanted*. Bounds also say of which type: others have no place in a list."""
    query: Query = {"_id": {"$gte": wanted.id_prefix}}
    if wanted.id_prefix:
        query["_id"]["$lt"] = wanted.id_prefix + LAST_CHARACTER
    if wanted.state is not None:
        before = {"$lt": wanted.due_time_before} if wanted.due_time_before is not None else {}
        due = {"$gte": wanted.due_time_from or EPOCH} | before
        query |= {"state": wanted.state.value, "due": due}
    if wanted.empid:
        query["empid"] = wanted.empid
    if wanted.email:
        query |= filter_any_spelling(wanted.email, "email")
    if wanted.request_id:
        query["request_id"] = wanted.request_id
    return query


def find_place(document: Document, listing: JobListQuery) -> Cursor:
    due = find_due(document, listing) if listing.order.is_by_due_time else None
    return Cursor(id=document["_id"], due_time=due)


def find_due(document: Document, listing: JobListQuery) -> datetime:
    """Return the time by which *document* has its place; of several, the one that counts here."""
    found = document["due"]
    moments = [
        each for each in (found if is_list(found) else [found]) if isinstance(each, datetime)
    ]
    return max(moments) if listing.order.is_descending else min(moments)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobReader:
    async def get(self, job_id: str) -> Job | None:
        """Give the job, if there is one; raises UnreadableJob where it is none of ours."""
        # Not as a Beanie document: pydantic takes "1" for 1, and then others find it unreadable.
        jobs = JobDocument.get_motor_collection()
        with store_errors("reading a job"):
            document: Document | None = await jobs.find_one({"_id": job_id}, hint=BY_ID)
        if document is None:
            return None
        try:
            return decode(document)
        except DECODE_ERRORS as error:
            raise UnreadableJob(job_id, explain_unreadable(document, error)) from error
