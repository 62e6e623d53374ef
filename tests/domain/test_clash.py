"""Who is in whose way, and what that means for who asks again."""

from datetime import timedelta
from typing import Any

import pytest

from gcsched.domain.dedup import (
    Clash,
    Dedup,
    DedupRule,
    Holder,
    clash,
    dedup_key,
    employee_key,
    fingerprint,
    request_key,
)
from gcsched.domain.job import Priority, State
from tests.support.builders import NOON, NOW, a_job, a_request
from tests.support.clocks import DAY


def a_holder(**others: Any) -> Holder:
    return Holder(**{"job_id": "other", "state": State.SENT, "due": NOW, **others})


def test_by_content_the_key_is_the_content_or_else_the_request_id() -> None:
    rule = DedupRule()
    plain, named = a_request(), a_request(request_id="R")

    assert rule.key(plain, daily=None) == dedup_key(plain, daily=None)
    assert rule.key(named, daily=None) == rule.key(
        a_request(empid="E2", request_id="R"), daily=None
    )
    assert rule.key(named, daily=None) != rule.key(plain, daily=None)
    assert rule.until(NOW) is None


def test_by_employee_the_key_is_the_employee_for_the_time_of_the_window() -> None:
    rule = DedupRule(by=Dedup.EMPLOYEE, window=timedelta(hours=5))

    keys = {
        rule.key(a_request(request_id=request_id, message=message), daily=None)
        for request_id in ("", "R")
        for message in ("Stand-up", "Lunch")
    }

    assert keys == {employee_key("E1")}
    assert rule.until(NOW) == NOW + timedelta(hours=5)


def test_keys_of_different_kinds_never_meet() -> None:
    assert request_key("E1") != employee_key("E1")


@pytest.mark.parametrize(
    "other",
    [
        *({"empid": "E2"}, {"email": "bob@example.org"}, {"message": "Lunch"}, {"name": "Bob"}),
        *({"timestamp": NOON + 1}, {"template": "other"}, {"variables": {"a": "b"}}),
        *({"not_after": NOON}, {"reply_to": "a@b.org"}, {"labels": {"a": "b"}}),
        {"priority": Priority.URGENT},
    ],
    ids=str,
)
def test_any_other_content_has_another_fingerprint(other: dict[str, Any]) -> None:
    assert fingerprint(a_request(**other)) != fingerprint(a_request())


def test_the_order_of_names_and_the_id_are_no_content() -> None:
    one = a_request(request_id="R", variables={"a": "1", "b": "2"}, labels={"x": "1", "y": "2"})
    other = a_request(variables={"b": "2", "a": "1"}, labels={"y": "2", "x": "1"})

    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ({}, {}, Clash.SAME),
        (
            {"request_id": "R", "fingerprint": "f"},
            {"request_id": "R", "fingerprint": "f"},
            Clash.SAME,
        ),
        (
            {"request_id": "R", "fingerprint": "f"},
            {"request_id": "R", "fingerprint": "g"},
            Clash.ID_REUSED,
        ),
        ({"dedup_until": NOW + DAY}, {"dedup_until": NOW + DAY}, Clash.TOO_SOON),
        ({"dedup_until": NOW + DAY}, {"dedup_until": NOW + timedelta(seconds=1)}, Clash.TOO_SOON),
        ({"dedup_until": NOW + DAY}, {"dedup_until": NOW}, Clash.WINDOW_OVER),
        ({"dedup_until": NOW + DAY}, {"dedup_until": None}, Clash.TOO_SOON),
        (
            {"dedup_until": NOW + DAY, "request_id": "R", "fingerprint": "f"},
            {"dedup_until": NOW, "request_id": "R", "fingerprint": "f"},
            Clash.SAME,
        ),
        (
            {"dedup_until": NOW + DAY, "request_id": "R"},
            {"dedup_until": NOW + DAY, "request_id": "S"},
            Clash.TOO_SOON,
        ),
    ],
)
def test_a_clash_is_judged_by_the_request_id_then_by_the_window(
    ours: dict[str, Any], theirs: dict[str, Any], told: Clash
) -> None:
    assert clash(a_job(**ours), a_holder(**theirs)) is told


def test_a_job_is_not_in_its_own_way() -> None:
    job = a_job(dedup_until=NOW + DAY)

    assert clash(job, a_holder(job_id=job.id, dedup_until=job.dedup_until)) is Clash.SAME
