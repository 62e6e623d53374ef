"""Identifiers that look alike; oracle: the categories and names that unicodedata knows."""

import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from gcsched.domain.access import ANYONE
from gcsched.domain.checks import require_valid
from gcsched.domain.invisible_text import INVISIBLE, invisible_violations
from gcsched.domain.pause import parse_optional_by, parse_pause
from gcsched.domain.request import validate_request
from gcsched.errors import InvalidRequest, Violation
from tests.support.builders import DOC_ONLY, NOW, a_request

# Format characters that have a glyph: they enclose or precede numbers and verses.
PREPENDED = {*"\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2"}
PREPENDED |= {"\U000110bd", "\U000110cd"}
NEVER_SEEN = ("FILLER", "VARIATION SELECTOR", "GRAPHEME JOINER", "VOWEL INHERENT")


def all_characters() -> Iterator[str]:
    return map(chr, range(sys.maxunicode + 1))


def is_never_seen(character: str) -> bool:
    category, name = unicodedata.category(character), unicodedata.name(character, "")
    is_formatting = category == "Cf" and character not in PREPENDED
    is_other_space = category == "Zs" and character != " "
    is_filler = category in {"Mn", "Lo"} and any(word in name for word in NEVER_SEEN)
    return is_formatting or is_other_space or is_filler


def test_format_characters_spaces_and_fillers_of_unicode_are_refused() -> None:
    never_seen = filter(is_never_seen, all_characters())

    assert [ascii(each) for each in never_seen if not INVISIBLE.match(each)] == []


def test_letters_digits_and_signs_of_every_script_are_accepted() -> None:
    refused = {
        each
        for each in all_characters()
        if (unicodedata.category(each)[0] in "LNPS" or each == " ") and INVISIBLE.match(each)
    }

    # Fillers, the blank of Braille, the note head without a head, the object replacement.
    assert refused == {*"\u115f\u1160\u3164\uffa0\u2800\ufffc\U0001d159"}


@pytest.mark.parametrize("private", ["\ue000", "\U000f0000", "\u0378"])
def test_a_rule_does_not_change_with_the_version_of_unicode(private: str) -> None:
    assert list(invisible_violations("empid", f"EMP{private}")) == []


@pytest.mark.parametrize(
    ("character", "described"),
    [
        ("\u200b", "U+200B ZERO WIDTH SPACE"),
        ("\u200d", "U+200D ZERO WIDTH JOINER"),
        ("\u202e", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("\u00ad", "U+00AD SOFT HYPHEN"),
        ("\u2065", "U+2065"),
        ("\u3164", "U+3164 HANGUL FILLER"),
        ("\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
        ("\u00a0", "U+00A0 NO-BREAK SPACE"),
        ("\U000e0041", "U+E0041 TAG LATIN CAPITAL LETTER A"),
    ],
)
def test_an_employee_id_is_refused_with_the_character_its_place_and_what_to_do(
    character: str, described: str
) -> None:
    (violation,) = violations(empid=f"EMP{character}7")

    assert violation.field == "empid"
    assert violation.problem.startswith(f"must not contain {described} after 3 characters: ")
    assert violation.problem.endswith("remove it or use a plain space")
    assert violation.problem.isascii()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"empid": "EMP\ufffd"}, "empid"),
        ({"email": "EMP\ufffd@example.org"}, "emailID"),
        ({"reply_to": "EMP\ufffd@example.org"}, "reply_to"),
        ({"labels": {"EMP\ufffd": "x"}}, "labels"),
    ],
)
def test_a_replacement_character_in_an_identifier_is_refused(
    fields: dict[str, Any], field: str
) -> None:
    (violation,) = violations(**fields)

    assert violation.field == field
    assert violation.problem.startswith(
        "must not contain U+FFFD REPLACEMENT CHARACTER after 3 characters: "
    )
    assert violation.problem.endswith("send the original text as UTF-8")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"email": "a\u3164da@example.org"}, "emailID"),
        ({"reply_to": "ada\ufe00@example.org"}, "reply_to"),
        ({"labels": {"team\u200b": "x"}}, "labels"),
    ],
)
def test_every_other_identifier_of_a_request_has_the_same_rule(
    fields: dict[str, Any], field: str
) -> None:
    assert [each.field for each in violations(**fields)] == [field]


def test_names_and_subjects_and_values_may_join_an_emoji() -> None:
    emoji = "👩\u200d💻\ufe0f"

    request = a_request(name=emoji, message=emoji, labels={"mood": emoji})

    assert validate_request(request, now=NOW, context=DOC_ONLY, client=ANYONE) == request


def test_the_name_of_an_operator_cannot_look_like_another() -> None:
    with pytest.raises(InvalidRequest, match=r"by: must not contain U\+200B"):
        require_valid(parse_pause("ad\u200ba", "why", start_time=NOW))
    with pytest.raises(InvalidRequest, match=r"by: must not contain U\+200B"):
        require_valid(parse_optional_by("ad\u200ba"))


def violations(**others: Any) -> list[Violation]:
    with pytest.raises(InvalidRequest) as caught:
        validate_request(a_request(**others), now=NOW, context=DOC_ONLY, client=ANYONE)
    return caught.value.violations
