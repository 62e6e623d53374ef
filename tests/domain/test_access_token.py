"""The format of tokens. Oracle: the format written anew in tests/support/clients.py."""

import hashlib
import re

import pytest

from gcsched.domain.access_token import (
    RANDOM_OCTETS,
    MalformedToken,
    WrongCheck,
    make_token,
    parse_token,
)
from tests.support.clients import TestToken

OCTETS = bytes(range(RANDOM_OCTETS))
TOKEN = TestToken(id="k3v9x2ab", secret="Zm9vYmFyYmF6-_" + "x" * 29)


def test_a_new_token_has_its_id_its_secret_and_its_check_characters() -> None:
    made = make_token(OCTETS)

    found = re.fullmatch(r"gcs_([a-z0-9]{8})_([A-Za-z0-9_-]{43})[0-9A-Za-z]{6}", made.text)
    assert found is not None
    assert made.text == TestToken(id=found[1], secret=found[2]).text
    assert made.id == found[1]
    assert made.digest == hashlib.sha256(found[2].encode()).digest()


def test_each_octet_of_the_secret_counts() -> None:
    made = {
        make_token(OCTETS[:place] + b"\xff" + OCTETS[place + 1 :]).digest for place in range(16, 48)
    }

    assert len(made) == 32
    with pytest.raises(ValueError, match="give 48"):
        make_token(OCTETS[1:])


def test_a_token_is_parsed_into_its_id_and_the_digest_of_its_secret() -> None:
    assert parse_token(TOKEN.text) == ("k3v9x2ab", hashlib.sha256(TOKEN.secret.encode()).digest())


def test_each_typing_error_is_recognised() -> None:
    for place in range(4, len(TOKEN.text)):
        wrong = TOKEN.text[:place] + ("0" if TOKEN.text[place] != "0" else "1")
        wrong += TOKEN.text[place + 1 :]
        with pytest.raises((WrongCheck, MalformedToken)):
            parse_token(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gcs_",
        TOKEN.text[:-1],
        f"{TOKEN.text}0",
        TOKEN.text.upper(),
        f" {TOKEN.text}",
        f"{TOKEN.text}\n",
        TOKEN.text.replace("gcs", "ghp"),
        TOKEN.text.replace("ab_", "äb_"),
    ],
)
def test_another_text_is_malformed(text: str) -> None:
    with pytest.raises(MalformedToken):
        parse_token(text)
