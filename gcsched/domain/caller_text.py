"""Show the words of callers and relays so that they do no harm and are not taken for ours. Pure."""

MAX_LENGTH = 256  # characters; what an older version or a hand has stored may be longer


def format_line(text: str) -> str:
    """Return *text* in one line of at most LONGEST characters, what is not printable escaped."""
    cut = text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(each if each.isprintable() else escape_character(each) for each in cut)


def quote(text: str) -> str:
    """Return `format_line` of *text* in quotes; a quote within is escaped, so that none can end it."""
    return (
        f'"{format_line(text.replace(BACKSLASH, BACKSLASH * 2).replace(QUOTE, BACKSLASH + QUOTE))}"'
    )


def replace_unprintable(text: str) -> str:
    """Return *text* with ? for what could move a terminal's cursor or break a line of a log."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "?" for each in text)


def escape_character(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


BACKSLASH, QUOTE = "\\", '"'
