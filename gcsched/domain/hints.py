"""Read out of a relay's words how long it wants to be left alone. Pure.

    hint     = lead duration | lead clock | duration-in-words
    lead     = ("in" | "after" | "for" | "wait" | "within") ["at least" | "about" | "another" …]
    duration = number unit {"," | "and" | " " number unit}      90s, 5 minutes, 1 hour 30 min, 1h30m
    clock    = hours ":" minutes ":" seconds                    00:05:00, not after "after"

A unit may be a lone letter only behind a lead: "code 451 s" and "queue id 12345 h" say nothing.
"""

import re
from datetime import timedelta

LONGEST_HINT = timedelta(hours=4)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_NUMBER = r"(?<![\w.,:/-])[0-9]{1,5}(?:\.[0-9]{1,3})?"
_WORD = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?)"
_LETTER = r"[smhd]"
_LEAD = (
    r"\b(?:in|for|wait|within|after)\s+"
    r"(?:(?:at\s+least|another|about|around|approximately|up\s+to|the\s+next)\s+)?"
)
_AND = r"(?:\s*(?:,|and)?\s*)"


def _durations(unit: str) -> str:
    # What follows the first number may touch the unit before it: 1h30m.
    more = rf"(?:{_AND}[0-9]{{1,5}}(?:\.[0-9]{{1,3}})?\s?{unit}(?![a-zA-Z]))*"
    return rf"{_NUMBER}\s*{unit}(?:(?![a-zA-Z])|(?=[0-9])){more}"


AFTER_LEAD = re.compile(
    rf"{_LEAD}({_durations(f'(?:{_WORD}|{_LETTER})')})", re.IGNORECASE | re.ASCII
)
IN_WORDS = re.compile(rf"({_durations(_WORD)})(?!\s+ago\b)", re.IGNORECASE | re.ASCII)
CLOCK = re.compile(
    r"\b(?:in|for|wait|within)\s+([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])(?![\w:.])",
    re.IGNORECASE | re.ASCII,
)
PART = re.compile(rf"([0-9]+(?:\.[0-9]+)?)\s*({_LETTER})", re.IGNORECASE | re.ASCII)


def hinted_wait(text: str) -> timedelta | None:
    """Read "try again in 300 seconds" out of a reply; at most four hours are believed."""
    if (clock := CLOCK.search(text)) is not None:
        hours, minutes, seconds = map(int, clock.groups())
        return believed(3600 * hours + 60 * minutes + seconds)
    found = AFTER_LEAD.search(text) or IN_WORDS.search(text)
    if found is None:
        return None
    parts = PART.findall(found[1])
    return believed(sum(float(number) * SECONDS[unit.lower()] for number, unit in parts))


def believed(seconds: float) -> timedelta | None:
    return min(timedelta(seconds=seconds), LONGEST_HINT) or None
