import pytest

from gcsched.domain.erasure import erased_reason, erased_text, without_addresses
from tests.builders import NOW, a_job


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("550 5.1.1 at RCPT: no such user", "550 5.1.1 at RCPT: no such user"),
        ("<ada@example.org>: unknown", "(address) unknown"),
        ('"ada l"@example.org unknown', "(address) unknown"),
        ("try ada@example.org or bob@example.org", "try (address) or (address)"),
        ("", ""),
    ],
)
def test_addresses_are_blanked_out(text: str, left: str) -> None:
    assert without_addresses(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("550 <ada>... user unknown", "550 <(address)>... user unknown"),
        ("550 ada@mx.example.net adamant", "550 (address) adamant"),
        ("550 no such user: ADA", "550 no such user: ADA"),
    ],
)
def test_the_local_part_alone_is_blanked_out_too(text: str, left: str) -> None:
    """Its case counts: only its own host knows whether it matters."""
    assert erased_text(text, email="ada@example.org") == left


def test_no_address_blanks_out_nothing_more() -> None:
    assert erased_text("451 busy", email="") == "451 busy"


def test_the_reason_says_that_the_job_was_erased_and_keeps_why_it_ended() -> None:
    failed = erased_reason("550 no such user ada@example.org", email="ada@example.org", now=NOW)

    assert failed == "erased on 2026-07-01; 550 no such user (address)"
    assert erased_reason("", email="ada@example.org", now=NOW) == "erased on 2026-07-01"


def test_a_job_without_an_address_was_erased() -> None:
    assert a_job(email="").is_erased
    assert not a_job().is_erased
