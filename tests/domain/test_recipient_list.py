"""The listed recipients. The oracle is a list of what an operator expects of each entry."""

from dataclasses import replace

import pytest

from gcsched.domain.access import ANYONE
from gcsched.domain.recipient_list import RecipientList
from gcsched.domain.request import is_plain, validate_request
from gcsched.errors import InvalidRequest
from tests.support.builders import DOC_ONLY, NOW, a_client, a_request

LISTED = RecipientList.parse(
    "Ada@Example.org, example.com ,bücher.example,[192.0.2.1],zoë@x.test,straße@x.test"
)


@pytest.mark.parametrize(
    "email",
    [
        *("Ada@example.org", "ada@example.org", "ADA@EXAMPLE.ORG"),
        *("x@example.com", "x@EXAMPLE.com", "x@mail.example.com", "x@a.b.example.com"),
        *("x@bücher.example", "x@www.bücher.example", "x@[192.0.2.1]"),
        *("zoë@x.test", "ZOË@x.test", "straße@x.test"),
        *('"bob@evil.test"@example.com', "bob%evil.test@example.com"),
    ],
)
def test_a_listed_address_and_a_domain_with_its_subdomains_are_allowed(email: str) -> None:
    assert LISTED.allows(email)


@pytest.mark.parametrize(
    "email",
    [
        *("bob@example.org", "ada@mail.example.org", "ada@example.org.evil.test", "ada@evil.test"),
        *("x@notexample.com", "x@example.com.evil.test", "x@com", "x@example", "x@.example.com.x"),
        *("x@bucher.example", "x@xn--bcher-kva.example.evil.test", "x@[192.0.2.2]", "x@2.1]"),
        *("zoe@x.test", "strasse@x.test", "STRASSE@x.test", "x@x.test"),
        *(
            '"ada@example.org"@evil.test',
            "example.com@evil.test",
            "@",
            "",
            "example.com",
            "@example.com",
        ),
    ],
)
def test_every_other_address_is_not(email: str) -> None:
    assert not LISTED.allows(email)


def test_the_entries_are_shown_normalised_in_their_order_and_once() -> None:
    listed = RecipientList.parse("Example.ORG,ada@EXAMPLE.com,example.org, xn--bcher-kva.example")

    assert listed.entries == ("example.org", "ada@example.com", "bücher.example")


@pytest.mark.parametrize(
    "entry",
    [
        "",
        " ",
        "*",
        "*.example.org",
        ".example.org",
        "@example.org",
        "a b@example.org",
        "a@b@c",
        "x y",
    ],
)
def test_an_entry_that_is_neither_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"is neither an address nor a domain|is not an address"):
        RecipientList.parse(f"example.org,{entry}")


RESTRICTED = replace(DOC_ONLY, allowed_recipients=RecipientList.parse("example.org"))


@pytest.mark.parametrize("fields", [{}, {"message": " padded "}])
def test_a_request_is_refused_unless_its_recipient_is_allowed(fields: dict[str, str]) -> None:
    def validate(email: str) -> object:
        request = a_request(email=email, **fields)
        return validate_request(request, now=NOW, context=RESTRICTED, client=ANYONE)

    assert validate("ada@mail.example.org")
    with pytest.raises(InvalidRequest) as caught:
        validate("ada@example.com")
    [violation] = caught.value.violations
    assert violation.field == "emailID"
    assert "GCSCHED_ALLOWED_RECIPIENTS" in violation.problem
    assert "example.org" not in violation.problem


def test_a_request_for_another_recipient_is_not_plain() -> None:
    assert is_plain(a_request(), NOW, RESTRICTED)
    assert not is_plain(a_request(email="ada@example.com"), NOW, RESTRICTED)


def test_the_limits_of_a_client_count_as_well() -> None:
    client = a_client(recipient_domains=("example.com",))

    with pytest.raises(InvalidRequest) as caught:
        validate_request(
            a_request(email="ada@example.net"), now=NOW, context=RESTRICTED, client=client
        )

    assert [violation.field for violation in caught.value.violations] == ["emailID", "emailID"]
