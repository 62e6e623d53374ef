"""Quotes text of callers and relays safely, so that it cannot pass for our own. Pure."""

MAX_LENGTH = 256  # characters; a text that an older version or a person stored may be longer


def format_line(text: str) -> str:
    """Return *text* in one line of at most MAX_LENGTH characters, unprintable ones escaped."""
    cut = text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(each if each.isprintable() else escape_character(each) for each in cut)


def quote(text: str) -> str:
    """Return `format_line` of *text* in quotes; quotes within are escaped."""
    escaped = text.replace(BACKSLASH, BACKSLASH * 2).replace(QUOTE, BACKSLASH + QUOTE)
    return f'"{format_line(escaped)}"'


def replace_unprintable(text: str) -> str:
    """Return *text* with ? for characters that could move a cursor or break a line of a log."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text)


def escape_character(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


BACKSLASH, QUOTE = "\\", '"'
