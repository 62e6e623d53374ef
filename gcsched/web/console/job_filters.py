"""The filters of the list of jobs, as forms and addresses of pages write them. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked
from gcsched.domain.job import State
from gcsched.domain.job_list import (
    JobFilter,
    JobListQuery,
    JobOrder,
    parse_list_query,
    text_filter_violations,
)
from gcsched.errors import Violation

FIELDS = (
    *("state", "due_from", "due_before", "empid", "email", "request_id", "id_prefix"),
    *("meeting_id", "client", "order"),
)
Query = TypeVar("Query")
NOT_SERVED = (
    "cannot be combined, because no index serves that: choose a state, with due times or without,"
    " or one of employee, address, request id, begin of the id and meeting; a client goes with each"
)
NAMES: Mapping[str, str] = {
    "state": "state",
    "empid": "employee",
    "email": "address",
    "request_id": "request id",
    "id_prefix": "id that begins with",
    "meeting_id": "meeting",
    "client": "client",
}
ORDER_NAMES: Mapping[str, str] = {
    JobOrder.CREATE_TIME_DESC: "newest first",
    JobOrder.CREATE_TIME_ASC: "oldest first",
    JobOrder.DUE_TIME_ASC: "due first",
    JobOrder.DUE_TIME_DESC: "due last",
}


def parse_filter(given: Mapping[str, str], *, zone: ZoneInfo) -> Checked[JobListQuery]:
    """Parse the fields of a form or of an address; violations name the fields of the form."""
    texts = {name: given.get(name, "").strip() for name in FIELDS}
    own = {name: texts[name] for name in ("empid", "request_id", "id_prefix", "meeting_id")}
    for each in text_filter_violations(**own, client=texts["client"]):
        yield Violation(each.field.removeprefix("filter."), each.problem)
    state = yield from parse_state(texts["state"])
    due_from = yield from parse_time(texts["due_from"], "due_from", zone)
    due_before = yield from parse_time(texts["due_before"], "due_before", zone)
    email = ""
    if texts["email"]:
        email = yield from parse_stored_address(texts["email"], field="email")
    order = yield from parse_order(texts["order"])
    job_filter = JobFilter(
        state=state,
        due_time_from=due_from,
        due_time_before=due_before,
        email=email,
        client=texts["client"],
        **own,
    )
    return (yield from name_for_people(parse_list_query(job_filter, order), NOT_SERVED))


def name_for_people(checked: Checked[Query], not_served: str) -> Checked[Query]:
    """Run *checked* with problems in the words of the form; *not_served* is that of the filter."""
    while True:
        try:
            violation = next(checked)
        except StopIteration as end:
            query: Query = end.value
            return query
        is_order = violation.field == "order"
        yield (
            Violation("order", "does not go with this filter")
            if is_order
            else Violation("filter", not_served)
        )


def parse_state(text: str) -> Checked[State | None]:
    if not text or text in set(State):
        return State(text) if text else None
    yield Violation("state", f"must be one of {', '.join(State)}")
    return None


def parse_order(text: str) -> Checked[JobOrder | None]:
    if not text or text in set(JobOrder):
        return JobOrder(text) if text else None
    yield Violation("order", f"must be one of {', '.join(JobOrder)}")
    return None


def parse_time(text: str, field: str, zone: ZoneInfo) -> Checked[datetime | None]:
    """Parse a time; without an offset it is one of *zone*, as the fields of forms are."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        yield Violation(field, "must be a date and a time, such as 2027-01-05T09:00")
        return None


def format_query(listing: JobListQuery) -> dict[str, str]:
    """Return the fields of *listing* for an address, where a searched e-mail address never is."""
    found = listing.filter
    times = {"due_from": found.due_time_from, "due_before": found.due_time_before}
    given = {
        "state": found.state or "",
        **{name: time.isoformat() for name, time in times.items() if time is not None},
        "empid": found.empid,
        "request_id": found.request_id,
        "id_prefix": found.id_prefix,
        "meeting_id": found.meeting_id,
        "client": found.client,
        "order": listing.order,
    }
    default = next(iter(parse_default(found)))
    return {n: str(v) for n, v in given.items() if v and (n, v) != ("order", default)}


def parse_default(job_filter: JobFilter) -> tuple[JobOrder, ...]:
    """Return the order that the filter has if none is asked for."""
    return (JobOrder.DUE_TIME_ASC if job_filter.state else JobOrder.CREATE_TIME_DESC,)


def fill_form(listing: JobListQuery, zone: ZoneInfo) -> dict[str, str]:
    """Return the values of the fields of the form for *listing*."""
    found = listing.filter
    times = {"due_from": found.due_time_from, "due_before": found.due_time_before}
    local = {n: f"{t.astimezone(zone):%Y-%m-%dT%H:%M}" for n, t in times.items() if t is not None}
    empty = dict.fromkeys(FIELDS, "")
    return {**empty, **format_query(listing), **local, "email": found.email}


def describe(job_filter: JobFilter) -> list[tuple[str, str]]:
    """Return the filter in words: names of its fields, and their values."""
    return [(name, str(value)) for n, name in NAMES.items() if (value := getattr(job_filter, n))]
