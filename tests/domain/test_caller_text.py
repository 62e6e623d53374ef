import pytest

from gcsched.domain.caller_text import MAX_LENGTH, format_line, quote


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
def test_unprintable_characters_are_escaped(text: str, shown: str) -> None:
    assert format_line(text) == shown


def test_a_long_text_is_cut() -> None:
    assert format_line("x" * MAX_LENGTH) == "x" * MAX_LENGTH
    assert format_line("x" * (MAX_LENGTH + 1)) == "x" * (MAX_LENGTH - 1) + "…"


def test_a_quote_within_does_not_end_the_quotation() -> None:
    assert quote('ops" since noon: "all fine\\') == r'"ops\" since noon: \"all fine\\"'
