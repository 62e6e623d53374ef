import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.page_token import (
    INVALID_PAGE_TOKEN,
    encode_page_token,
    parse_page_size,
    parse_page_token,
)
from gcsched.errors import Violation
from tests.support.checks import read_or_violation

PLACES = st.lists(st.text(), min_size=1, max_size=3)


@pytest.mark.parametrize(("requested", "size"), [(0, 50), (1, 1), (200, 200), (2**31 - 1, 200)])
def test_a_page_has_the_requested_size_within_bounds(requested: int, size: int) -> None:
    assert read_or_violation(parse_page_size(requested)) == size


def test_a_negative_page_size_is_refused() -> None:
    wrong = read_or_violation(parse_page_size(-1))

    assert isinstance(wrong, Violation)
    assert wrong.field == "page_size"


@given(query=st.text(), place=PLACES)
def test_a_token_leads_to_its_place_and_is_safe_in_a_url(query: str, place: list[str]) -> None:
    token = encode_page_token(query, place)

    assert read_or_violation(parse_page_token(query, token, parts=len(place))) == place
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)


def test_no_token_means_the_first_page() -> None:
    assert read_or_violation(parse_page_token("jobs", "", parts=1)) == ()


@given(place=PLACES)
def test_a_token_of_another_list_is_refused(place: list[str]) -> None:
    assert (
        read_or_violation(
            parse_page_token("others", encode_page_token("jobs", place), parts=len(place))
        )
        == INVALID_PAGE_TOKEN
    )


def test_a_token_of_another_kind_of_list_is_refused() -> None:
    assert (
        read_or_violation(parse_page_token("jobs", encode_page_token("jobs", ["a"]), parts=2))
        == INVALID_PAGE_TOKEN
    )


@given(
    token=st.text(min_size=1) | st.binary(min_size=1).map(lambda b: urlsafe_b64encode(b).decode())
)
def test_garbage_is_refused(token: str) -> None:
    assert read_or_violation(parse_page_token("jobs", token, parts=1)) == INVALID_PAGE_TOKEN


@given(place=PLACES, where=st.integers(min_value=0))
def test_a_token_with_one_bit_turned_is_refused(place: list[str], where: int) -> None:
    token = encode_page_token("jobs", place)
    whole = bytearray(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    whole[where % len(whole)] ^= 1
    damaged = urlsafe_b64encode(whole).decode().rstrip("=")

    assert (
        read_or_violation(parse_page_token("jobs", damaged, parts=len(place))) == INVALID_PAGE_TOKEN
    )
