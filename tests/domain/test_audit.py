"""What entries say, and by which digests they are found. Oracle: digests computed here."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from gcsched.domain import audit
from gcsched.domain.audit import AuditFilter, first_id_at
from gcsched.domain.checks import require_valid
from gcsched.domain.ids import new_id
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter
from gcsched.domain.pause import Pause
from gcsched.errors import InvalidRequest
from tests.support.builders import NOW


def digest(text: str) -> str:
    return sha256(b"gcsched audit subject\0" + text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("spelling", "stored"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada@EXAMPLE.org", "ada@example.org"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("E1815", "E1815"),
        ("e1815@", "e1815@"),
    ],
)
def test_a_subject_is_found_in_every_spelling_of_its_address(spelling: str, stored: str) -> None:
    assert digest(stored) in audit.find_digests(spelling)


def test_an_employee_id_is_case_sensitive_in_what_is_stored() -> None:
    assert audit.about_employee("E1").subjects == (digest("E1"),)
    assert digest("E1") not in audit.find_digests("e1")


def test_an_address_is_stored_as_the_digest_of_its_folded_form() -> None:
    topic = audit.about_address("Ada@example.org", until=NOW)

    assert topic.subjects == (digest("ada@example.org"),)
    assert topic.details == f"email={digest('ada@example.org')[:16]}, until {NOW.isoformat()}"


def test_the_filter_of_a_bulk_change_is_described_without_persons() -> None:
    job_filter = JobFilter(
        state=State.SCHEDULED, due_time_before=NOW, empid="E1", email="Ada@example.org"
    )

    topic = audit.about_jobs(job_filter)

    assert topic.subjects == (digest("E1"), digest("ada@example.org"))
    assert topic.details == (
        f"state=SCHEDULED, due_time_before={NOW.isoformat()}, empid={digest('E1')[:16]},"
        f" email={digest('ada@example.org')[:16]}"
    )


def test_a_request_id_is_shown_without_the_address_in_it() -> None:
    topic = audit.about_jobs(JobFilter(request_id="7:ada@example.org"))

    assert topic == audit.Topic(details="request_id=7:(address)")


def test_no_filter_is_described_as_all_jobs() -> None:
    assert audit.about_jobs(JobFilter()).details == "all jobs"


def test_each_field_of_a_filter_is_described() -> None:
    values: dict[str, Any] = {"state": State.SENT, "due_time_from": NOW, "due_time_before": NOW}
    for name in (field.name for field in fields(JobFilter)):
        given = {name: values.get(name, "a")}
        assert audit.about_jobs(replace(JobFilter(), **given)).details.startswith(f"{name}=")


def test_a_pause_is_described_in_the_callers_words_without_addresses() -> None:
    pause = Pause(by='ops "night"', reason="ada@example.org complains", start_time=NOW)

    assert audit.about_pause(pause).details == (r'by "ops \"night\"", reason "(address) complains"')
    assert audit.about_resumption("ops").details == 'by "ops"'
    assert audit.about_resumption("").details == ""


@pytest.mark.parametrize("microseconds", [0, 1, 999, 1000])
def test_ids_are_divided_at_a_time(microseconds: int) -> None:
    moment = NOW + timedelta(microseconds=microseconds)
    before, after = NOW - timedelta(milliseconds=1), NOW + timedelta(milliseconds=1)

    assert new_id(before) < first_id_at(moment) < new_id(after)
    assert (new_id(NOW) >= first_id_at(moment)) is (microseconds == 0)


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_time_outside_the_range_of_ids_divides_nothing(year: int) -> None:
    bound = first_id_at(datetime(year, 1, 1, tzinfo=NOW.tzinfo))

    assert (bound < new_id(NOW)) is (year < NOW.year)


def test_a_page_token_serves_its_own_list_only() -> None:
    first, other = AuditFilter(client="payroll"), AuditFilter(client="payroll", from_time=NOW)
    token = first.encode_cursor("0190")

    assert require_valid(first.parse_cursor(token)) == "0190"
    assert require_valid(first.parse_cursor("")) == ""
    assert first.encode_cursor("") == ""
    with pytest.raises(InvalidRequest):
        require_valid(other.parse_cursor(token))
