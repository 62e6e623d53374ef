import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gcsched.domain.access import ANYONE
from gcsched.domain.request import MeetRequest, validate_request
from gcsched.errors import InvalidRequest, Violation
from tests.support.builders import DOC_ONLY, NOON, NOW, a_request

LAST_SECOND_OF_9999 = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
TEN_YEARS = NOON + 3653 * 86_400
LINE_BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]
CONTROLS = ["\x00", "\t", "\x1b", "\x7f", "\x9f", *LINE_BREAKS]


def validate(**others: Any) -> MeetRequest:
    return validate_request(a_request(**others), now=NOW, context=DOC_ONLY, client=ANYONE)


def violations(**others: Any) -> list[Violation]:
    with pytest.raises(InvalidRequest) as caught:
        validate(**others)
    return caught.value.violations


def test_a_valid_request_is_returned_unchanged() -> None:
    assert validate() == a_request()


def test_a_request_has_a_time_or_means_the_daily_run() -> None:
    request = a_request(timestamp=1_672_531_200)

    assert request.requested_time == datetime(2023, 1, 1, tzinfo=UTC)
    assert not request.is_daily
    assert a_request(timestamp=0).is_daily


def test_every_violation_is_reported_at_once_by_the_names_of_the_contract() -> None:
    problems = violations(empid="", email="nobody", message=" ", name="x" * 257, timestamp=-1)

    assert [violation.field for violation in problems] == [
        "empid",
        "emailID",
        "message",
        "empName",
        "timestamp",
    ]


def test_the_error_is_one_readable_line() -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate(empid="", timestamp=-1)

    assert str(caught.value) == (
        "empid: must have 1 to 128 characters, has 0; "
        "timestamp: must not be negative; 0 means the next daily run"
    )


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("empid", "x"),
        ("empid", "é" * 128),
        ("message", "x"),
        ("message", "🎉" * 998),
        ("name", ""),
        ("name", "x" * 256),
    ],
)
def test_a_text_may_be_as_short_or_long_as_its_limits(field: str, text: str) -> None:
    request = validate(**{field: text})

    assert getattr(request, field) == text


@pytest.mark.parametrize(
    ("field", "text", "violation"),
    [
        ("empid", "", Violation("empid", "must have 1 to 128 characters, has 0")),
        ("empid", "x" * 129, Violation("empid", "must have 1 to 128 characters, has 129")),
        ("message", "", Violation("message", "must have 1 to 998 characters, has 0")),
        ("message", " \n ", Violation("message", "must have 1 to 998 characters, has 0")),
        ("message", "x" * 999, Violation("message", "must have 1 to 998 characters, has 999")),
        ("name", "x" * 257, Violation("empName", "must have 0 to 256 characters, has 257")),
        ("email", "", Violation("emailID", "must have 1 to 254 characters, has 0")),
        ("email", "x" * 255, Violation("emailID", "must have 1 to 254 characters, has 255")),
    ],
)
def test_a_text_beyond_its_limits_is_refused_with_the_limits(
    field: str, text: str, violation: Violation
) -> None:
    assert violations(**{field: text}) == [violation]


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
@pytest.mark.parametrize(
    ("field", "name"), [("empid", "empid"), ("message", "message"), ("name", "empName")]
)
def test_control_characters_and_line_breaks_are_refused_anywhere(
    field: str, name: str, control: str
) -> None:
    problems = violations(**{field: f"a{control}Bcc: all@example.org"})

    assert problems == [Violation(name, "must not contain line breaks or other control characters")]


def test_a_text_can_be_too_long_and_have_control_characters_too() -> None:
    problems = violations(empid="\n" * 129)

    assert [violation.field for violation in problems] == ["empid", "empid"]


def test_space_around_the_message_is_trimmed_before_it_is_counted() -> None:
    request = validate(message=" \t" + "x" * 998 + "\r\n")

    assert request.message == "x" * 998


def test_text_of_every_script_is_accepted() -> None:
    request = validate(
        empid="社員-1", message="Grüße · שלום · 👩‍💻 · a\u00a0b", name="Ðóra O'Neill"
    )

    assert request.message == "Grüße · שלום · 👩‍💻 · a\u00a0b"
    assert request.name == "Ðóra O'Neill"


@pytest.mark.parametrize(
    ("email", "normalised"),
    [
        ("Ada@Example.ORG", "Ada@example.org"),
        ("ada+tag@example.org", "ada+tag@example.org"),
        ("o'neill@example.org", "o'neill@example.org"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example"),
        ("ада@почта.example", "ада@почта.example"),
        ("x" * 64 + "@example.org", "x" * 64 + "@example.org"),
        ("ada@company.test", "ada@company.test"),
        ('"ada  lovelace"@example.org', '"ada  lovelace"@example.org'),
        ('"ada"@example.org', "ada@example.org"),
    ],
)
def test_an_address_is_taken_with_its_domain_normalised(email: str, normalised: str) -> None:
    request = validate(email=email)

    assert request.email == normalised


@pytest.mark.parametrize(
    "email",
    [
        "ada",
        "ada@",
        "@example.org",
        "ada@localhost",
        "ada@@example.org",
        "ada@example..org",
        ".ada@example.org",
        "ada@example.org, bob@example.org",
        "ada@example.org,bob@example.org",
        "Ada <ada@example.org>",
        "ada@example.org\r\nBcc: bob@example.org",
        "ada@example.org\n",
        " ada@example.org",
        '"ada" lovelace@example.org',
        "ada@[127.0.0.1]",
        "x" * 65 + "@example.org",
        "ada\x00@example.org",
        "ada\u2028@example.org",
    ],
    ids=ascii,
)
def test_anything_but_one_address_is_refused(email: str) -> None:
    (violation,) = violations(email=email)

    assert violation.field == "emailID"
    assert violation.problem.startswith("must be one e-mail address such as ada@example.org: ")


@pytest.mark.parametrize("timestamp", [0, 1, 1_672_531_200, NOON, NOON + 1, TEN_YEARS])
def test_a_time_from_the_past_to_ten_years_ahead_is_taken(timestamp: int) -> None:
    request = validate(timestamp=timestamp)

    assert request.timestamp == timestamp


FAR = "must not be more than ten years ahead"
NEGATIVE = "must not be negative; 0 means the next daily run"


@pytest.mark.parametrize(
    ("timestamp", "problem"),
    [
        (-1, NEGATIVE),
        (-(2**63), NEGATIVE),
        (TEN_YEARS + 1, FAR),
        (99_999_999_999, FAR),
        (LAST_SECOND_OF_9999, FAR),
        (
            LAST_SECOND_OF_9999 + 1,
            (
                "must be in Unix seconds; 253402300800 looks like milliseconds,"
                " 253402300 would be in seconds"
            ),
        ),
        (
            1_782_907_200_123,
            (
                "must be in Unix seconds; 1782907200123 looks like milliseconds,"
                " 1782907200 would be in seconds"
            ),
        ),
        (1_782_907_200_123_456, FAR),
        (2**63 - 1, FAR),
    ],
)
def test_any_other_time_is_refused_with_the_reason(timestamp: int, problem: str) -> None:
    assert violations(timestamp=timestamp) == [Violation("timestamp", problem)]


def test_ten_years_are_counted_from_the_present() -> None:
    request = a_request(timestamp=TEN_YEARS + 86_400)

    assert (
        validate_request(request, now=NOW + timedelta(days=1), context=DOC_ONLY, client=ANYONE)
        == request
    )


@given(
    raw=st.builds(
        MeetRequest,
        empid=st.text(max_size=140),
        email=st.one_of(st.emails(), st.text(max_size=40), st.text(max_size=40).map("a@{}".format)),
        message=st.text(max_size=40),
        name=st.text(max_size=40),
        timestamp=st.integers(-(2**63), 2**63 - 1) | st.integers(0, NOON),
    )
)
@settings(deadline=None, max_examples=200)
def test_any_request_is_normalised_or_refused(raw: MeetRequest) -> None:
    try:
        request = validate_request(raw, now=NOW, context=DOC_ONLY, client=ANYONE)
    except InvalidRequest:
        return

    texts = request.empid + request.email + request.message + request.name
    assert not {unicodedata.category(character) for character in texts} & {"Cc", "Zl", "Zp"}
    assert validate_request(request, now=NOW, context=DOC_ONLY, client=ANYONE) == request
