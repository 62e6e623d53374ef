"""Reads of jobs: one by its id, or a page of a list, which is one or two ranges of one index."""

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

BASIC_PROJECTION = {"message": 0, "variables": 0, "attempts": 0, "steps": 0}
LAST_CHARACTER = "\U0010ffff"
DEFAULT_FIELDS: Document = {"message": "", "attempts": []}


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobList:
    """Lists of jobs as the primary has them, or as a majority has them if *is_majority_read*."""

    mongo: Mongo
    is_majority_read: bool = False
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)

    async def read_page(
        self, listing: JobListQuery, after: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        """Return the *most* jobs that follow *after*; without their texts unless *is_full*.

        Reads one more, to know whether there is a next page.
        """
        found: list[Document] = []
        projection = None if is_full else BASIC_PROJECTION
        with store_errors("listing jobs"):
            for query in split_ranges(listing, after):
                if (left := most + 1 - len(found)) > 0:
                    job_query = JobQuery(
                        query=query,
                        projection=projection,
                        index=choose_index(listing.filter),
                        options=build_options(listing, left),
                    )
                    found += await self._run(job_query)
        shown = found[:most]
        # From the document, not from the job: a last one that is unreadable must not end the list.
        next_cursor = build_cursor(shown[-1], listing) if len(found) > most else None
        readable, unreadable = decode_each(DEFAULT_FIELDS | document for document in shown)
        self.unreadable_log.warn(unreadable)
        return Page(jobs=tuple(job for _, job in readable), next_cursor=next_cursor)

    async def _run(self, query: "JobQuery") -> list[Document]:
        jobs = self.mongo.jobs
        return await (read_majority(query.run, jobs) if self.is_majority_read else query.run(jobs))

    async def count(self, job_filter: JobFilter, *, most: int) -> int:
        """Count the jobs that match *job_filter*, up to *most*."""
        query, jobs = build_filter(job_filter), self.mongo.jobs

        async def count_by(index: str) -> int:
            options: dict[str, Any] = {"limit": most, "maxTimeMS": READ_TIMEOUT_MS}
            return int(await jobs.count_documents(query, hint=index, **options))

        with store_errors("counting jobs"):
            if job_filter.email and await has_all_folded(jobs):
                # Covered by the index: no document is read.
                query = {"_id": {"$gte": ""}, **filter_folded(job_filter.email)}
            return await read_by_index(count_by, choose_index(job_filter))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """One statement that reads jobs, all in one reply."""

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


def choose_index(job_filter: JobFilter) -> str:
    """Return the index whose order is that of the list."""
    if job_filter.state is not None:
        return BY_STATE_AND_DUE
    if job_filter.empid:
        return BY_EMPID
    if job_filter.request_id:
        return BY_REQUEST_ID_AND_ID
    return BY_FOLDED if job_filter.email else BY_ID


def split_ranges(listing: JobListQuery, after: Cursor | None) -> Iterator[Query]:
    """Yield the queries of a page: the rest of the jobs due in the second of *after*, then later.

    Not one `$or`: the planner would choose how to read it, and it caches a bad choice.
    """
    query = build_filter(listing.filter)
    beyond = "$lt" if listing.order.is_descending else "$gt"
    if after is None:
        yield query
    elif not listing.order.is_by_due_time:
        # Ids sort by creation, so the id alone is the place in the list.
        yield query | {"_id": query["_id"] | {beyond: after.id}}
    else:
        yield query | {"due": after.due_time, "_id": {beyond: after.id}}
        # The cursor is the narrower bound at this end, so it replaces that of the filter.
        due = {name: bound for name, bound in query["due"].items() if name[:3] != beyond}
        yield query | {"due": due | {beyond: after.due_time}}


def build_filter(job_filter: JobFilter) -> Query:
    """Return the query for *job_filter*.

    A bound in MongoDB matches values of its own type only. So `_id` and `due` always have one:
    documents in which they have another type cannot be placed in a list.
    """
    query: Query = {"_id": {"$gte": job_filter.id_prefix}}
    if job_filter.id_prefix:
        query["_id"]["$lt"] = job_filter.id_prefix + LAST_CHARACTER
    if job_filter.state is not None:
        end = job_filter.due_time_before
        due = {"$gte": job_filter.due_time_from or EPOCH} | ({} if end is None else {"$lt": end})
        query |= {"state": job_filter.state.value, "due": due}
    if job_filter.empid:
        query["empid"] = job_filter.empid
    if job_filter.email:
        query |= filter_any_spelling(job_filter.email, "email")
    if job_filter.request_id:
        query["request_id"] = job_filter.request_id
    return query


def build_cursor(document: Document, listing: JobListQuery) -> Cursor:
    due = find_due(document, listing) if listing.order.is_by_due_time else None
    return Cursor(id=document["_id"], due_time=due)


def find_due(document: Document, listing: JobListQuery) -> datetime:
    """Return the due time by which MongoDB sorts *document*.

    It sorts an array by its greatest element in descending order, and by its least in ascending.
    """
    found = document["due"]
    times = [each for each in (found if is_list(found) else [found]) if isinstance(each, datetime)]
    return max(times) if listing.order.is_descending else min(times)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoJobReader:
    """The port `JobReader` on MongoDB."""

    async def get(self, job_id: str) -> Job | None:
        """Return the job, if there is one; raises UnreadableJob if its document is not valid."""
        # Not as a Beanie document: pydantic accepts "1" for 1, but a claim would quarantine it.
        jobs = JobDocument.get_motor_collection()
        with store_errors("reading a job"):
            document: Document | None = await jobs.find_one({"_id": job_id}, hint=BY_ID)
        if document is None:
            return None
        try:
            return decode(document)
        except DECODE_ERRORS as error:
            raise UnreadableJob(job_id, explain_unreadable(document, error)) from error
