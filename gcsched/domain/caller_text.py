"""Show a caller's words as theirs, so that they cannot be taken for the service's own. Pure."""

LONGEST = 256  # characters; what an older version or a hand has stored may be longer


def one_line(text: str) -> str:
    """Return *text* in one line of at most LONGEST characters, what is not printable escaped."""
    cut = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(each if each.isprintable() else escaped(each) for each in cut)


def quoted(text: str) -> str:
    """Return `one_line` of *text* in quotes; a quote within is escaped, so that none can end it."""
    return f'"{one_line(text.replace(BACKSLASH, BACKSLASH * 2).replace(QUOTE, BACKSLASH + QUOTE))}"'


def escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


BACKSLASH, QUOTE = "\\", '"'
