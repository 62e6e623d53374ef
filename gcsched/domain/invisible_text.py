"""Refuses invisible and replacement characters in texts that identify something. Pure.

Names, subjects and the values of variables and labels are not identifiers: U+200D may join an emoji
in them.
"""

import re
import unicodedata

from gcsched.domain.checks import Checked
from gcsched.errors import Violation

# Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties.txt (14.0), unassigned ones
# included: Unicode promises that an ignorable code point stays ignorable.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Every space but U+0020 (category Zs), and the blank of Braille.
SPACE_LIKE = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u2800"
# Without a glyph, though Unicode does not call them ignorable: annotations and the
# object replacement, joiners and fillers of scripts, the null note head.
WITHOUT_A_GLYPH = "\u2d7f\ufff9-\ufffc\U00013430-\U0001343f\U00016fe4\U0001d159"
# Private-use and unassigned characters are allowed. Most fonts show them as a box, and a later
# Unicode may assign them: the version of Python would decide whether an id is valid.
INVISIBLE = re.compile(f"[{IGNORABLE}{SPACE_LIKE}{WITHOUT_A_GLYPH}]")


def invisible_violations(field: str, text: str) -> Checked[None]:
    """Report the first character of each kind that makes two identifiers look alike."""
    if text.isascii():
        return
    if found := INVISIBLE.search(text):
        yield Violation(
            field,
            f"must not contain {describe_character(found[0])} {INVISIBLE_PROBLEM % found.start()}",
        )
    if (place := text.find(REPLACEMENT)) >= 0:
        yield Violation(
            field,
            f"must not contain {describe_character(REPLACEMENT)} {REPLACEMENT_PROBLEM % place}",
        )


INVISIBLE_PROBLEM = (
    "after %d characters: it is invisible or looks like a space, so that two different values"
    " would look alike; remove it or use a plain space"
)
REPLACEMENT = "\ufffd"
REPLACEMENT_PROBLEM = (
    "after %d characters: it replaces a character that a program could not decode, so that two"
    " different values would look alike; send the original text as UTF-8"
)


def describe_character(character: str) -> str:
    """Return the code point and the name of *character*, as Unicode's charts have them."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()
