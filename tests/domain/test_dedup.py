from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.dedup import dedup_key
from tests.support.builders import NOON, a_request

TEXTS = st.text("ab:1é", max_size=3)


def test_the_key_never_changes() -> None:
    # SHA-256 over "v1", then each part with its length in front, made once with sha256sum.
    request = a_request(
        empid="E1", email="ada@example.org", message="Stand-up", timestamp=1_782_907_200
    )

    key = dedup_key(request, daily=None)

    assert key == "9654067e85db6d68329c151c45e50b52ca5bea197d1eb59a8f9f944ab2fd39ae"


def test_the_key_of_a_daily_job_never_changes() -> None:
    request = a_request(empid="E1", email="ada@example.org", message="Stand-up", timestamp=0)

    key = dedup_key(request, daily=date(2026, 7, 2))

    assert key == "547e450d2823dd436edb2c27635ae85d0a8b7a85e2e5ab49f546e112e1601e14"


def test_the_key_of_text_beyond_ascii_never_changes() -> None:
    request = a_request(
        empid="Ä", email="ada@bücher.example", message="Grüße 🎉", timestamp=1_672_531_200
    )

    key = dedup_key(request, daily=None)

    assert key == "4033f1732f0824b10719c24fc66e8ba33a8487f13a92d4b9be37e1b316b0007c"


@pytest.mark.parametrize(
    "other",
    [
        {"empid": "E2"},
        {"email": "bob@example.org"},
        {"message": "Lunch"},
        {"timestamp": NOON + 1},
    ],
    ids=["employee", "address", "text", "second"],
)
def test_another_request_has_another_key(other: dict[str, str | int]) -> None:
    key = dedup_key(a_request(**other), daily=None)

    assert key != dedup_key(a_request(), daily=None)


def test_the_name_is_not_part_of_the_key() -> None:
    key = dedup_key(a_request(name="Ada Lovelace"), daily=None)

    assert key == dedup_key(a_request(name="Ada"), daily=None)


def test_tomorrows_daily_reminder_is_a_new_job() -> None:
    today = dedup_key(a_request(timestamp=0), daily=date(2026, 7, 1))

    tomorrow = dedup_key(a_request(timestamp=0), daily=date(2026, 7, 2))

    assert tomorrow != today


@given(
    one=st.tuples(TEXTS, TEXTS, TEXTS, st.integers(0, 2)),
    other=st.tuples(TEXTS, TEXTS, TEXTS, st.integers(0, 2)),
)
@settings(deadline=None, max_examples=50)
def test_two_requests_share_a_key_only_if_they_are_the_same(
    one: tuple[str, str, str, int], other: tuple[str, str, str, int]
) -> None:
    names = ("empid", "email", "message", "timestamp")

    keys = {
        dedup_key(a_request(**dict(zip(names, content, strict=True))), daily=None)
        for content in (one, other)
    }

    assert len(keys) == len({one, other})


@given(empid=TEXTS, email=TEXTS)
@settings(deadline=None, max_examples=50)
def test_moving_text_between_fields_changes_the_key(empid: str, email: str) -> None:
    key = dedup_key(a_request(empid=empid + "x", email=email), daily=None)

    assert key != dedup_key(a_request(empid=empid, email="x" + email), daily=None)
