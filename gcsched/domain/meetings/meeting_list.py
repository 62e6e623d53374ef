"""The filters and orders of lists of meetings: only those that an index serves. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gcsched.domain.access import Client, Scope
from gcsched.domain.checks import Checked
from gcsched.domain.ids import EPOCH
from gcsched.domain.meetings.meeting import Meeting
from gcsched.domain.page_token import INVALID_PAGE_TOKEN, encode_page_token, parse_page_token
from gcsched.errors import Violation

SECOND = timedelta(seconds=1)


class MeetingOrder(StrEnum):
    """The orders of a list, by the names of ListMeetingsRequest.Order."""

    CREATE_TIME_DESC = "CREATE_TIME_DESC"
    CREATE_TIME_ASC = "CREATE_TIME_ASC"
    START_TIME_ASC = "START_TIME_ASC"
    START_TIME_DESC = "START_TIME_DESC"

    @property
    def is_by_start(self) -> bool:
        return self in BY_START_TIME

    @property
    def is_descending(self) -> bool:
        return self in {MeetingOrder.CREATE_TIME_DESC, MeetingOrder.START_TIME_DESC}


BY_CREATE_TIME = (MeetingOrder.CREATE_TIME_DESC, MeetingOrder.CREATE_TIME_ASC)
BY_START_TIME = (MeetingOrder.START_TIME_ASC, MeetingOrder.START_TIME_DESC)

ORDERS_OF_ALL: Mapping[tuple[str, ...], Sequence[MeetingOrder]] = {
    (): BY_CREATE_TIME,
    ("start_time",): BY_START_TIME,
    ("organizer",): BY_START_TIME,
    ("start_time", "organizer"): BY_START_TIME,
    ("attendee",): BY_CREATE_TIME,
}
"""The allowed filters of the meetings of all clients, by the fields they name, with their orders.

The first order is the default.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingFilter:
    """The meetings that match every given field. The addresses are normalised."""

    start_time_from: datetime | None = None
    start_time_before: datetime | None = None
    organizer: str = ""
    attendee: str = ""
    client: str = ""

    def visible_to(self, client: Client) -> "MeetingFilter | None":
        """Return the filter of those that *client* may see; None if it may see none.

        A caller without the scope `read` sees only its own meetings.
        """
        if client.has(Scope.READ):
            return self
        if not client.name or self.client not in {"", client.name}:
            return None
        return replace(self, client=client.name)

    @property
    def given_fields(self) -> tuple[str, ...]:
        """The fields that are set, as in ORDERS_OF_ALL: each row may have a client as well."""
        has_time = self.start_time_from is not None or self.start_time_before is not None
        given = {
            "start_time": has_time,
            "organizer": bool(self.organizer),
            "attendee": bool(self.attendee),
        }
        return tuple(name for name, is_given in given.items() if is_given)

    def __str__(self) -> str:
        times = [
            each and each.isoformat() for each in (self.start_time_from, self.start_time_before)
        ]
        return json.dumps([*times, self.organizer, self.attendee, self.client])


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingCursor:
    """The last meeting of a page. *start* is set only in lists by start time."""

    id: str
    start: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingListQuery:
    """A filter and an order that it allows."""

    filter: MeetingFilter
    order: MeetingOrder

    def cursor_after(self, meeting: Meeting) -> MeetingCursor:
        start = meeting.revision.start if self.order.is_by_start else None
        return MeetingCursor(id=meeting.id, start=start)

    def encode_cursor(self, cursor: MeetingCursor | None) -> str:
        """Return the token of the page after *cursor*; "" if there is none."""
        if cursor is None:
            return ""
        if cursor.start is None:
            return encode_page_token(str(self), [cursor.id])
        return encode_page_token(str(self), [cursor.id, str((cursor.start - EPOCH) // SECOND)])

    def parse_cursor(self, token: str) -> Checked[MeetingCursor | None]:
        """Parse a token of `encode_cursor`; None is the first page."""
        parts = 2 if self.order.is_by_start else 1
        match (yield from parse_page_token(str(self), token, parts=parts)):
            case [id_]:
                return MeetingCursor(id=id_)
            case [id_, seconds]:
                return (yield from parse_start_cursor(id_, seconds))
            case _:
                return None

    def __str__(self) -> str:
        return f"meetings {self.order} {self.filter}"


def parse_start_cursor(id_: str, seconds: str) -> Checked[MeetingCursor | None]:
    try:
        return MeetingCursor(id=id_, start=EPOCH + timedelta(seconds=int(seconds)))
    except (ValueError, OverflowError):
        yield INVALID_PAGE_TOKEN
        return None


def parse_meeting_query(
    meeting_filter: MeetingFilter, order: MeetingOrder | None
) -> Checked[MeetingListQuery]:
    """Check a filter and its *order*; None is the first one that the filter allows."""
    given = meeting_filter.given_fields
    if given not in ORDERS_OF_ALL:
        yield Violation("filter", f"must be one of: {ALLOWED_TEXT}")
    orders = ORDERS_OF_ALL.get(given, tuple(MeetingOrder))
    if order is not None and order not in orders:
        yield Violation("order", f"must be one that the filter allows: {ALLOWED_TEXT}")
    return MeetingListQuery(filter=meeting_filter, order=order or orders[0])


def format_allowed() -> str:
    """Format ORDERS_OF_ALL for an error."""
    rows = [
        f"{' with '.join(names) or 'nothing'} ({', '.join(orders)})"
        for names, orders in ORDERS_OF_ALL.items()
    ]
    return f"{'; '.join(rows)}; and each of these with client"


ALLOWED_TEXT = format_allowed()
