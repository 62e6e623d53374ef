"""Spellings of one address. Oracle: pairs written down by hand, and Unicode's own properties."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.address_folding import fold_address, is_same_address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Boss@example.org", "boss@example.org"),
        ("BOSS+Tag@example.org", "boss+tag@example.org"),
        ("Zoë@example.org", "ZOË@example.org"),
        ("zoe\N{COMBINING DIAERESIS}@example.org", "ZOË@example.org"),
        ("straße@example.org", "STRASSE@example.org"),
        ("ΣΟΦΟΣ@example.org", "σοφος@example.org"),
        ("ПЁТР@example.org", "пётр@example.org"),
        ('"Two Words@x"@example.org', '"two words@X"@example.org'),
        ("boss@EXAMPLE.org", "boss@example.org"),
        ("Zoë@BÜRO.example", "zoë@büro.example"),
        ("boss@[IPV6:2001:DB8::1]", "boss@[IPv6:2001:db8::1]"),
    ],
)
def test_spellings_of_one_address_fold_to_the_same(one: str, other: str) -> None:
    assert is_same_address(one, other)
    assert is_same_address(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("boss@example.org", "boss@example.com"),
        ("boss@example.org", "b.oss@example.org"),
        ("boss@example.org", "boss+tag@example.org"),
        ("zoe@example.org", "zoë@example.org"),
        ("\N{FULLWIDTH LATIN SMALL LETTER B}oss@example.org", "boss@example.org"),
        ("o\N{SUPERSCRIPT TWO}@example.org", "o2@example.org"),
        ("ada@straße.example", "ada@strasse.example"),
        ("\N{LATIN SMALL LETTER DOTLESS I}da@example.org", "ida@example.org"),
    ],
)
def test_different_mailboxes_stay_different(one: str, other: str) -> None:
    assert not is_same_address(one, other)


@given(local=st.text(min_size=1, max_size=20))
def test_folding_is_idempotent_and_ignores_case_and_composition(local: str) -> None:
    address = f"{local}@example.org"
    folded = fold_address(address)

    assert fold_address(folded) == folded
    assert fold_address(f"{local.casefold()}@example.org") == folded
    for form in ("NFC", "NFD"):
        assert fold_address(f"{unicodedata.normalize(form, local)}@example.org") == folded
