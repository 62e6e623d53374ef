"""Checks of the name and address in the From header of every mail."""

import unicodedata

import idna

from gcsched.domain.invalid_setting import InvalidSetting

DIRECTION_CHANGES = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""The bidirectional controls of Unicode's annex 9: they reverse the text after the name."""

ZERO_WIDTH = frozenset("\u00ad\u180e\u200b\u2060\u2061\u2062\u2063\u2064\ufeff")
"""Invisible characters, which make two names look alike; not joiners, which scripts need."""

PLANE_SIZE = 0x10000  # the last two code points of each are noncharacters

INVALID_CATEGORIES = {
    "Cc": "a control character",
    "Cs": "a lone surrogate: the text is not UTF-8",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
"""Unicode's general categories that no header can show."""


def validate_sender_name(name: object) -> object:
    """Return *name*. Raises InvalidSetting with the first character that no mail can show."""
    if not isinstance(name, str):
        return name
    for place, character in enumerate(name, start=1):
        problem = INVALID_CATEGORIES.get(unicodedata.category(character))
        if unicodedata.bidirectional(character) in DIRECTION_CHANGES:
            problem = "a bidirectional control"
        elif character in ZERO_WIDTH:
            problem = "invisible"
        elif is_noncharacter(character):
            problem = "not a character in any version of Unicode"
        if problem is not None:
            raise InvalidSetting(
                f"holds {format_character(character)} as character {place}, which is {problem}: "
                "give the name without it"
            )
    return name


def is_noncharacter(character: str) -> bool:
    """Return whether *character* is a noncharacter (Unicode, section 23.7).

    An unassigned code point may be a character of a newer version, such as an emoji.
    """
    return "\ufdd0" <= character <= "\ufdef" or ord(character) % PLANE_SIZE >= PLANE_SIZE - 2


def encode_sender_address(address: str) -> str:
    """Return *address*, which is valid, with its domain as A-labels (RFC 5890).

    Raises InvalidSetting if its local part is not ASCII: that has no ASCII form, so every mail
    would need a relay with SMTPUTF8.
    """
    local, _, domain = address.rpartition("@")
    for place, character in enumerate(local, start=1):
        if not character.isascii():
            raise InvalidSetting(
                f"is {address}, with {format_character(character)} as character {place}: give an "
                "address with only ASCII characters before the @"
            )
    if domain.isascii():
        return address
    return f"{local}@{idna.encode(domain, uts46=True).decode()}"


def format_character(character: str) -> str:
    """Return the code point of *character*, and its name if it has one."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} ({name})" if name else f"U+{ord(character):04X}"
