"""The filters and orders of job lists: only those that an index serves. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gcsched.domain.access import Client, Scope
from gcsched.domain.checks import Checked
from gcsched.domain.ids import EPOCH, MILLISECOND
from gcsched.domain.job import Job, State
from gcsched.domain.page_token import INVALID_PAGE_TOKEN, encode_page_token, parse_page_token
from gcsched.domain.validation import (
    MAX_CLIENT_LENGTH,
    MAX_EMPID_LENGTH,
    MAX_ID_LENGTH,
    request_id_violations,
    text_violations,
)
from gcsched.errors import Violation


class JobOrder(StrEnum):
    """The orders of a list, by the names of ListJobsRequest.Order."""

    CREATE_TIME_DESC = "CREATE_TIME_DESC"
    CREATE_TIME_ASC = "CREATE_TIME_ASC"
    DUE_TIME_ASC = "DUE_TIME_ASC"
    DUE_TIME_DESC = "DUE_TIME_DESC"

    @property
    def is_by_due_time(self) -> bool:
        return self in BY_DUE_TIME

    @property
    def is_descending(self) -> bool:
        return self in {JobOrder.CREATE_TIME_DESC, JobOrder.DUE_TIME_DESC}


BY_CREATE_TIME = (JobOrder.CREATE_TIME_DESC, JobOrder.CREATE_TIME_ASC)
BY_DUE_TIME = (JobOrder.DUE_TIME_ASC, JobOrder.DUE_TIME_DESC)

IN_TOKENS: Mapping[JobOrder, str] = {
    JobOrder.CREATE_TIME_DESC: "CREATED_DESC",
    JobOrder.CREATE_TIME_ASC: "CREATED_ASC",
    JobOrder.DUE_TIME_ASC: "DUE_ASC",
    JobOrder.DUE_TIME_DESC: "DUE_DESC",
}
"""The names of orders in page tokens: processes of two versions read each other's tokens."""

ORDERS_OF_ALL: Mapping[tuple[str, ...], Sequence[JobOrder]] = {
    (): BY_CREATE_TIME,
    ("state",): BY_DUE_TIME,
    ("state", "due_time"): BY_DUE_TIME,
    ("empid",): BY_CREATE_TIME,
    ("email",): BY_CREATE_TIME,
    ("request_id",): BY_CREATE_TIME,
    ("id_prefix",): BY_CREATE_TIME,
    ("meeting_id",): BY_CREATE_TIME,
}
"""The allowed filters of the jobs of all clients, by the fields they name, with their orders."""

ALLOWED_ORDERS: Mapping[tuple[str, ...], Sequence[JobOrder]] = {
    **ORDERS_OF_ALL,
    **{(*names, "client"): orders for names, orders in ORDERS_OF_ALL.items()},
}
"""The allowed filters, by the fields they name, each with its orders; the first is the default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """The jobs that match every given field. *email* is normalised; its case does not matter."""

    state: State | None = None
    due_time_from: datetime | None = None
    due_time_before: datetime | None = None
    empid: str = ""
    email: str = ""
    request_id: str = ""
    id_prefix: str = ""
    meeting_id: str = ""
    client: str = ""

    def visible_to(self, client: Client) -> "JobFilter | None":
        """Return the filter of those of the jobs that *client* may see; None if it may see none.

        A caller without the scope `read` sees only its own jobs.
        """
        if client.has(Scope.READ):
            return self
        if not client.name or self.client not in {"", client.name}:
            return None
        return replace(self, client=client.name)

    @property
    def given_fields(self) -> tuple[str, ...]:
        """The fields that are set, as in ALLOWED_ORDERS."""
        given = {
            "state": self.state is not None,
            "due_time": self.due_time_from is not None or self.due_time_before is not None,
            "empid": bool(self.empid),
            "email": bool(self.email),
            "request_id": bool(self.request_id),
            "id_prefix": bool(self.id_prefix),
            "meeting_id": bool(self.meeting_id),
            "client": bool(self.client),
        }
        return tuple(name for name, is_given in given.items() if is_given)

    def __str__(self) -> str:
        moments = [each and each.isoformat() for each in (self.due_time_from, self.due_time_before)]
        # Page tokens are made of this text. Fields that were added later must not change it while
        # they are unset: else tokens of the previous version would be refused during an upgrade.
        added = {
            "request_id": self.request_id,
            "id_prefix": self.id_prefix,
            "meeting_id": self.meeting_id,
            "client": self.client,
        }
        named = [f"{name}={value}" for name, value in added.items() if value]
        return json.dumps([self.state, *moments, self.empid, self.email, *named])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last job of a page. *due_time* is set only in lists by due time."""

    id: str
    due_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobListQuery:
    """A filter and an order that it allows."""

    filter: JobFilter
    order: JobOrder

    def cursor_after(self, job: Job) -> Cursor:
        return Cursor(id=job.id, due_time=job.due_time if self.order.is_by_due_time else None)

    def encode_cursor(self, cursor: Cursor | None) -> str:
        """Return the token of the page after *cursor*; "" if there is none."""
        if cursor is None:
            return ""
        if cursor.due_time is None:
            return encode_page_token(str(self), [cursor.id])
        return encode_page_token(
            str(self), [cursor.id, str((cursor.due_time - EPOCH) // MILLISECOND)]
        )

    def parse_cursor(self, token: str) -> Checked[Cursor | None]:
        """Parse a token of `encode_cursor`; None is the first page."""
        match (
            yield from parse_page_token(
                str(self), token, parts=2 if self.order.is_by_due_time else 1
            )
        ):
            case [id_]:
                return Cursor(id=id_)
            case [id_, milliseconds]:
                return (yield from parse_due_cursor(id_, milliseconds))
            case _:
                return None

    def __str__(self) -> str:
        return f"jobs {IN_TOKENS[self.order]} {self.filter}"


def parse_due_cursor(id_: str, milliseconds: str) -> Checked[Cursor | None]:
    try:
        return Cursor(id=id_, due_time=EPOCH + timedelta(milliseconds=int(milliseconds)))
    except (ValueError, OverflowError):
        yield INVALID_PAGE_TOKEN
        return None


def text_filter_violations(
    *, empid: str, request_id: str, id_prefix: str, meeting_id: str, client: str
) -> Checked[None]:
    """Check the texts of a filter except its address, which has rules of its own."""
    yield from text_violations("filter.empid", empid, at_least=0, at_most=MAX_EMPID_LENGTH)
    if request_id:
        yield from request_id_violations(request_id, "filter.request_id")
    yield from text_violations("filter.id_prefix", id_prefix, at_least=0, at_most=MAX_ID_LENGTH)
    yield from text_violations("filter.meeting_id", meeting_id, at_least=0, at_most=MAX_ID_LENGTH)
    yield from text_violations("filter.client", client, at_least=0, at_most=MAX_CLIENT_LENGTH)


def filter_violations(job_filter: JobFilter) -> Checked[None]:
    """Yield a violation if no index serves the filter."""
    if job_filter.given_fields not in ALLOWED_ORDERS:
        yield Violation("filter", f"must be one of: {ALLOWED_TEXT}")


def parse_list_query(job_filter: JobFilter, order: JobOrder | None) -> Checked[JobListQuery]:
    """Parse a filter and its *order*; None is the first one that the filter allows."""
    yield from filter_violations(job_filter)
    orders = ALLOWED_ORDERS.get(job_filter.given_fields, tuple(JobOrder))
    if order is not None and order not in orders:
        yield Violation("order", f"must be one that the filter allows: {ALLOWED_TEXT}")
    return JobListQuery(filter=job_filter, order=order or orders[0])


def format_allowed() -> str:
    """Format ALLOWED_ORDERS for an error."""
    rows = [
        f"{' with '.join(names) or 'nothing'} ({', '.join(orders)})"
        for names, orders in ORDERS_OF_ALL.items()
    ]
    return f"{'; '.join(rows)}; and each of these with client"


ALLOWED_TEXT = format_allowed()
