"""The optional fields of a request."""

import sys
import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from gcsched.domain.access import ANYONE
from gcsched.domain.job import Priority
from gcsched.domain.request import MeetRequest, validate_request
from gcsched.domain.validation import MAX_VIOLATIONS, has_controls
from gcsched.errors import InvalidRequest, Violation
from tests.support.builders import DOC_ONLY, NOON, NOW, a_request

CONTEXT = replace(DOC_ONLY, templates={"doc": (), "interview": ("room", "link")})
NEXT_DAILY = 1_782_979_200  # 2026-07-02, ten o'clock in Berlin
TEN_YEARS = 3653 * 86_400


def validate(**others: Any) -> MeetRequest:
    return validate_request(a_request(**others), now=NOW, context=CONTEXT, client=ANYONE)


def violations(**others: Any) -> list[Violation]:
    with pytest.raises(InvalidRequest) as caught:
        validate(**others)
    return caught.value.violations


@pytest.mark.parametrize(
    "good",
    [
        {"request_id": "x"},
        {"request_id": " ~" * 64},
        {"template": "interview", "variables": {"room": "", "link": "https://example.org/{{ 7 }}"}},
        {"variables": {f"v_{number}": "" for number in range(50)}},
        {"variables": {"v": "é" * 8191 + "x"}},
        {"variables": {"v": "one\r\n\ttwo"}},
        {"not_after": NOON},
        {"not_after": NOON + TEN_YEARS},
        {"timestamp": 1, "not_after": NOON},
        {"timestamp": 0, "not_after": NEXT_DAILY},
        {"reply_to": "bob@example.org"},
        {"labels": {f"{number}": "" for number in range(20)}},
        {"labels": {"é" * 63: "$" * 63, "a.b/c": "d"}},
        {"priority": Priority.URGENT},
    ],
    ids=str,
)
def test_a_request_within_its_limits_is_returned_unchanged(good: dict[str, Any]) -> None:
    assert validate(**good) == a_request(**good)


def test_a_reply_address_is_normalised_like_any_other() -> None:
    assert validate(reply_to="Bob@EXAMPLE.org").reply_to == "Bob@example.org"


@pytest.mark.parametrize(
    ("bad", "field", "expected"),
    [
        ({"request_id": "x" * 129}, "request_id", "1 to 128 characters, has 129"),
        ({"request_id": "é"}, "request_id", "printable ASCII"),
        ({"request_id": "a\n"}, "request_id", "printable ASCII"),
        ({"template": "lost"}, "template", "one of doc, interview"),
        ({"template": "../doc"}, "template", "one of doc, interview"),
        ({"variables": {f"v{n}": "" for n in range(51)}}, "variables", "50 at most, are 51"),
        ({"variables": {"v": "x" * 16_384}}, "variables", "16384 bytes together, have 16385"),
        ({"variables": {"a-b": ""}}, "variables", "'a-b' has others"),
        ({"variables": {"": ""}}, "variables", "'' has others"),
        ({"variables": {"ä": ""}}, "variables", "'ä' has others"),
        (
            {"variables": {"username": "Eve"}},
            "variables",
            "'username': every mail has that variable",
        ),
        ({"variables": {"v": "a\x00"}}, "variables", "control characters"),
        ({"not_after": -1}, "not_after", "must not be negative"),
        ({"not_after": NOON * 1000}, "not_after", "milliseconds"),
        (
            {"not_after": NOON - 1},
            "not_after",
            f"schedule time, {NOON} (2026-07-01T12:00:00+00:00)",
        ),
        ({"timestamp": 1, "not_after": 2}, "not_after", f"schedule time, {NOON}"),
        (
            {"timestamp": 0, "not_after": NEXT_DAILY - 1},
            "not_after",
            f"schedule time, {NEXT_DAILY}",
        ),
        ({"not_after": NOON + TEN_YEARS + 1}, "not_after", "ten years"),
        ({"reply_to": "nobody"}, "reply_to", "must be one e-mail address"),
        ({"reply_to": "a@example.org, b@example.org"}, "reply_to", "must be one e-mail address"),
        ({"reply_to": "a@example.org\r\nBcc: b@example.org"}, "reply_to", "must be one e-mail"),
        ({"labels": {f"{n}": "" for n in range(21)}}, "labels", "20 at most, are 21"),
        ({"labels": {"": "x"}}, "labels", "keys of 1 to 63"),
        ({"labels": {"x" * 64: ""}}, "labels", "has 64 and 0"),
        ({"labels": {"x": "y" * 64}}, "labels", "has 1 and 64"),
        ({"labels": {"x": "\n"}}, "labels", "control characters"),
        ({"priority": None}, "priority", "NORMAL (0) or URGENT (1)"),
    ],
)
def test_a_value_beyond_its_limits_is_refused_with_the_limits(
    bad: dict[str, Any], field: str, expected: str
) -> None:
    [violation] = violations(**bad)

    assert violation.field == field
    assert expected in violation.problem


def test_each_missing_variable_of_the_template_is_named() -> None:
    problems = violations(template="interview", variables={"city": "Bonn"})

    assert [each.field for each in problems] == ["variables", "variables"]
    assert "'link'" in problems[0].problem
    assert "'room'" in problems[1].problem


def test_all_violations_are_reported_at_once() -> None:
    problems = violations(
        empid="",
        request_id="\n",
        template="lost",
        variables={"username": ""},
        not_after=-1,
        reply_to="x",
        labels={"": ""},
        priority=None,
    )

    assert [each.field for each in problems] == [
        *("empid", "request_id", "template", "variables"),
        *("not_after", "reply_to", "labels", "priority"),
    ]


def test_an_invalid_timestamp_causes_no_further_violations() -> None:
    assert [each.field for each in violations(timestamp=-1, not_after=1)] == ["timestamp"]


def test_of_thousands_of_violations_the_first_are_reported() -> None:
    names = {f"-{number}": "\x00" for number in range(5_800)}

    problems = violations(variables=names, labels=names)

    assert [each.field for each in problems].count("variables") == 1 + MAX_VIOLATIONS + 1
    assert [each.field for each in problems].count("labels") == 1 + MAX_VIOLATIONS + 1
    assert "50 at most, are 5800" in problems[0].problem
    assert "correct the reported ones first" in problems[-1].problem


def test_control_characters_are_those_of_four_categories() -> None:
    forbidden = {"Cc", "Cs", "Zl", "Zp"}
    found = {chr(code) for code in range(sys.maxunicode + 1) if has_controls(chr(code))}

    assert found == {
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in forbidden
    }
