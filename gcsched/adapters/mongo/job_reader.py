"""Reads of jobs: one by its id, or a page of a list, which is one or two ranges of an index."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from gcsched.adapters.mongo.client_indexes import read_if_made
from gcsched.adapters.mongo.codec import (
    DECODE_ERRORS,
    decode,
    decode_each,
    is_list,
    make_unreadable_error,
)
from gcsched.adapters.mongo.connection import Collection, Document, Mongo, store_errors
from gcsched.adapters.mongo.folded_queries import (
    filter_any_spelling,
    filter_folded,
    has_all_folded,
    read_by_index,
)
from gcsched.adapters.mongo.index_names import (
    BY_CLIENT,
    BY_CLIENT_AND_STATE,
    BY_EMPID,
    BY_FOLDED,
    BY_ID,
    BY_MEETING,
    BY_OWN_REQUEST_ID_AND_ID,
    BY_REQUEST_ID_AND_ID,
    BY_STATE_AND_DUE,
)
from gcsched.adapters.mongo.job_document import JobDocument
from gcsched.adapters.mongo.majority_read import READ_TIMEOUT_MS, read_majority
from gcsched.adapters.mongo.quarantine import UnreadableLog
from gcsched.domain.ids import EPOCH
from gcsched.domain.job import Job
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery
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
        with store_errors("listing jobs"):
            for source in list_sources(listing.filter):
                found += await self._read_source(source, listing, after, most + 1, is_full=is_full)
        if listing.filter.request_id:  # of two lists, each in the order of creation
            found.sort(key=get_id, reverse=listing.order.is_descending)
        shown = found[:most]
        # From the document, not from the job: a last one that is unreadable must not end the list.
        next_cursor = build_cursor(shown[-1], listing) if len(found) > most else None
        readable, unreadable = decode_each(DEFAULT_FIELDS | document for document in shown)
        self.unreadable_log.warn(unreadable)
        return Page(jobs=tuple(job for _, job in readable), next_cursor=next_cursor)

    async def _read_source(
        self,
        source: "Source",
        listing: JobListQuery,
        after: Cursor | None,
        most: int,
        *,
        is_full: bool,
    ) -> list[Document]:
        found: list[Document] = []
        for query in split_ranges(source.query, listing, after):
            if (left := most - len(found)) > 0:
                job_query = JobQuery(
                    query=query,
                    projection=None if is_full else BASIC_PROJECTION,
                    index=source.hint,
                    options=build_options(listing, left),
                )
                found += await self._run(job_query)
        return found

    async def _run(self, query: "JobQuery") -> list[Document]:
        jobs = self.mongo.jobs
        read = read_majority(query.run, jobs) if self.is_majority_read else query.run(jobs)
        return await read_if_made(self.mongo, query.index, read, otherwise=[])

    async def count(self, job_filter: JobFilter, *, most: int) -> int:
        """Count the jobs that match *job_filter*, up to *most*."""
        jobs = self.mongo.jobs

        async def count_source(source: Source) -> int:
            async def count_by(index: str) -> int:
                options: dict[str, Any] = {"limit": most, "maxTimeMS": READ_TIMEOUT_MS}
                return int(await jobs.count_documents(source.query, hint=index, **options))

            return await read_by_index(count_by, source.hint)

        with store_errors("counting jobs"):
            sources = list_sources(job_filter)
            if job_filter.email and await has_all_folded(jobs):
                # Covered by the index, without a client: no document is read.
                query = {"_id": {"$gte": ""}, **filter_folded(job_filter.email)}
                sources = [Source(query | build_client_filter(job_filter), BY_FOLDED)]
            counted = [
                await read_if_made(self.mongo, each.hint, count_source(each), otherwise=0)
                for each in sources
            ]
            return min(sum(counted), most)


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


class Source(NamedTuple):
    """Where jobs of a filter are: a query, and the index whose order is that of the list."""

    query: Query
    hint: str


def list_sources(job_filter: JobFilter) -> list[Source]:
    """Return where the jobs of *job_filter* are: one source, or two for a request id.

    Named clients have their request ids in a field of their own.
    """
    query, request_id = build_filter(job_filter), job_filter.request_id
    if not request_id:
        return [Source(query, choose_index(job_filter))]
    of_clients = Source(query | {"own_request_id": request_id}, BY_OWN_REQUEST_ID_AND_ID)
    if job_filter.client:
        return [of_clients]
    return [Source(query | {"request_id": request_id}, BY_REQUEST_ID_AND_ID), of_clients]


def choose_index(job_filter: JobFilter) -> str:
    """Return the index of a list that is not by request id.

    The client of a list by employee, address or meeting is in no index: those jobs are few anyway.
    """
    if job_filter.state is not None:
        return BY_CLIENT_AND_STATE if job_filter.client else BY_STATE_AND_DUE
    if job_filter.empid:
        return BY_EMPID
    if job_filter.email:
        return BY_FOLDED
    if job_filter.meeting_id:
        return BY_MEETING
    return BY_CLIENT if job_filter.client else BY_ID


def split_ranges(query: Query, listing: JobListQuery, after: Cursor | None) -> Iterator[Query]:
    """Yield the queries of a page: the rest of the jobs due in the second of *after*, then later.

    Not one `$or`: the planner would choose how to read it, and it caches a bad choice.
    """
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
    """Return the query for *job_filter*, without its request id.

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
    if job_filter.meeting_id:
        query["invitation.meeting"] = job_filter.meeting_id
    if job_filter.email:
        query |= filter_any_spelling(job_filter.email, "email")
    return query | build_client_filter(job_filter)


def build_client_filter(job_filter: JobFilter) -> Query:
    return {"client": job_filter.client} if job_filter.client else {}


def get_id(document: Document) -> str:
    return str(document["_id"])


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
            raise make_unreadable_error(document, error) from error
