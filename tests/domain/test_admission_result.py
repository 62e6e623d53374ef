"""Which job holds a dedup key, and the answer to a repeated request."""

from datetime import timedelta
from typing import Any

import pytest

from gcsched.domain.dedup import (
    CLIENT_MARK,
    AdmissionAnswer,
    AdmissionOutcome,
    AdmissionResult,
    Dedup,
    DedupRule,
    KeyHolder,
    answer_conflict,
    answer_created,
    client_key,
    dedup_key,
    employee_key,
    find_anonymous_key,
    fingerprint,
    is_same_call,
    request_key,
)
from gcsched.domain.job import Priority, State
from gcsched.errors import RequestIdReused
from gcsched.pb import task_pb2
from tests.support.builders import NOON, NOW, a_job, a_request
from tests.support.clocks import DAY


def a_key_holder(**others: Any) -> KeyHolder:
    return KeyHolder(**{"job_id": "other", "state": State.SENT, "due_time": NOW, **others})


def test_by_content_the_key_is_the_content_or_else_the_request_id() -> None:
    rule = DedupRule()
    plain, named = a_request(), a_request(request_id="R")

    assert rule.key(plain, daily=None) == dedup_key(plain, daily=None)
    assert rule.key(named, daily=None) == rule.key(
        a_request(empid="E2", request_id="R"), daily=None
    )
    assert rule.key(named, daily=None) != rule.key(plain, daily=None)
    assert rule.dedup_until(NOW) is None


def test_by_employee_the_key_is_the_employee_for_the_time_of_the_window() -> None:
    rule = DedupRule(by=Dedup.EMPLOYEE, window=timedelta(hours=5))

    keys = {
        rule.key(a_request(request_id=request_id, message=message), daily=None)
        for request_id in ("", "R")
        for message in ("Stand-up", "Lunch")
    }

    assert keys == {employee_key("E1")}
    assert rule.dedup_until(NOW) == NOW + timedelta(hours=5)


def test_the_key_of_a_client_has_its_name_and_the_key_of_a_caller_without_one() -> None:
    rule = DedupRule()
    plain, named = a_request(), a_request(request_id="R")

    assert rule.key(plain, daily=None, client="") == dedup_key(plain, daily=None)
    assert rule.key(plain, daily=None, client="hr") == f"~hr:{dedup_key(plain, daily=None)}"
    assert rule.key(named, daily=None, client="hr") == f"~hr:{request_key('R')}"


def test_keys_of_clients_sort_after_all_others() -> None:
    of_client = DedupRule().key(a_request(), daily=None, client="0")
    over = "over 0190ffff"  # an employee's key whose window is over

    assert max(dedup_key(a_request(), daily=None), request_key("R"), over, "f" * 64) < CLIENT_MARK
    assert of_client > CLIENT_MARK


def test_the_key_of_a_caller_without_a_name_is_found_in_a_clients_key() -> None:
    plain = DedupRule().key(a_request(), daily=None)

    assert find_anonymous_key(client_key("a.b-c_d", plain)) == plain
    assert [find_anonymous_key(each) for each in (plain, "over job-1", None)] == ["", "", ""]


def test_by_employee_the_client_is_not_part_of_the_key() -> None:
    rule = DedupRule(by=Dedup.EMPLOYEE)

    keys = {rule.key(a_request(), daily=None, client=name) for name in ("", "hr", "payroll")}

    assert keys == {employee_key("E1")}


def test_keys_of_different_kinds_never_collide() -> None:
    assert request_key("E1") != employee_key("E1")


@pytest.mark.parametrize(
    "other",
    [
        *({"empid": "E2"}, {"email": "bob@example.org"}, {"message": "Lunch"}, {"name": "Bob"}),
        *({"timestamp": NOON + 1}, {"template": "other"}, {"variables": {"a": "b"}}),
        *({"not_after": NOON}, {"reply_to": "a@b.org"}, {"labels": {"a": "b"}}),
        *({"priority": Priority.URGENT}, {"sender": "hr@example.org"}),
    ],
    ids=str,
)
def test_other_content_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert fingerprint(a_request(**other)) != fingerprint(a_request())


def test_the_order_of_names_and_the_id_are_not_part_of_the_content() -> None:
    one = a_request(request_id="R", variables={"a": "1", "b": "2"}, labels={"x": "1", "y": "2"})
    other = a_request(variables={"b": "2", "a": "1"}, labels={"y": "2", "x": "1"})

    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("new", "holder", "expected"),
    [
        ({}, {}, AdmissionOutcome.REPLAYED),
        (
            {"request_id": "R", "fingerprint": "f"},
            {"request_id": "R", "fingerprint": "f"},
            AdmissionOutcome.REPLAYED,
        ),
        (
            {"request_id": "R", "fingerprint": "f"},
            {"request_id": "R", "fingerprint": "g"},
            RequestIdReused,
        ),
        (
            {"dedup_until": NOW + DAY},
            {"dedup_until": NOW + DAY},
            AdmissionOutcome.REFUSED_DUPLICATE,
        ),
        (
            {"dedup_until": NOW + DAY},
            {"dedup_until": NOW + timedelta(seconds=1)},
            AdmissionOutcome.REFUSED_DUPLICATE,
        ),
        ({"dedup_until": NOW + DAY}, {"dedup_until": NOW}, None),
        ({"dedup_until": NOW + DAY}, {"dedup_until": None}, AdmissionOutcome.REFUSED_DUPLICATE),
        (
            {"dedup_until": NOW + DAY, "request_id": "R", "fingerprint": "f"},
            {"dedup_until": NOW, "request_id": "R", "fingerprint": "f"},
            AdmissionOutcome.REPLAYED,
        ),
        (
            {"dedup_until": NOW + DAY, "request_id": "R"},
            {"dedup_until": NOW + DAY, "request_id": "S"},
            AdmissionOutcome.REFUSED_DUPLICATE,
        ),
    ],
)
def test_a_duplicate_is_judged_by_the_request_id_then_by_the_window(
    new: dict[str, Any], holder: dict[str, Any], expected: object
) -> None:
    assert kind_of(answer_conflict(a_job(**new), a_key_holder(**holder))) is expected


SAME_ID = {"request_id": "R", "fingerprint": "f"}
OTHER_CONTENT = {"request_id": "R", "fingerprint": "g"}
WINDOW = {"dedup_until": NOW + DAY}
REFUSED = AdmissionOutcome.REFUSED_DUPLICATE


@pytest.mark.parametrize(
    ("client", "owner", "given", "found", "expected"),
    [
        ("hr", "hr", SAME_ID, SAME_ID, AdmissionOutcome.REPLAYED),
        ("hr", "hr", SAME_ID, OTHER_CONTENT, RequestIdReused),
        ("hr", "", {}, {}, AdmissionOutcome.REPLAYED),
        ("hr", "", SAME_ID, SAME_ID, AdmissionOutcome.REPLAYED),
        ("hr", "", SAME_ID, OTHER_CONTENT, RequestIdReused),
        # Only an employee's key is shared by named clients.
        (*("hr", "payroll"), SAME_ID | WINDOW, SAME_ID | WINDOW, REFUSED),
        (*("hr", "payroll"), SAME_ID | WINDOW, OTHER_CONTENT | WINDOW, REFUSED),
        ("hr", "payroll", WINDOW, {"dedup_until": NOW}, None),
        ("", "payroll", SAME_ID | WINDOW, SAME_ID | WINDOW, REFUSED),
        ("hr", "", SAME_ID | WINDOW, SAME_ID, AdmissionOutcome.REPLAYED),
    ],
)
def test_request_ids_belong_to_their_client_and_those_without_a_client_to_all(
    client: str, owner: str, given: dict[str, Any], found: dict[str, Any], expected: object
) -> None:
    answer = answer_conflict(a_job(client=client, **given), a_key_holder(client=owner, **found))

    assert kind_of(answer) is expected


@pytest.mark.parametrize(
    ("holder", "is_same"),
    [
        ({"job_id": "job-1", "client": ""}, True),
        ({"client": "hr"}, True),
        ({"client": ""}, False),
        ({"client": "payroll"}, False),
    ],
)
def test_a_holder_of_the_same_client_is_of_the_same_call(
    holder: dict[str, Any], *, is_same: bool
) -> None:
    assert is_same_call(a_job(client="hr"), a_key_holder(**holder)) is is_same


def test_by_employee_another_request_of_the_client_is_another_call() -> None:
    job = a_job(client="hr", **SAME_ID, **WINDOW)

    assert is_same_call(job, a_key_holder(client="hr", **SAME_ID))
    assert not is_same_call(job, a_key_holder(client="hr"))


def kind_of(answer: AdmissionAnswer | None) -> object:
    """Return the outcome of an answer, or the class of one that is an error."""
    if isinstance(answer, AdmissionResult):
        return answer.outcome
    return answer and type(answer)


def test_an_answer_names_the_holder_of_the_key_and_its_state_if_accepted() -> None:
    mine = {"request_id": "R", "fingerprint": "f"}
    others = a_key_holder(request_id="R", fingerprint="g", dedup_until=NOW + DAY)

    again = answer_conflict(a_job(), others)
    refused = answer_conflict(a_job(dedup_until=NOW + DAY), others)
    reused = answer_conflict(a_job(**mine), others)

    assert again == AdmissionResult(
        outcome=AdmissionOutcome.REPLAYED, job_id="other", state=State.SENT, due_time=NOW
    )
    assert refused == AdmissionResult(outcome=AdmissionOutcome.REFUSED_DUPLICATE, job_id="other")
    assert isinstance(reused, RequestIdReused)
    assert reused.metadata == {"job_id": "other"}
    assert "'R'" in str(reused)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.QUEUED, AdmissionOutcome.QUEUED_FOR_DAILY),
        (State.SCHEDULED, AdmissionOutcome.CREATED),
        (State.SENT, AdmissionOutcome.CREATED),
        (None, AdmissionOutcome.CREATED),
    ],
)
def test_a_repeated_write_finds_its_own_job(state: State | None, outcome: AdmissionOutcome) -> None:
    job = a_job(dedup_until=NOW + DAY)

    answer = answer_conflict(
        job, a_key_holder(job_id=job.id, dedup_until=job.dedup_until, state=state)
    )

    assert answer == AdmissionResult(outcome=outcome, job_id=job.id, state=state, due_time=NOW)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.QUEUED, AdmissionOutcome.QUEUED_FOR_DAILY),
        (State.SCHEDULED, AdmissionOutcome.CREATED),
    ],
)
def test_the_answer_for_a_new_job_has_its_stored_state(
    state: State, outcome: AdmissionOutcome
) -> None:
    answer = answer_created(a_job(state=state))

    assert answer == AdmissionResult(outcome=outcome, job_id="job-1", state=state, due_time=NOW)
    assert answer.is_new
    assert answer.is_accepted


def test_outcomes_have_the_names_of_the_contract() -> None:
    names = set(task_pb2.MeetResponse.Outcome.keys())

    assert {outcome.value for outcome in AdmissionOutcome} == names - {"OUTCOME_UNSPECIFIED"}


@pytest.mark.parametrize(
    ("outcome", "is_accepted"),
    [(AdmissionOutcome.REPLAYED, True), (AdmissionOutcome.REFUSED_DUPLICATE, False)],
)
def test_a_duplicate_is_not_new(outcome: AdmissionOutcome, *, is_accepted: bool) -> None:
    answer = AdmissionResult(outcome=outcome, job_id="other")

    assert (answer.is_new, answer.is_accepted) == (False, is_accepted)
