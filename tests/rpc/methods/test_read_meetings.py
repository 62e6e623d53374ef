"""GetMeeting, ListMeetings and GetMeetingCalendar, with a real channel and a real MongoDB."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pymongo.database import Database

from gcsched.adapters.mongo.connection import Mongo
from gcsched.pb import task_pb2
from tests.support.builders import FixedClock
from tests.support.handler_server import read_error_status, serve_handlers
from tests.support.log_events import Events
from tests.support.meeting_calls import create_meeting_methods
from tests.support.meeting_service import ADA, BOB, EVE, a_reminder, create, read, split_lines
from tests.support.rows import Row
from tests.support.service_process import Stub

ORGANIZERS = ("", "people@example.com", "team@example.com")
Oracle = Callable[[task_pb2.Meeting], bool]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
async def stub(mongo: Mongo, clock: FixedClock) -> AsyncIterator[Stub]:
    async with serve_handlers(create_meeting_methods(mongo, clock)) as stub:
        yield stub


def a_list_request(**fields: Any) -> task_pb2.ListMeetingsRequest:
    """Make a request; *fields* are those of the filter and of the request."""
    names = task_pb2.MeetingFilter.DESCRIPTOR.fields_by_name
    in_filter = {name: fields.pop(name) for name in tuple(fields) if name in names}
    return task_pb2.ListMeetingsRequest(filter=task_pb2.MeetingFilter(**in_filter), **fields)


async def read_pages(stub: Stub, **fields: Any) -> list[list[str]]:
    pages, token = [], None
    while token != "":
        page = await stub.ListMeetings(a_list_request(page_token=token or "", **fields))
        pages.append([each.meeting_id for each in page.meetings])
        token = page.next_page_token
    return pages


async def create_many(stub: Stub, clock: FixedClock) -> list[task_pb2.Meeting]:
    """Create meetings of three organizers, several with the same start, each at another moment."""
    found = []
    for number in range(12):
        organizer = ORGANIZERS[number % 3]
        fields: dict[str, Any] = {"organizer": {"email": organizer}} if organizer else {}
        attendees = (ADA, BOB) if number % 2 else (EVE,)
        start = f"2027-01-{5 + number % 4:02}T09:00"
        found.append(await create(stub, *attendees, start=start, **fields))
        clock.advance(timedelta(milliseconds=1))
    return found


def at(day: int) -> datetime:
    return datetime(2027, 1, day, 8, tzinfo=UTC)


def starts(first: int = 0, before: int = 99) -> Oracle:
    """Return whether a meeting starts on the days from *first*, and before another one."""
    return lambda meeting: first <= meeting.start_time.ToDatetime(tzinfo=UTC).day < before


def is_organized(meeting: task_pb2.Meeting) -> bool:
    return meeting.organizer.email == "people@example.com"


LISTS: list[tuple[dict[str, Any], Oracle, bool]] = [
    ({}, lambda _: True, False),
    ({"start_time_from": at(6)}, starts(6), True),
    ({"start_time_before": at(7)}, starts(before=7), True),
    ({"start_time_from": at(6), "start_time_before": at(8)}, starts(6, 8), True),
    ({"organizer": "people@EXAMPLE.com"}, is_organized, True),
    (
        {"organizer": "people@example.com", "start_time_from": at(6)},
        lambda meeting: is_organized(meeting) and starts(6)(meeting),
        True,
    ),
    (
        {"attendee": "ADA@example.org"},
        lambda meeting: ADA in {each.email for each in meeting.attendees},
        False,
    ),
]


async def test_each_list_has_the_meetings_of_its_filter_in_its_order(
    stub: Stub, clock: FixedClock
) -> None:
    meetings = await create_many(stub, clock)
    for fields, is_listed, is_by_start in LISTS:
        for is_descending in (False, True):
            kind = "START_TIME" if is_by_start else "CREATE_TIME"
            order = f"{kind}_{'DESC' if is_descending else 'ASC'}"
            expected = sorted(
                filter(is_listed, meetings),
                key=lambda each: (is_by_start * each.start_time.seconds, each.meeting_id),
                reverse=is_descending,
            )

            pages = await read_pages(stub, order=order, page_size=5, **fields)

            ids = [meeting_id for page in pages for meeting_id in page]
            assert (fields, order, ids) == (fields, order, [each.meeting_id for each in expected])
            assert all(len(page) == 5 for page in pages[:-1])


async def test_an_organizer_is_found_in_either_spelling_of_its_domain(stub: Stub) -> None:
    created = await create(stub, organizer={"email": "zoe@bücher.example.com"})

    for spelling in ("zoe@bücher.example.com", "zoe@xn--bcher-kva.example.com"):
        assert await read_pages(stub, organizer=spelling) == [[created.meeting_id]]


async def test_pages_under_inserts_repeat_and_leave_out_none_of_the_earlier_ones(
    stub: Stub, clock: FixedClock
) -> None:
    meetings = [each.meeting_id for each in await create_many(stub, clock)]
    for order in ("CREATE_TIME_DESC", "CREATE_TIME_ASC"):
        listed, token, new = [], None, set()
        while token != "":
            request = a_list_request(order=order, page_size=5, page_token=token or "")
            page = await stub.ListMeetings(request)
            listed += [each.meeting_id for each in page.meetings]
            token = page.next_page_token
            clock.advance(timedelta(milliseconds=1))
            new.add((await create(stub)).meeting_id)

        of_before = [each for each in listed if each not in new]
        assert len(set(listed)) == len(listed)
        assert of_before == (meetings[::-1] if order == "CREATE_TIME_DESC" else meetings)
        meetings = sorted({*meetings, *new})


async def test_a_default_order_is_the_first_of_its_filter(stub: Stub, clock: FixedClock) -> None:
    await create_many(stub, clock)

    assert await read_pages(stub) == await read_pages(stub, order="CREATE_TIME_DESC")
    assert await read_pages(stub, start_time_from=at(1)) == await read_pages(
        stub, start_time_from=at(1), order="START_TIME_ASC"
    )


REFUSED_LISTS: list[tuple[dict[str, Any], set[str]]] = [
    ({"organizer": "x"}, {"filter.organizer"}),
    ({"attendee": ADA, "organizer": BOB}, {"filter"}),
    ({"attendee": ADA, "start_time_from": at(1)}, {"filter"}),
    ({"attendee": ADA, "order": "START_TIME_ASC"}, {"order"}),
    ({"organizer": ADA, "order": "CREATE_TIME_ASC"}, {"order"}),
    ({"start_time_from": Timestamp(seconds=2**62)}, {"filter.start_time_from"}),
    (
        {"attendee": "x", "client": "\n", "order": -1, "view": -1, "page_size": -1},
        {"filter.attendee", "filter.client", "order", "view", "page_size"},
    ),
    ({"page_token": "nonsense"}, {"page_token"}),
]


async def test_all_violations_of_a_list_are_reported(stub: Stub) -> None:
    for fields, wrong in REFUSED_LISTS:
        refusal = await read_error_status(stub.ListMeetings(a_list_request(**fields)))

        assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (fields, {*refusal.violations}) == (fields, wrong)


async def test_a_token_leads_on_in_its_own_list_only(stub: Stub, clock: FixedClock) -> None:
    await create_many(stub, clock)
    token = (await stub.ListMeetings(a_list_request(page_size=5))).next_page_token

    for others in ({"order": "CREATE_TIME_ASC"}, {"attendee": ADA}, {"start_time_from": at(1)}):
        refusal = await read_error_status(
            stub.ListMeetings(a_list_request(page_token=token, **others))
        )
        assert set(refusal.violations) == {"page_token"}


async def test_a_basic_view_has_no_texts_and_a_full_one_has_all(stub: Stub) -> None:
    texts = task_pb2.MeetingTexts(update=task_pb2.MeetingTexts.Mail(subject="Moved"))
    created = await create(
        stub,
        location="Room 5",
        url="https://example.org/1",
        description="Bring a pencil",
        texts=texts,
        reminders=[a_reminder(hours=1)],
        labels={"team": "engines"},
    )

    [basic] = (await stub.ListMeetings(a_list_request())).meetings
    [full] = (await stub.ListMeetings(a_list_request(view=task_pb2.Meeting.FULL))).meetings
    found = await read(stub, created.meeting_id)
    few = await read(stub, created.meeting_id, view=task_pb2.Meeting.BASIC)

    assert full == found == await read(stub, created.meeting_id, view=task_pb2.Meeting.FULL)
    assert basic == few
    assert (full.location, full.texts, len(full.steps)) == ("Room 5", texts, 1)
    for name in ("location", "url", "description", "texts", "steps"):
        full.ClearField(name)
    assert basic == full
    assert (basic.summary, [*basic.reminders]) == ("Review", [a_reminder(hours=1)])


async def test_a_page_has_as_many_as_fit_into_an_answer(stub: Stub) -> None:
    for _ in range(2):
        await create(
            stub,
            *[f"{'a' * 60}{n}@{'b' * 60}.example.org" for n in range(100)],
            description="\U0001f600" * 8_000,
        )
    whole = await stub.ListMeetings(a_list_request(view=task_pb2.Meeting.FULL))

    assert len(whole.meetings) == 2
    assert whole.next_page_token == ""


async def test_a_damaged_meeting_is_left_out_of_lists_and_named_by_itself(
    stub: Stub, clock: FixedClock, raw: Database[Row], events: Events
) -> None:
    first = await create(stub)
    clock.advance(timedelta(seconds=1))
    damaged = await create(stub)
    raw["meetings"].update_one({"_id": damaged.meeting_id}, {"$set": {"state": "NO_SUCH"}})

    refusal = await read_error_status(read(stub, damaged.meeting_id))

    assert await read_pages(stub, page_size=1) == [[], [first.meeting_id]]
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "MEETING_UNREADABLE")
    assert refusal.metadata == {"meeting_id": damaged.meeting_id}
    assert [each["meeting_id"] for each in events if each["event"] == "meeting unreadable"] == [
        damaged.meeting_id
    ]


async def test_an_id_is_checked_and_may_be_unknown(stub: Stub) -> None:
    unknown = await read_error_status(read(stub, "0" * 32))
    no_view: Any = -1
    request = task_pb2.GetMeetingRequest(meeting_id="\n", view=no_view)
    wrong = await read_error_status(stub.GetMeeting(request))

    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "MEETING_NOT_FOUND")
    assert unknown.metadata == {"meeting_id": "0" * 32}
    assert set(wrong.violations) == {"meeting_id", "view"}


def a_calendar_request(meeting_id: str, email: str = "") -> task_pb2.GetMeetingCalendarRequest:
    return task_pb2.GetMeetingCalendarRequest(meeting_id=meeting_id, email=email)


async def test_a_calendar_is_for_an_attendee_or_for_a_page(stub: Stub) -> None:
    created = await create(stub, ADA, BOB, location="Room 5")
    meeting_id = created.meeting_id

    of_ada = await stub.GetMeetingCalendar(a_calendar_request(meeting_id, "ADA@example.org"))
    of_page = await stub.GetMeetingCalendar(a_calendar_request(meeting_id))
    unknown = await read_error_status(stub.GetMeetingCalendar(a_calendar_request(meeting_id, EVE)))
    wrong = await read_error_status(stub.GetMeetingCalendar(a_calendar_request("", "x")))

    lines = split_lines(of_ada.content)
    assert of_ada.name == of_page.name == "invite.ics"
    assert (lines["METHOD"], lines["UID"], lines["LOCATION"]) == ("REQUEST", created.uid, "Room 5")
    assert lines["ATTENDEE"].endswith(f"mailto:{ADA}")
    assert BOB.encode() not in of_ada.content
    public = split_lines(of_page.content)
    assert public["UID"] == created.uid
    assert not {"METHOD", "ATTENDEE", "ORGANIZER"} & public.keys()
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "ATTENDEE_NOT_FOUND")
    assert unknown.metadata == {"meeting_id": meeting_id, "fields": "email"}
    assert set(wrong.violations) == {"meeting_id", "email"}


async def test_a_calendar_of_a_cancelled_meeting_takes_it_out(stub: Stub) -> None:
    created = await create(stub)
    meeting_id = created.meeting_id
    await stub.CancelMeeting(task_pb2.CancelMeetingRequest(meeting_id=meeting_id))

    of_ada = split_lines(
        (await stub.GetMeetingCalendar(a_calendar_request(meeting_id, ADA))).content
    )
    of_page = split_lines((await stub.GetMeetingCalendar(a_calendar_request(meeting_id))).content)

    assert (of_ada["METHOD"], of_ada["STATUS"]) == ("CANCEL", "CANCELLED")
    assert of_page["STATUS"] == "CANCELLED"


async def test_one_who_was_removed_without_a_word_has_no_calendar(stub: Stub) -> None:
    created = await create(stub, ADA, BOB)
    await stub.RemoveAttendees(
        task_pb2.RemoveAttendeesRequest(meeting_id=created.meeting_id, emails=[BOB])
    )

    refusal = await read_error_status(
        stub.GetMeetingCalendar(a_calendar_request(created.meeting_id, BOB))
    )

    assert refusal.reason == "ATTENDEE_NOT_FOUND"
