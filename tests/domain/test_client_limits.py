"""The limits of a client in requests: recipients and templates; and when its day ends."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from gcsched.domain.access import ANYONE, Client, ClientLimits
from gcsched.domain.client_limits import (
    Limit,
    call_limit_error,
    day_of,
    find_call_limit,
    is_counted,
    is_restricted,
    job_limit_error,
    may_mail,
    until_midnight,
    without_recipient_limits,
)
from gcsched.domain.request import RequestContext, validate_request
from gcsched.domain.token_bucket import RateLimit
from gcsched.errors import InvalidRequest
from tests.support.builders import DOC_ONLY, NOW, a_client, a_request

TWO_TEMPLATES = RequestContext(
    templates={"doc": (), "party": ("place",)},
    reserved_names=DOC_ONLY.reserved_names,
    daily_plan=DOC_ONLY.daily_plan,
)


def violations(client: Client, **others: Any) -> list[tuple[str, str]]:
    try:
        validate_request(a_request(**others), now=NOW, context=TWO_TEMPLATES, client=client)
    except InvalidRequest as error:
        return [(each.field, each.problem) for each in error.violations]
    return []


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.org",
        "ada@EXAMPLE.org",
        "ada@mail.eu.example.org",
        "ada@bücher.de",
        "ada@BÜCHER.de",
        "ada@xn--bcher-kva.de",
        "ada@shop.xn--bcher-kva.de",
        "Zoë@example.org",
        '"a b"@example.org',
        "ada@münchen.example",
    ],
)
def test_a_client_may_mail_its_domains_and_those_below_in_any_spelling(email: str) -> None:
    domains = ("Example.ORG", "bücher.de", "xn--mnchen-3ya.example")
    client = a_client(recipient_domains=domains)

    assert [each for each in violations(client, email=email) if "may mail" in each[1]] == []


@pytest.mark.parametrize(
    "email",
    [
        "ada@evilexample.org",
        "ada@example.org.evil.net",
        "ada@org",
        "ada@example.com",
        "example.org@evil.net",
        '"ada@example.org"@evil.net',
        "ada@[192.0.2.1]",
    ],
)
def test_a_client_may_mail_no_other_domain(email: str) -> None:
    found = violations(a_client(recipient_domains=("example.org",)), email=email)

    assert [field for field, _ in found] == ["emailID"]


def test_the_violation_says_which_domains_are_allowed() -> None:
    client = a_client(recipient_domains=("example.org", "example.net"))

    assert violations(client, email="ada@example.com") == [
        (
            "emailID",
            (
                "must be at one of the domains that client 'payroll' may mail: example.org,"
                " example.net"
            ),
        )
    ]


def test_limits_are_reported_beside_all_other_violations() -> None:
    client = a_client(recipient_domains=("example.org",), templates=("doc",))

    found = violations(client, email="ada@example.com", template="party", message="", empid="")

    assert sorted(field for field, _ in found) == [
        "emailID",
        "empid",
        "message",
        "template",
        "variables",
    ]


def test_an_invalid_address_is_reported_once() -> None:
    found = violations(a_client(recipient_domains=("example.org",)), email="ada")

    assert len(found) == 1
    assert "must be one e-mail address" in found[0][1]


@pytest.mark.parametrize(
    ("templates", "problem"),
    [
        (("party", "gone"), "must be one of those that client 'payroll' may use: party"),
        (("gone",), "must be one of those that client 'payroll' may use: none of them exists"),
    ],
)
def test_a_client_may_use_its_templates_only(templates: tuple[str, ...], problem: str) -> None:
    assert violations(a_client(templates=templates)) == [("template", problem)]


def test_an_allowed_template_that_does_not_exist_is_a_violation() -> None:
    found = violations(a_client(templates=("doc", "gone")), template="gone")

    assert found == [("template", "must be one of those that client 'payroll' may use: doc")]


def test_many_domains_are_abbreviated() -> None:
    client = a_client(recipient_domains=tuple(f"d{number}.org" for number in range(25)))

    [(_, problem)] = violations(client)

    assert problem.endswith("d18.org, d19.org and 5 more")


def test_the_address_for_replies_is_not_limited() -> None:
    client = a_client(recipient_domains=("example.org",))

    assert violations(client, reply_to="ada@example.com") == []


def test_a_plain_request_within_the_limits_is_returned_as_it_is() -> None:
    request = a_request()
    client = a_client(recipient_domains=("example.org",), templates=("doc",))

    for each in (client, ANYONE, a_client()):
        assert validate_request(request, now=NOW, context=DOC_ONLY, client=each) is request


def test_only_the_recipient_of_a_preview_is_not_limited() -> None:
    client = a_client(recipient_domains=("example.com",), templates=("party",))

    assert without_recipient_limits(client).limits == ClientLimits(templates=("party",))
    assert without_recipient_limits(ANYONE) is ANYONE


def test_which_limits_cost_something() -> None:
    assert not is_restricted(ClientLimits(calls_per_second=5, jobs_per_day=5, jobs_waiting=5))
    assert is_restricted(ClientLimits(templates=("doc",)))
    assert not is_counted(ClientLimits(calls_per_second=5, templates=("doc",)))
    assert is_counted(ClientLimits(jobs_per_day=0))
    assert is_counted(ClientLimits(jobs_waiting=0))
    assert not is_counted(ANYONE.limits) | is_restricted(ANYONE.limits)
    assert may_mail("ada@example.com", ClientLimits())


def test_a_day_is_one_of_utc() -> None:
    late = datetime(2026, 7, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert day_of(late) == date(2026, 7, 1)
    assert until_midnight(late) == timedelta(minutes=30)
    assert until_midnight(datetime(2026, 7, 1, tzinfo=UTC)) == timedelta(days=1)


def test_the_errors_say_which_limit_and_when_to_call_again() -> None:
    client = a_client(calls_per_second=50, jobs_per_day=100, jobs_waiting=7)

    calls = call_limit_error(client, wait_seconds=0.0154)
    day = job_limit_error(client, Limit.JOBS_PER_DAY, now=NOW)
    waiting = job_limit_error(client, Limit.JOBS_WAITING, now=NOW)

    assert str(calls) == (
        "client 'payroll' has made more than its 50 calls per second; call again later"
    )
    assert calls.retry_after == timedelta(milliseconds=16)
    assert "has had its 100 jobs of this day (UTC)" in str(day)
    assert day.retry_after == timedelta(hours=12)
    assert "has 7 jobs waiting to be sent" in str(waiting)
    assert [each.metadata["limit"] for each in (calls, day, waiting)] == [*Limit]


def test_a_rate_of_calls_has_a_burst() -> None:
    assert find_call_limit(ClientLimits(calls_per_second=50, burst=100)) == RateLimit(
        per_second=50, burst=100
    )
    assert find_call_limit(ClientLimits(calls_per_second=2.5)).burst == 3
    assert find_call_limit(ClientLimits(calls_per_second=0.1)).burst == 1
