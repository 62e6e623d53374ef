"""The allowed filters and orders. Oracle: the table in proto/task.proto, as its readers see it."""

import re
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from gcsched.domain.access import ANYONE, Client, Scope
from gcsched.domain.job import State
from gcsched.domain.job_list import (
    ALLOWED_ORDERS,
    Cursor,
    JobFilter,
    JobListQuery,
    JobOrder,
    filter_violations,
    parse_list_query,
)
from gcsched.domain.page_token import INVALID_PAGE_TOKEN, encode_page_token
from gcsched.errors import Violation
from tests.support.builders import NOW, a_job
from tests.support.checks import read_or_violation

PROTO = Path(__file__).parents[2] / "proto" / "task.proto"
GIVEN: dict[str, dict[str, Any]] = {
    "state": {"state": State.SENT},
    "due_time": {"due_time_from": NOW},
    "empid": {"empid": "E1"},
    "email": {"email": "ada@example.org"},
    "request_id": {"request_id": "a-uuid"},
    "id_prefix": {"id_prefix": "0190"},
    "meeting_id": {"meeting_id": "0190c0ffee"},
    "client": {"client": "payroll"},
}
BY_STATE = JobFilter(state=State.SENT)


def read_published_orders() -> dict[tuple[str, ...], list[str]]:
    """Read the table above JobFilter."""
    text = PROTO.read_text(encoding="utf-8")
    rows = re.findall(r"no other filter is possible:\n//\n((?://   .*\n)+)", text)[0]
    names: dict[str, list[tuple[str, ...]]] = {
        "no field": [()],
        "state": [("state",)],
        "state, due_time_from, due_time_before": [("state", "due_time")],
        "empid": [("empid",)],
        "email": [("email",)],
        "request_id": [("request_id",)],
        "id_prefix": [("id_prefix",)],
        "meeting_id": [("meeting_id",)],
    }
    table = {}
    for row in rows.splitlines():
        what, orders = re.split(r"\s{2,}", row.removeprefix("//").strip())
        for each in names.pop(what):
            table[each] = orders.split(", ")
    assert not names
    assert "Each row may have `client` as well." in text
    return {**table, **{(*each, "client"): orders for each, orders in table.items()}}


def a_filter(*names: str) -> JobFilter:
    given: dict[str, Any] = {}
    for name in names:
        given |= GIVEN[name]
    return JobFilter(**given)


def test_the_table_is_the_published_one() -> None:
    assert {
        names: list(orders) for names, orders in ALLOWED_ORDERS.items()
    } == read_published_orders()


@pytest.mark.parametrize("order", [None, *JobOrder])
def test_a_filter_or_order_outside_the_table_is_refused_with_the_whole_table(
    order: JobOrder | None,
) -> None:
    published = read_published_orders()
    for given in product([True, False], repeat=len(GIVEN)):
        names = tuple(name for name, is_given in zip(GIVEN, given, strict=True) if is_given)
        check_filter(names, order, published.get(names, []))


def check_filter(names: tuple[str, ...], order: JobOrder | None, orders: list[str]) -> None:
    result = read_or_violation(parse_list_query(a_filter(*names), order))

    if order in orders or (orders and order is None):
        assert result == JobListQuery(filter=a_filter(*names), order=JobOrder(order or orders[0]))
    else:
        assert isinstance(result, Violation)
        assert result.field == ("order" if orders else "filter")
        assert result.problem.endswith(
            ": nothing (CREATE_TIME_DESC, CREATE_TIME_ASC); state (DUE_TIME_ASC, DUE_TIME_DESC);"
            " state with due_time (DUE_TIME_ASC, DUE_TIME_DESC);"
            " empid (CREATE_TIME_DESC, CREATE_TIME_ASC);"
            " email (CREATE_TIME_DESC, CREATE_TIME_ASC);"
            " request_id (CREATE_TIME_DESC, CREATE_TIME_ASC);"
            " id_prefix (CREATE_TIME_DESC, CREATE_TIME_ASC);"
            " meeting_id (CREATE_TIME_DESC, CREATE_TIME_ASC); and each of these with client"
        )


def test_one_end_of_the_due_time_is_enough() -> None:
    assert list(filter_violations(JobFilter(state=State.SENT, due_time_before=NOW))) == []
    assert len(list(filter_violations(JobFilter(due_time_before=NOW)))) == 1


@pytest.mark.parametrize("order", list(JobOrder))
def test_a_token_leads_to_the_place_of_its_job(order: JobOrder) -> None:
    query = JobListQuery(filter=JobFilter(), order=order)
    place = query.cursor_after(a_job(due_time=NOW + timedelta(milliseconds=7)))

    assert read_or_violation(query.parse_cursor(query.encode_cursor(place))) == place
    assert place.due_time == (NOW + timedelta(milliseconds=7) if order.is_by_due_time else None)


def test_the_last_page_has_no_token_and_no_token_means_the_first_page() -> None:
    query = JobListQuery(filter=BY_STATE, order=JobOrder.DUE_TIME_ASC)

    assert query.encode_cursor(None) == ""
    assert read_or_violation(query.parse_cursor("")) is None


@pytest.mark.parametrize(
    "another",
    [
        JobListQuery(filter=BY_STATE, order=JobOrder.DUE_TIME_DESC),
        JobListQuery(filter=JobFilter(state=State.FAILED), order=JobOrder.DUE_TIME_ASC),
        JobListQuery(
            filter=JobFilter(state=State.SENT, due_time_from=NOW), order=JobOrder.DUE_TIME_ASC
        ),
        JobListQuery(
            filter=JobFilter(state=State.SENT, due_time_before=NOW), order=JobOrder.DUE_TIME_ASC
        ),
    ],
)
def test_a_token_belongs_to_its_filter_and_order(another: JobListQuery) -> None:
    query = JobListQuery(filter=BY_STATE, order=JobOrder.DUE_TIME_ASC)

    assert (
        read_or_violation(
            another.parse_cursor(query.encode_cursor(Cursor(id="job-1", due_time=NOW)))
        )
        == INVALID_PAGE_TOKEN
    )


def test_an_empid_that_is_an_address_is_another_filter() -> None:
    same = "ada@example.org"
    by_empid = JobListQuery(filter=JobFilter(empid=same), order=JobOrder.CREATE_TIME_ASC)
    by_email = JobListQuery(filter=JobFilter(email=same), order=JobOrder.CREATE_TIME_ASC)

    assert (
        read_or_violation(by_email.parse_cursor(by_empid.encode_cursor(Cursor(id="job-1"))))
        == INVALID_PAGE_TOKEN
    )


def test_a_token_of_the_version_before_is_good() -> None:
    query = JobListQuery(filter=JobFilter(empid="E1"), order=JobOrder.CREATE_TIME_ASC)
    before = encode_page_token('jobs CREATED_ASC [null, null, null, "E1", ""]', ["job-1"])

    assert read_or_violation(query.parse_cursor(before)) == Cursor(id="job-1")


def test_a_token_of_one_client_is_not_one_of_another_list() -> None:
    one, other = (
        JobListQuery(filter=JobFilter(client=name), order=JobOrder.CREATE_TIME_ASC)
        for name in ("payroll", "")
    )
    token = one.encode_cursor(Cursor(id="job-1"))

    assert read_or_violation(one.parse_cursor(token)) == Cursor(id="job-1")
    assert read_or_violation(other.parse_cursor(token)) == INVALID_PAGE_TOKEN


READER = Client(name="ops", scopes=frozenset({Scope.READ}))
SENDER = Client(name="payroll", scopes=frozenset({Scope.SCHEDULE, Scope.BULK}))


@pytest.mark.parametrize(
    ("client", "named", "visible"),
    [
        (ANYONE, "", ""),
        (ANYONE, "payroll", "payroll"),
        (READER, "", ""),
        (READER, "payroll", "payroll"),
        (SENDER, "", "payroll"),
        (SENDER, "payroll", "payroll"),
        (SENDER, "ops", None),
        (Client(name="", scopes=frozenset({Scope.BULK})), "", None),
    ],
)
def test_a_caller_without_read_sees_only_its_own_jobs(
    client: Client, named: str, visible: str | None
) -> None:
    job_filter = JobFilter(state=State.SENT, client=named)

    expected = None if visible is None else JobFilter(state=State.SENT, client=visible)
    assert job_filter.visible_to(client) == expected


@pytest.mark.parametrize("milliseconds", ["", "soon", "9" * 30])
def test_a_made_up_token_is_refused(milliseconds: str) -> None:
    query = JobListQuery(filter=BY_STATE, order=JobOrder.DUE_TIME_ASC)

    assert (
        read_or_violation(
            query.parse_cursor(encode_page_token(str(query), ["job-1", milliseconds]))
        )
        == INVALID_PAGE_TOKEN
    )
