"""The filters and orders of lists of meetings are the published ones. Oracle: proto/task.proto."""

import re
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gcsched.domain.access import Client, Scope
from gcsched.domain.meetings.meeting_list import (
    MeetingCursor,
    MeetingFilter,
    MeetingListQuery,
    MeetingOrder,
    parse_meeting_query,
)
from gcsched.domain.page_token import INVALID_PAGE_TOKEN, encode_page_token
from gcsched.errors import Violation
from tests.support.builders import NOW, a_revision
from tests.support.checks import read_or_violation
from tests.support.stored_meetings import a_planned_meeting

PROTO = Path(__file__).parents[3] / "proto" / "task.proto"
GIVEN: dict[str, dict[str, Any]] = {
    "start_time": {"start_time_from": NOW},
    "organizer": {"organizer": "people@example.org"},
    "attendee": {"attendee": "ada@example.org"},
}
BY_START = MeetingListQuery(
    filter=MeetingFilter(start_time_from=NOW), order=MeetingOrder.START_TIME_ASC
)


def read_published_orders() -> dict[tuple[str, ...], list[str]]:
    """Read the table above MeetingFilter."""
    text = PROTO.read_text(encoding="utf-8")
    rows = re.findall(
        r"no other filter is possible:\n//\n((?://   .*\n)+)//\n// Either start", text
    )
    names: dict[str, list[tuple[str, ...]]] = {
        "no field": [()],
        "start_time_from, start_time_before": [("start_time",)],
        "organizer": [("organizer",), ("start_time", "organizer")],  # "both may be beside"
        "attendee": [("attendee",)],
    }
    table = {}
    for row in rows[0].splitlines():
        what, orders = re.split(r"\s{2,}", row.removeprefix("//").strip())
        for each in names.pop(what):
            table[each] = orders.split(", ")
    assert not names
    assert "both may be beside `organizer`. Each row may have `client`" in text
    return table


@pytest.mark.parametrize("order", [None, *MeetingOrder])
@pytest.mark.parametrize("client", ["", "payroll"])
def test_a_filter_or_order_outside_the_table_is_refused_with_the_whole_table(
    order: MeetingOrder | None, client: str
) -> None:
    published = read_published_orders()
    for given in product([True, False], repeat=len(GIVEN)):
        names = tuple(name for name, is_given in zip(GIVEN, given, strict=True) if is_given)
        fields = {name: value for each in names for name, value in GIVEN[each].items()}
        meeting_filter = MeetingFilter(**fields, client=client)
        orders = published.get(names, [])

        result = read_or_violation(parse_meeting_query(meeting_filter, order))

        if order in orders or (orders and order is None):
            chosen = MeetingOrder(order or orders[0])
            assert result == MeetingListQuery(filter=meeting_filter, order=chosen)
        else:
            assert isinstance(result, Violation)
            assert result.field == ("order" if orders else "filter")
            assert "attendee (CREATE_TIME_DESC, CREATE_TIME_ASC)" in result.problem


@pytest.mark.parametrize("order", list(MeetingOrder))
def test_a_token_leads_to_the_place_of_its_meeting(order: MeetingOrder) -> None:
    query = MeetingListQuery(filter=MeetingFilter(), order=order)
    meeting = a_planned_meeting(revision=a_revision(start=NOW, end=NOW + timedelta(hours=1)))

    place = query.cursor_after(meeting)

    assert read_or_violation(query.parse_cursor(query.encode_cursor(place))) == place
    assert place == MeetingCursor(id="meeting-1", start=NOW if order.is_by_start else None)


def test_the_last_page_has_no_token_and_no_token_means_the_first_page() -> None:
    assert BY_START.encode_cursor(None) == ""
    assert read_or_violation(BY_START.parse_cursor("")) is None


@pytest.mark.parametrize(
    "another",
    [
        MeetingListQuery(filter=BY_START.filter, order=MeetingOrder.START_TIME_DESC),
        MeetingListQuery(filter=MeetingFilter(start_time_before=NOW), order=BY_START.order),
        MeetingListQuery(filter=MeetingFilter(organizer="a@example.org"), order=BY_START.order),
        MeetingListQuery(
            filter=MeetingFilter(start_time_from=NOW, client="hr"), order=BY_START.order
        ),
    ],
)
def test_a_token_belongs_to_its_filter_and_order(another: MeetingListQuery) -> None:
    token = BY_START.encode_cursor(MeetingCursor(id="meeting-1", start=NOW))

    assert read_or_violation(another.parse_cursor(token)) == INVALID_PAGE_TOKEN


def test_a_place_that_no_calendar_has_is_invalid() -> None:
    far = encode_page_token(str(BY_START), ["meeting-1", "9" * 30])

    assert read_or_violation(BY_START.parse_cursor(far)) == INVALID_PAGE_TOKEN


def test_a_client_without_the_scope_read_lists_its_own_meetings() -> None:
    own = Client(name="hr", scopes=frozenset({Scope.SCHEDULE}))
    reader = replace(own, scopes=frozenset({Scope.READ}))

    assert MeetingFilter().visible_to(own) == MeetingFilter(client="hr")
    assert MeetingFilter(client="payroll").visible_to(own) is None
    assert MeetingFilter(client="payroll").visible_to(reader) == MeetingFilter(client="payroll")
    assert MeetingFilter().visible_to(reader) == MeetingFilter()
