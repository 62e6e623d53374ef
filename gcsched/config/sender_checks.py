"""What may stand in the From header of every mail; what may not is said with its place."""

import unicodedata

import idna

from gcsched.domain.invalid_setting import InvalidSetting

DIRECTION_CHANGES = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Changes of direction, of Unicode's annex 9: they turn around what follows the name."""

ZERO_WIDTH = frozenset("\u00ad\u180e\u200b\u2060\u2061\u2062\u2063\u2064\ufeff")
"""What nobody sees, so that two names look alike; joiners are not among them: scripts need them."""

PLANE_SIZE = 0x10000  # the last two code points of each are noncharacters

INVALID_CATEGORIES = {
    "Cc": "a control character",
    "Cs": "no character but a half of one: the text is not UTF-8",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
"""Unicode's general categories that no header shows as its writer meant it."""


def validate_sender_name(name: object) -> object:
    """Return *name*; raise Contradiction with the first character that no mail can show."""
    if not isinstance(name, str):
        return name
    for place, character in enumerate(name, start=1):
        problem = INVALID_CATEGORIES.get(unicodedata.category(character))
        if unicodedata.bidirectional(character) in DIRECTION_CHANGES:
            problem = "a change of direction"
        elif character in ZERO_WIDTH:
            problem = "invisible"
        elif is_noncharacter(character):
            problem = "no character in any version of Unicode"
        if problem is not None:
            raise InvalidSetting(
                f"holds {format_character(character)} as character {place}, which is {problem}: "
                "give the name without it"
            )
    return name


def is_noncharacter(character: str) -> bool:
    """Return whether Unicode assigns *character* to nothing for ever (its section 23.7).

    What Python's tables do not know yet may be a character of a newer version, such as an emoji.
    """
    return "\ufdd0" <= character <= "\ufdef" or ord(character) % PLANE_SIZE >= PLANE_SIZE - 2


def encode_sender_address(address: str) -> str:
    """Return *address*, which is valid, with its domain as A-labels (RFC 5890).

    Raises Contradiction: its local part has no other form, so every relay would have to offer
    SMTPUTF8, and every mail could fail for its sender.
    """
    local, _, domain = address.rpartition("@")
    for place, character in enumerate(local, start=1):
        if not character.isascii():
            raise InvalidSetting(
                f"is {address}, with {format_character(character)} as character {place}: before the @ a "
                "sender can have ASCII characters only, give an address that does"
            )
    if domain.isascii():
        return address
    return f"{local}@{idna.encode(domain, uts46=True).decode()}"


def format_character(character: str) -> str:
    """Write *character* so that it can be found: its code point, and its name if it has one."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} ({name})" if name else f"U+{ord(character):04X}"
