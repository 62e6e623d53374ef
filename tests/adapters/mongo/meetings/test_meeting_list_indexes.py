"""Each list of meetings reads only what it returns, by the server's own profile."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.meeting_document import encode_revision
from gcsched.adapters.mongo.meetings.meeting_codec import encode_meeting
from gcsched.adapters.mongo.meetings.meeting_list import MongoMeetingList
from gcsched.domain.ids import new_id
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.meetings.meeting_list import (
    ORDERS_OF_ALL,
    MeetingCursor,
    MeetingFilter,
    MeetingListQuery,
)
from tests.support.builders import NOW, SENDER, a_revision
from tests.support.mongo_profile import profile_commands, stages
from tests.support.rows import Row
from tests.support.stored_meetings import a_planned_meeting, an_invitee

MANY, IN_ONE_SECOND, PEOPLE = 10_000, 1_000, 10
PAGE = 20
HOUR = timedelta(hours=1)
SOME = MeetingFilter(start_time_from=NOW + HOUR, start_time_before=NOW + 9 * HOUR)
FILTERS = [
    MeetingFilter(),
    SOME,
    MeetingFilter(start_time_from=NOW + HOUR),
    MeetingFilter(organizer=SENDER.email),
    MeetingFilter(organizer=SENDER.email, start_time_before=NOW + 9 * HOUR),
    MeetingFilter(attendee="GUEST-7@example.org"),
    MeetingFilter(client="payroll"),
    MeetingFilter(start_time_from=NOW + HOUR, client="payroll"),
    MeetingFilter(organizer=SENDER.email, client="payroll"),
]


@pytest.fixture
def mongo_uri(new_mongo_uri: str) -> str:
    """A new database: the indexes of this test must be made for its meetings."""
    return new_mongo_uri


def many_meetings() -> Iterator[Meeting]:
    """Make meetings, a tenth of them in each hour, and every second one of the client payroll."""
    for number in range(MANY):
        created = NOW + number * timedelta(milliseconds=1)
        start = NOW + number // IN_ONE_SECOND * HOUR
        meeting_id = new_id(created)
        yield a_planned_meeting(
            revision=a_revision(meeting_id=meeting_id, start=start, end=start + HOUR),
            attendees=(an_invitee(number % PEOPLE),),
            client="payroll" if number % 2 else "",
        )


def insert_all(raw: Database[Row]) -> list[Row]:
    meetings, revisions = [], []
    for each in many_meetings():
        meetings.append(encode_meeting(each))
        revisions.append({"_id": f"{each.id}:1", **encode_revision(each.revision)})
    raw["meetings"].insert_many(meetings)
    raw["meeting_revisions"].insert_many(revisions)
    return meetings


async def test_every_page_reads_only_what_it_returns(mongo: Mongo, raw: Database[Row]) -> None:
    await mongo.prepare()
    rows = insert_all(raw)
    middle = rows[MANY // 2 + IN_ONE_SECOND // 2 + 7]
    wasteful = []
    for meeting_filter in FILTERS:
        for order in ORDERS_OF_ALL[meeting_filter.given_fields]:
            listing = MeetingListQuery(filter=meeting_filter, order=order)
            start = middle["start"] if order.is_by_start else None
            for after in (None, MeetingCursor(id=middle["_id"], start=start)):
                wasteful += await find_wasteful_reads(mongo, raw, listing, after)

    assert wasteful == []


async def find_wasteful_reads(
    mongo: Mongo, raw: Database[Row], listing: MeetingListQuery, after: MeetingCursor | None
) -> list[str]:
    """Read a page; return each query that scanned, sorted, or read more than twice the page."""

    async def use(mongo: Mongo) -> None:
        page = await MongoMeetingList(mongo=mongo).read_page(listing, after, most=PAGE)
        assert len(page.meetings) == PAGE
        assert page.next_cursor is not None

    profile = await profile_commands(mongo, raw, use)
    assert profile, "nothing was profiled"
    return [
        f"{listing} after {after}: {stages(each['execStats'])}, {each['keysExamined']} keys"
        for each in profile
        if {"COLLSCAN", "SORT"} & set(stages(each["execStats"]))
        or max(each["keysExamined"], each["docsExamined"]) > max(2 * each["nreturned"], 1)
    ]
