"""GCSCHED_SENDERS: mailboxes as RFC 5322 writes them, and what is wrong with others."""

import pytest

from gcsched.domain.senders import Senders
from gcsched.wiring import policies
from tests.support.settings import load_settings, settings_problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payroll@example.org", [("", "payroll@example.org")]),
        (
            "Payroll <payroll@example.org>, news@example.net",
            [("Payroll", "payroll@example.org"), ("", "news@example.net")],
        ),
        (
            "  Pay  Team<payroll@example.org>,news@example.net , <plain@example.com> ",
            [
                ("Pay  Team", "payroll@example.org"),
                ("", "news@example.net"),
                ("", "plain@example.com"),
            ],
        ),
        (
            '"Doe, Jane" <jane@example.org>, "says \\"hi\\" \\\\o" <hi@example.org>',
            [("Doe, Jane", "jane@example.org"), ('says "hi" \\o', "hi@example.org")],
        ),
        (
            'Zoë — Löhne <l@example.org>, "a,b"@example.org, "<x>" <x@example.net>',
            [
                ("Zoë — Löhne", "l@example.org"),
                ("", '"a,b"@example.org'),
                ("<x>", "x@example.net"),
            ],
        ),
        ("O'Neil & Co. (HR) <hr@example.org>", [("O'Neil & Co. (HR)", "hr@example.org")]),
    ],
)
def test_senders_are_mailboxes_separated_by_commas(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert [(each.name, each.address) for each in load_settings(SENDERS=text).senders] == expected


def test_a_domain_is_encoded_and_its_key_is_in_lower_case() -> None:
    settings = load_settings(
        SENDER_EMAIL="No-Reply@BÜCHER.example.org",
        SENDERS="Letters <Letters@Bücher.example>, ops@[192.0.2.1]",
        INTERNAL_DOMAINS="[192.0.2.1]",
    )

    letters, ops = settings.senders
    assert (letters.key, letters.address) == (
        "letters@bücher.example",
        "Letters@xn--bcher-kva.example",
    )
    assert policies.senders(settings) == Senders(
        default="no-reply@bücher.example.org", others=(letters.key, ops.key)
    )
    assert policies.sender_domains(settings) == {
        "letters@bücher.example": "xn--bcher-kva.example",
        "ops@[192.0.2.1]": "192.0.2.1",
    }
    assert policies.message_id_domain(settings) == "xn--bcher-kva.example.org"


def test_there_are_none_unless_they_are_given() -> None:
    assert load_settings().senders == ()
    assert load_settings(SENDERS="").senders == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a@example.org,", "cannot be used: 'a@example.org,' does not start with a mailbox"),
        ("a@example.org,,b@example.org", "cannot be used: ',b@example.org' does not"),
        ("a@example.org b@example.org", "cannot be used: 'a@example.org b@example.org'"),
        ("a@example.org; b@example.org", "cannot be used: 'a@example.org; b@example.org'"),
        ('"Pay <a@example.org>', "cannot be used: '\"Pay <a@example.org>'"),
        ("Pay <a@example.org", "cannot be used: 'Pay <a@example.org'"),
        ("news@example.net, Pay a@example.org", "cannot be used: 'Pay a@example.org'"),
        ("Pay <a>", "names 'a', which is not an address"),
        ("a@corp.local", "names a@corp.local, which must be one e-mail address"),
        ("zoë@example.org", "names one that is zoë@example.org, with U+00EB"),
        ("a@example.org, A@EXAMPLE.org", "names A@example.org twice (in any case): leave one"),
        ("No-Reply@example.org", "names No-Reply@example.org, which is GCSCHED_SENDER_EMAIL"),
        ("a\u202eb <a@example.org>", "names a@example.org, whose name holds U+202E (RIGHT"),
        (f"{'x' * 257} <a@example.org>", "names a@example.org, whose name has 257 characters"),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    [found] = settings_problems(SENDERS=text)

    assert found.startswith(f"GCSCHED_SENDERS {problem}"), found
