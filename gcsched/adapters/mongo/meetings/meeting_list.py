"""Lists of meetings, page by page: each is a range of an index."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from gcsched.adapters.mongo.client_indexes import read_if_made
from gcsched.adapters.mongo.connection import Document, Mongo, store_errors
from gcsched.adapters.mongo.index_names import (
    BY_ATTENDEE_ADDRESS,
    BY_CLIENT,
    BY_CLIENT_AND_ORGANIZER,
    BY_CLIENT_AND_START,
    BY_ID,
    BY_ORGANIZER,
    BY_START,
)
from gcsched.adapters.mongo.meetings.reader import MeetingReader
from gcsched.adapters.mongo.quarantine import UnreadableLog
from gcsched.domain.address_folding import fold_address
from gcsched.domain.ids import EPOCH
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.meeting_list import MeetingCursor, MeetingFilter, MeetingListQuery
from gcsched.domain.organizer import to_ascii
from gcsched.errors import UnreadableMeeting
from gcsched.usecases.ports.meetings import MeetingPage

Query = dict[str, Any]

READ_TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoMeetingList:
    """The port `MeetingList` on MongoDB: meetings as the primary has them."""

    mongo: Mongo
    unreadable_log: UnreadableLog = field(default_factory=UnreadableLog)

    async def read_page(
        self, listing: MeetingListQuery, after: MeetingCursor | None, *, most: int
    ) -> MeetingPage:
        """Return the *most* meetings that follow *after*.

        Reads one more, to know whether there is a next page. One that cannot be read is left out.
        """
        with store_errors("listing meetings"):
            found = await self._find(listing, after, most + 1)
            shown = found[:most]
            read = await MeetingReader(mongo=self.mongo).read(shown)
        # From the document: a last one that is unreadable must not end the list.
        next_cursor = build_cursor(shown[-1], listing) if len(found) > most else None
        return MeetingPage(meetings=tuple(self._select(read)), next_cursor=next_cursor)

    async def _find(
        self, listing: MeetingListQuery, after: MeetingCursor | None, most: int
    ) -> list[Document]:
        found: list[Document] = []
        index = choose_index(listing.filter)
        for query in split_ranges(build_query(listing.filter), listing, after):
            if (left := most - len(found)) > 0:
                found += await self._read(query, index, listing, left)
        return found

    async def _read(
        self, query: Query, index: str, listing: MeetingListQuery, most: int
    ) -> list[Document]:
        direction = -1 if listing.order.is_descending else 1
        keys = ["start", "_id"] if listing.order.is_by_start else ["_id"]
        cursor = self.mongo.meetings.find(
            query,
            hint=index,
            sort=[(key, direction) for key in keys],
            limit=most,
            batch_size=most,
            max_time_ms=READ_TIMEOUT_MS,
        )
        return await read_if_made(self.mongo, index, cursor.to_list(None), otherwise=[])

    def _select(self, read: list[Meeting | UnreadableMeeting]) -> Iterator[Meeting]:
        for each in read:
            if isinstance(each, Meeting):
                yield each
            elif self.unreadable_log.is_new(meeting_id := each.metadata["meeting_id"]):
                structlog.get_logger().warning(
                    "meeting unreadable", meeting_id=meeting_id, problem=str(each)
                )


def choose_index(meeting_filter: MeetingFilter) -> str:
    """Return the index whose order is that of the list.

    The client of a list by attendee is in no index: those meetings are few anyway.
    """
    has_client = bool(meeting_filter.client)
    if meeting_filter.attendee:
        return BY_ATTENDEE_ADDRESS
    if meeting_filter.organizer:
        return BY_CLIENT_AND_ORGANIZER if has_client else BY_ORGANIZER
    if meeting_filter.given_fields:
        return BY_CLIENT_AND_START if has_client else BY_START
    return BY_CLIENT if has_client else BY_ID


def build_query(meeting_filter: MeetingFilter) -> Query:
    """Return the query for *meeting_filter*.

    A bound in MongoDB matches values of its own type only. So `_id` and `start` always have one:
    documents in which they have another type cannot be placed in a list.
    """
    query: Query = {"_id": {"$gte": ""}}
    if meeting_filter.attendee:
        query["attendees.folded"] = fold_address(meeting_filter.attendee)
    elif meeting_filter.given_fields:
        end = meeting_filter.start_time_before
        query["start"] = {"$gte": meeting_filter.start_time_from or EPOCH}
        query["start"] |= {} if end is None else {"$lt": end}
    if meeting_filter.organizer:
        query["organizer"] = filter_organizer(meeting_filter.organizer)
    if meeting_filter.client:
        query["client"] = meeting_filter.client
    return query


def filter_organizer(address: str) -> Any:
    """Return the filter for an organizer: the sender of the mails has A-labels, others have not."""
    spellings = sorted({address, to_ascii(address)})
    return spellings[0] if len(spellings) == 1 else {"$in": spellings}


def split_ranges(
    query: Query, listing: MeetingListQuery, after: MeetingCursor | None
) -> Iterator[Query]:
    """Yield the queries of a page: the rest of the meetings that start with *after*, then later."""
    beyond = "$lt" if listing.order.is_descending else "$gt"
    if after is None:
        yield query
    elif not listing.order.is_by_start:
        # Ids sort by creation, so the id alone is the place in the list.
        yield query | {"_id": query["_id"] | {beyond: after.id}}
    else:
        yield query | {"start": after.start, "_id": {beyond: after.id}}
        # The cursor is the narrower bound at this end, so it replaces that of the filter.
        start = {name: bound for name, bound in query["start"].items() if name[:3] != beyond}
        yield query | {"start": start | {beyond: after.start}}


def build_cursor(document: Document, listing: MeetingListQuery) -> MeetingCursor:
    start = document["start"] if listing.order.is_by_start else None
    return MeetingCursor(
        id=str(document["_id"]), start=start if isinstance(start, datetime) else None
    )
