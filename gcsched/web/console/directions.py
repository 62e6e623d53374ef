"""Keeps text that runs from right to left, or pretends to, within its element. Pure."""

OPENING = frozenset("\u2066\u2067\u2068")
CLOSING = "\u2069"


def isolate(value: object) -> str:
    """Return *value* with its isolates closed, and without ends of isolates that it has not begun.

    Otherwise the end of the element would end an isolate of the text, or the text would end that of
    its element; what follows would then run in a direction that others chose.
    """
    text = str(value)
    if text.isascii():
        return text
    kept, depth = list[str](), 0
    for character in text:
        depth += character in OPENING
        if character == CLOSING:
            if not depth:
                continue
            depth -= 1
        kept.append(character)
    return "".join(kept) + CLOSING * depth
