"""Addresses; oracle: the library that reads every one of them in full."""

import time

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gcsched.domain.address import normalised_address
from gcsched.errors import Violation

LOCALS = st.one_of(
    st.text("abZ09._+-", min_size=1, max_size=70),
    st.sampled_from(
        ["Postmaster", "ABUSE", "info", "a" * 64, "a" * 65, "o'neil", "zoë", '"a"', ""]
    ),
)
DOMAINS = st.one_of(
    st.text("abZ0-.", min_size=1, max_size=20),
    st.sampled_from(
        *[
            [
                "Example.ORG",
                "bücher.example",
                "xn--bcher-kva.example",
                "a.test",
                "localhost",
                "x@y.de",
            ]
        ]
    ),
)


def as_the_library_says(email: str) -> str | None:
    try:
        return validate_email(
            email, check_deliverability=False, test_environment=True, strict=True
        ).normalized
    except EmailNotValidError:
        return None


@given(local=LOCALS, domain=DOMAINS)
@settings(deadline=None, max_examples=400)
@example(local="ada", domain="Example.org")
@example(local="INFO", domain="example.org")
@example(local="a" * 64, domain="example.org")
@example(local="a..b", domain="example.org")
@example(local="ada\n", domain="example.org")
def test_an_address_is_what_the_library_says_at_the_first_look_and_the_next(
    local: str, domain: str
) -> None:
    email = f"{local}@{domain}"

    looks = [normalised_address(email) for _ in range(2)]

    told = as_the_library_says(email)
    assert [None if isinstance(look, Violation) else look for look in looks] == [told, told]


def test_what_is_wrong_is_told_under_the_fields_name() -> None:
    told = normalised_address("nobody", field="reply_to")

    assert isinstance(told, Violation)
    assert told.field == "reply_to"


@pytest.mark.parametrize("email", ["a@" + "long." * 50 + "org", "x" * 255])
def test_no_address_is_longer_than_mail_can_carry(email: str) -> None:
    assert isinstance(normalised_address(email), Violation)


@pytest.mark.parametrize(
    ("email", "told"),
    [
        ("a@" + "漢" * 84 + ".com", "bytes in UTF-8"),
        ("é" * 128 + "@example.org", "bytes in UTF-8"),
        ("a@" + "é" * 64 + ".example.org", "A part of its domain has 64 characters"),
    ],
    ids=["domain", "local part", "label"],
)
def test_what_is_too_long_is_told_before_it_is_looked_at(email: str, told: str) -> None:
    begun = time.thread_time()
    looks = [normalised_address(email) for _ in range(100)]

    assert time.thread_time() - begun < 0.1  # a look at the first would take 4 ms
    for look in looks:
        assert isinstance(look, Violation)
        assert told in look.problem
