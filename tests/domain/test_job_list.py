"""What can be asked for. Oracle: the table in proto/task.proto, as its readers see it."""

import re
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from gcsched.domain.job import State
from gcsched.domain.job_list import (
    ALLOWED,
    JobFilter,
    Listing,
    Order,
    Place,
    filter_violations,
    listing,
)
from gcsched.domain.page_token import NOT_OURS, page_token
from gcsched.errors import Violation
from tests.support.builders import NOW, a_job
from tests.support.checks import found

PROTO = Path(__file__).parents[2] / "proto" / "task.proto"
GIVEN: dict[str, dict[str, Any]] = {
    "state": {"state": State.SENT},
    "due": {"due_from": NOW},
    "empid": {"empid": "E1"},
    "email": {"email": "ada@example.org"},
    "request_id": {"request_id": "a-uuid"},
    "id_prefix": {"id_prefix": "0190"},
}
BY_STATE = JobFilter(state=State.SENT)


def published() -> dict[tuple[str, ...], list[str]]:
    """Read the table above JobFilter."""
    text = PROTO.read_text(encoding="utf-8")
    [rows] = re.findall(r"all are served by an index:\n//\n((?://   .*\n)+)", text)
    names: dict[str, list[tuple[str, ...]]] = {
        "nothing": [()],
        "one state, with or without due": [("state",), ("state", "due")],
        "empid": [("empid",)],
        "email": [("email",)],
        "request_id": [("request_id",)],
        "id_prefix": [("id_prefix",)],
    }
    table = {}
    for row in rows.splitlines():
        what, orders = re.split(r"\s{3,}", row.removeprefix("//").strip())
        for each in names.pop(what):
            table[each] = orders.split(", ")
    assert not names
    return table


def asking_for(*names: str) -> JobFilter:
    given: dict[str, Any] = {}
    for name in names:
        given |= GIVEN[name]
    return JobFilter(**given)


def test_the_table_is_the_published_one() -> None:
    assert {names: list(orders) for names, orders in ALLOWED.items()} == published()


@pytest.mark.parametrize("given", list(product([True, False], repeat=len(GIVEN))))
@pytest.mark.parametrize("order", [None, *Order])
def test_what_is_not_in_the_table_is_refused_with_the_whole_table(
    given: tuple[bool, ...], order: Order | None
) -> None:
    names = tuple(name for name, is_given in zip(GIVEN, given, strict=True) if is_given)
    orders = published().get(names, [])

    result = found(listing(asking_for(*names), order))

    if order in orders or (orders and order is None):
        assert result == Listing(filter=asking_for(*names), order=Order(order or orders[0]))
    else:
        assert isinstance(result, Violation)
        assert result.field == ("order" if orders else "filter")
        assert result.problem.endswith(
            ": nothing (CREATED_DESC, CREATED_ASC); state (DUE_ASC, DUE_DESC);"
            " state with due (DUE_ASC, DUE_DESC); empid (CREATED_DESC, CREATED_ASC);"
            " email (CREATED_DESC, CREATED_ASC); request_id (CREATED_DESC, CREATED_ASC);"
            " id_prefix (CREATED_DESC, CREATED_ASC)"
        )


def test_one_end_of_due_is_enough() -> None:
    assert list(filter_violations(JobFilter(state=State.SENT, due_time_before=NOW))) == []
    assert len(list(filter_violations(JobFilter(due_time_before=NOW)))) == 1


@pytest.mark.parametrize("order", list(Order))
def test_a_token_leads_to_the_place_of_its_job(order: Order) -> None:
    asked = Listing(filter=JobFilter(), order=order)
    place = asked.place_of(a_job(due_time=NOW + timedelta(milliseconds=7)))

    assert found(asked.place(asked.token(place))) == place
    assert place.due_time == (NOW + timedelta(milliseconds=7) if order.is_by_due_time else None)


def test_nothing_more_is_no_token_and_no_token_is_the_begin() -> None:
    asked = Listing(filter=BY_STATE, order=Order.DUE_TIME_ASC)

    assert asked.token(None) == ""
    assert found(asked.place("")) is None


@pytest.mark.parametrize(
    "another",
    [
        Listing(filter=BY_STATE, order=Order.DUE_TIME_DESC),
        Listing(filter=JobFilter(state=State.FAILED), order=Order.DUE_TIME_ASC),
        Listing(filter=JobFilter(state=State.SENT, due_time_from=NOW), order=Order.DUE_TIME_ASC),
        Listing(filter=JobFilter(state=State.SENT, due_time_before=NOW), order=Order.DUE_TIME_ASC),
    ],
)
def test_a_token_belongs_to_its_filter_and_order(another: Listing) -> None:
    asked = Listing(filter=BY_STATE, order=Order.DUE_TIME_ASC)

    assert found(another.place(asked.token(Place(id="job-1", due_time=NOW)))) == NOT_OURS


def test_an_empid_that_is_somebodys_address_is_another_filter() -> None:
    same = "ada@example.org"
    by_empid = Listing(filter=JobFilter(empid=same), order=Order.CREATE_TIME_ASC)
    by_email = Listing(filter=JobFilter(email=same), order=Order.CREATE_TIME_ASC)

    assert found(by_email.place(by_empid.token(Place(id="job-1")))) == NOT_OURS


def test_a_token_of_the_version_before_is_good() -> None:
    asked = Listing(filter=JobFilter(empid="E1"), order=Order.CREATE_TIME_ASC)
    before = page_token('jobs CREATED_ASC [null, null, null, "E1", ""]', ["job-1"])

    assert found(asked.place(before)) == Place(id="job-1")


@pytest.mark.parametrize("milliseconds", ["", "soon", "9" * 30])
def test_a_token_that_somebody_made_up_is_refused(milliseconds: str) -> None:
    asked = Listing(filter=BY_STATE, order=Order.DUE_TIME_ASC)

    assert found(asked.place(page_token(str(asked), ["job-1", milliseconds]))) == NOT_OURS
