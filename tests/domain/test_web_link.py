from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcsched.domain.checks import require_valid
from gcsched.domain.web_link import MAX_LENGTH, parse_link
from gcsched.errors import InvalidRequest

SHORT = "https://meet.example.org/"


def problem(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        require_valid(parse_link(text, "url"))
    [violation] = caught.value.violations
    assert violation.field == "url"
    return violation.problem


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://meet.example.org/j/42?pwd=a%20b#x", "https://meet.example.org/j/42?pwd=a%20b#x"),
        ("HTTPS://meet.example.org", "https://meet.example.org"),
        ("http://[2001:db8::1]:8080/", "http://[2001:db8::1]:8080/"),
        ("https://münchen.example/ü", "https://xn--mnchen-3ya.example/%C3%BC"),
        ("https://meet.example.org/a'b(c)", "https://meet.example.org/a'b(c)"),
        ("https://meet.example.org/\\", "https://meet.example.org/%5C"),
    ],
)
def test_a_link_is_returned_in_ascii(text: str, link: str) -> None:
    assert require_valid(parse_link(text, "url")) == link


@pytest.mark.parametrize(
    "text",
    [
        *("meet.example.org", "ftp://example.org", "javascript:alert(1)", "https://", "https:///x"),
        *("https://ada@example.org/", "https://example.org:0/", "https://example.org:65536/"),
        *("https://example.org:x/", "https://[::1/", "https://exa_mple.org/", "//example.org"),
    ],
)
def test_what_is_no_link_to_a_web_page_is_refused(text: str) -> None:
    assert problem(text).startswith("must be a link like https://")


@pytest.mark.parametrize("part", [" ", '"', "<", ">", "\n", "\r\nX:", "\x00", "\u2028", "\u202e"])
def test_what_could_end_a_line_or_an_attribute_is_refused(part: str) -> None:
    assert "without spaces" in problem(f"{SHORT}{part}")


def test_a_link_has_a_greatest_length_as_written_and_in_ascii() -> None:
    longest = SHORT + "a" * (MAX_LENGTH - len(SHORT))

    assert require_valid(parse_link(longest, "url")) == longest
    assert problem(longest + "a") == "must have at most 2000 characters, has 2001"
    assert problem(SHORT + "ü" * 400) == "must have at most 2000 characters in ASCII, has 2425"


@given(st.text(max_size=30))
def test_a_valid_link_is_printable_ascii_and_stays_as_it_is(rest: str) -> None:
    try:
        link = require_valid(parse_link(SHORT + rest, "url"))
    except InvalidRequest:
        return
    assert link.isascii()
    assert link.isprintable()
    assert not set(link) & set(' "<>\\')
    assert urlsplit(link).hostname == "meet.example.org"
    assert require_valid(parse_link(link, "url")) == link
