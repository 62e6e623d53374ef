import pytest

from gcsched.domain.masking import PersonalWords
from gcsched.domain.recipient import JobTexts, redact_reason, redact_text
from tests.support.builders import NOW, a_job

ADA = PersonalWords(
    JobTexts(
        email="ada@example.org",
        name="Ada Lovelace",
        message="Lunch in the Sahara",
        variables={"pin": "4711"},
    )
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("550 <ada>... user unknown", "550 <(hidden)>... user unknown"),
        ("550 ada@mx.example.net adamant", "550 (address) adamant"),
        ("550 no such user: ADA", "550 no such user: (hidden)"),
        ("554 spam: 'lunch in the sahara', pin 4711", "554 spam: '(hidden)', pin (hidden)"),
        ("550 Lovelace, Ada is not here", "550 (hidden) is not here"),
        ("451 busy", "451 busy"),
    ],
)
def test_the_parts_of_a_mail_that_a_relay_repeated_are_masked(text: str, left: str) -> None:
    assert redact_text(text, ADA) == left


def test_a_job_without_texts_masks_only_addresses() -> None:
    assert redact_text("451 busy", PersonalWords(JobTexts())) == "451 busy"


def test_the_reason_has_the_erasure_and_why_the_job_ended() -> None:
    failed = redact_reason("550 no such user ada@example.org", ADA, now=NOW)

    assert failed == "erased on 2026-07-01; 550 no such user (address)"
    assert redact_reason("", ADA, now=NOW) == "erased on 2026-07-01"


def test_a_job_without_an_address_was_erased() -> None:
    assert a_job(email="").is_erased
    assert not a_job().is_erased
