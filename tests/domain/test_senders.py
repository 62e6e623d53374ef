"""Which sender a request may choose, which one its mail gets, and what that does to its keys."""

from datetime import date
from typing import Any

import pytest

from gcsched.domain.access import ANYONE, Client
from gcsched.domain.dedup import DedupRule, dedup_key, fingerprint
from gcsched.domain.job import Job
from gcsched.domain.request import RequestContext
from gcsched.domain.senders import Sender, Senders
from gcsched.errors import InvalidRequest
from tests.support.builders import DOC_ONLY, NOON, NOW, a_client, a_job_factory, a_request

DEFAULT, PAYROLL, NEWS = "no-reply@example.org", "payroll@example.org", "news@bücher.example"
FACTORY = a_job_factory(
    context=RequestContext(
        templates=DOC_ONLY.templates,
        reserved_names=DOC_ONLY.reserved_names,
        daily_plan=DOC_ONLY.daily_plan,
        senders=Senders(default=DEFAULT, others=(PAYROLL, NEWS)),
    ),
    message_id_domain="example.org",
    sender_domains={PAYROLL: "payroll.example.org", NEWS: "xn--bcher-kva.example"},
)


def create(sender: str = "", client: Client = ANYONE, **others: Any) -> Job:
    return FACTORY.create(a_request(sender=sender, **others), now=NOW, client=client)


def problem_of(sender: str, client: Client = ANYONE) -> str:
    with pytest.raises(InvalidRequest) as caught:
        create(sender, client)
    [violation] = caught.value.violations
    assert violation.field == "sender"
    return violation.problem


@pytest.mark.parametrize(
    ("named", "sender", "id_domain"),
    [
        ("", "", "example.org"),
        ("no-reply@example.org", "", "example.org"),
        ("No-Reply@EXAMPLE.org", "", "example.org"),
        ("payroll@example.org", PAYROLL, "payroll.example.org"),
        ("PayRoll@Example.ORG", PAYROLL, "payroll.example.org"),
        ("news@bücher.example", NEWS, "xn--bcher-kva.example"),
        ("NEWS@BÜCHER.example", NEWS, "xn--bcher-kva.example"),
        ("news@xn--bcher-kva.example", NEWS, "xn--bcher-kva.example"),
    ],
)
def test_a_sender_is_found_in_any_spelling(named: str, sender: str, id_domain: str) -> None:
    job = create(named)

    assert job.sender == sender
    assert job.message_id == f"{job.id}@{id_domain}"


def test_other_senders_are_violations_that_name_those_that_are_possible() -> None:
    usual = "must be one of the senders of this service: no-reply@example.org"

    assert problem_of("eve@example.org") == f"{usual}, payroll@example.org, news@bücher.example"
    assert problem_of("payroll").startswith("must be one e-mail address such as")
    assert problem_of("Payroll <payroll@example.org>").startswith("must be one e-mail address")


# SHA-256 over a label, then each part with its length in front, made once with sha256sum.
CONTENT_KEY = "9654067e85db6d68329c151c45e50b52ca5bea197d1eb59a8f9f944ab2fd39ae"
CONTENT_KEY_OF_PAYROLL = "18f41840fcbc40e685d141397ab9a8e55aaa262bd9ab0c1c33b5994b8900fe0f"
FINGERPRINT = "1a09ad55ec96ea5f05859e485b6e5f6b298ff80aa197ef8f458ba90e3d11ec72"
FINGERPRINT_OF_PAYROLL = "74762aab9e7c6d5cfe5b23ba138e58cfe5a7f6e48358cbb8a16e73ff20554365"


@pytest.mark.parametrize(
    ("named", "key", "content"),
    [
        ("", CONTENT_KEY, FINGERPRINT),
        ("No-Reply@example.org", CONTENT_KEY, FINGERPRINT),
        ("Payroll@example.org", CONTENT_KEY_OF_PAYROLL, FINGERPRINT_OF_PAYROLL),
    ],
)
def test_keys_and_fingerprints_never_change(named: str, key: str, content: str) -> None:
    assert create(named).dedup_key == key
    assert create(named, request_id="R").fingerprint == content


def test_another_sender_is_other_content() -> None:
    one, other = a_request(sender=PAYROLL), a_request(sender=NEWS)
    day = date(2026, 7, 1)

    assert (
        dedup_key(one, daily=day)
        != dedup_key(other, daily=day)
        != dedup_key(a_request(), daily=day)
    )
    assert fingerprint(one) != fingerprint(other) != fingerprint(a_request())
    by_id = {
        DedupRule().key(a_request(request_id="R", sender=sender), daily=None)
        for sender in ("", PAYROLL)
    }
    assert len(by_id) == 1, "a reused id has to be found"


def test_a_part_that_looks_like_a_sender_is_not_one() -> None:
    ends_alike = a_request(message="Stand-up", sender=str(NOON))

    assert dedup_key(ends_alike, daily=None) != dedup_key(a_request(), daily=None)


@pytest.mark.parametrize(
    ("allowed", "named", "sender"),
    [
        ((PAYROLL,), "", PAYROLL),
        ((PAYROLL,), "Payroll@example.org", PAYROLL),
        ((NEWS, PAYROLL), "", NEWS),
        ((NEWS, PAYROLL), PAYROLL, PAYROLL),
        ((DEFAULT, PAYROLL), "", ""),
        ((DEFAULT, PAYROLL), DEFAULT, ""),
        ((PAYROLL, DEFAULT), DEFAULT, ""),
        ((PAYROLL, "gone@example.org"), "", PAYROLL),
    ],
)
def test_a_client_gets_the_first_of_its_senders(
    allowed: tuple[str, ...], named: str, sender: str
) -> None:
    assert create(named, a_client(senders=allowed)).sender == sender


def test_a_client_may_use_its_senders_only() -> None:
    client = a_client(senders=(PAYROLL, "gone@example.org"))
    rule = "must be one of those that client 'payroll' may use: "

    assert problem_of(NEWS, client) == f"{rule}payroll@example.org"
    assert problem_of(DEFAULT, client) == f"{rule}payroll@example.org"
    assert problem_of("gone@example.org", client) == f"{rule}payroll@example.org"
    only_gone = a_client(senders=("gone@example.org",))
    assert problem_of(PAYROLL, only_gone) == f"{rule}none of them is configured"


def test_no_sender_stands_in_for_the_first_of_a_client() -> None:
    client = a_client(senders=("gone@example.org", PAYROLL))

    assert problem_of("", client) == (
        "must be named: the first sender of client 'payroll', gone@example.org, is not a sender"
        " of this service"
    )
    assert create(PAYROLL, client).sender == PAYROLL


def test_a_new_limit_of_a_client_makes_no_second_mail_of_a_repeated_call() -> None:
    before = create(client=a_client())

    for senders in [(PAYROLL,), (NEWS, PAYROLL), (DEFAULT,)]:
        assert create(client=a_client(senders=senders)).dedup_key == before.dedup_key


def test_requests_of_a_client_with_different_senders_are_different() -> None:
    client = a_client(senders=(PAYROLL, DEFAULT))

    keys = {create(named, client).dedup_key for named in ("", DEFAULT, PAYROLL)}

    assert len(keys) == 3


def test_a_sender_is_shown_with_its_name() -> None:
    assert str(Sender(PAYROLL, PAYROLL, "Payroll")) == "Payroll <payroll@example.org>"
    assert str(Sender(PAYROLL, PAYROLL)) == "payroll@example.org"
