import pytest

from gcsched.domain.caller_text import LONGEST, one_line, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the relay moves", "the relay moves"),
        ("a\nb\x1b[31m\x9b", r"a\nb\x1b[31m\x9b"),
        ("a\u202eb\u200bc\u2028d", r"a\u202eb\u200bc\u2028d"),
        ("Grüße, 山田", "Grüße, 山田"),
        ("", ""),
    ],
)
def test_what_cannot_be_printed_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_what_is_too_long_is_cut() -> None:
    assert one_line("x" * LONGEST) == "x" * LONGEST
    assert one_line("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"


def test_no_quote_within_ends_the_quotation() -> None:
    assert quoted('ops" since noon: "all fine\\') == r'"ops\" since noon: \"all fine\\"'
