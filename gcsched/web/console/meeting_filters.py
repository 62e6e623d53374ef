"""The filters of the list of meetings, as forms and addresses of pages write them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked
from gcsched.domain.meetings.meeting_list import (
    MeetingFilter,
    MeetingListQuery,
    MeetingOrder,
    parse_meeting_query,
)
from gcsched.domain.validation import MAX_CLIENT_LENGTH, text_violations
from gcsched.errors import Violation
from gcsched.web.console.job_filters import name_for_people, parse_time

COMING, PAST, ALL = "coming", "past", "all"
WHENS: Mapping[str, str] = {COMING: "Coming", PAST: "Past", ALL: "All, newest first"}
"""The lists that have a link of their own, by the word in their address."""
FIELDS = ("when", "start_from", "start_before", "organizer", "attendee", "client", "order")
NOT_SERVED = (
    "cannot be combined, because no index serves that: choose start times, an organizer, both, or"
    " an attendee; a client goes with each"
)
ADDRESSES = ("organizer", "attendee")
"""These fields have no place in the address of a page."""
ORDER_NAMES: Mapping[str, str] = {
    MeetingOrder.START_TIME_ASC: "first start first",
    MeetingOrder.START_TIME_DESC: "last start first",
    MeetingOrder.CREATE_TIME_DESC: "newest first",
    MeetingOrder.CREATE_TIME_ASC: "oldest first",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMeetings:
    """A list of meetings as it was asked for. *when* is the word in its address, or ""."""

    query: MeetingListQuery
    when: str


def parse_filter(
    given: Mapping[str, str], *, zone: ZoneInfo, now: datetime
) -> Checked[ListedMeetings]:
    """Parse the fields of a form or of an address; without any the list is of what comes."""
    texts = {name: given.get(name, "").strip() for name in FIELDS}
    when = texts["when"] if any(texts.values()) else COMING
    yield from text_violations("client", texts["client"], at_least=0, at_most=MAX_CLIENT_LENGTH)
    start_from = yield from parse_time(texts["start_from"], "start_from", zone)
    start_before = yield from parse_time(texts["start_before"], "start_before", zone)
    addresses = {name: texts[name] for name in ADDRESSES}
    for name, address in addresses.items():
        if address:
            addresses[name] = yield from parse_stored_address(address, field=name)
    order = yield from parse_order(texts["order"])
    this_minute = now.replace(second=0, microsecond=0)
    if when == COMING:
        start_from = start_from or this_minute
    elif when == PAST:
        start_before = start_before or this_minute
        order = order or MeetingOrder.START_TIME_DESC
    meeting_filter = MeetingFilter(
        start_time_from=start_from,
        start_time_before=start_before,
        client=texts["client"],
        **addresses,
    )
    query = yield from name_for_people(parse_meeting_query(meeting_filter, order), NOT_SERVED)
    return ListedMeetings(query=query, when=when if when in WHENS else "")


def parse_order(text: str) -> Checked[MeetingOrder | None]:
    if not text or text in set(MeetingOrder):
        return MeetingOrder(text) if text else None
    yield Violation("order", f"must be one of {', '.join(MeetingOrder)}")
    return None


def format_query(query: MeetingListQuery) -> dict[str, str]:
    """Return the fields of *query* for an address, where an e-mail address never is."""
    found = query.filter
    times = {"start_from": found.start_time_from, "start_before": found.start_time_before}
    given = {name: time.isoformat() for name, time in times.items() if time is not None}
    return {**given, **({"client": found.client} if found.client else {}), "order": query.order}


def format_list(listed: ListedMeetings) -> dict[str, str]:
    """Return the fields of the first page of a list: its word in place of times, if it has one."""
    client = {"client": listed.query.filter.client} if listed.query.filter.client else {}
    if not listed.when:
        return format_query(listed.query)
    if listed.when == COMING and not client:
        return {}
    return {"when": listed.when, **client}


def fill_form(listed: ListedMeetings, zone: ZoneInfo) -> dict[str, str]:
    """Return the values of the fields of the form for *listed*."""
    query = listed.query
    found = query.filter
    times = {"start_from": found.start_time_from, "start_before": found.start_time_before}
    local = {n: f"{t.astimezone(zone):%Y-%m-%dT%H:%M}" for n, t in times.items() if t is not None}
    given = {} if listed.when else {**local, "order": str(query.order)}
    own = {"organizer": found.organizer, "attendee": found.attendee, "client": found.client}
    return {**dict.fromkeys(FIELDS, ""), **given, **own}


def describe(meeting_filter: MeetingFilter) -> list[tuple[str, str]]:
    """Return the filter in words: names of its fields, and their values; the times are left out."""
    names = ("organizer", "attendee", "client")
    return [(name, value) for name in names if (value := getattr(meeting_filter, name))]
