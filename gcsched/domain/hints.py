"""Read out of a relay's words how long it wants to be left alone. Pure.

    hint     = cue {filler} (duration | clock)                  try again in 5 minutes
             | duration ("before" | "until" | …) … retry        5 minutes before you retry
    duration = number unit {"," | "and" | " " number unit}      90s, 1 hour 30 min, 1h30m
    clock    = hours ":" minutes ":" seconds                    00:05:00, not after "after"

A time without a cue is a limit ("500 mails in 1 hour"), a term ("expires in 3 days") or the past,
and after "within" it is a term as well. A lone letter is a unit only here: "451 s" has no cue.
"""

import re
from datetime import timedelta

LONGEST_HINT = timedelta(hours=4)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_NUMBER = r"[0-9]{1,5}(?:\.[0-9]{1,3})?"
_UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[smhd])"
_AND = r"(?:,\s?|\sand\s|\s?)"  # one way to read each: what follows may fail
# What follows the first number may touch the unit before it: 1h30m.
_MORE = rf"(?:{_AND}[0-9]{{1,5}}(?:\.[0-9]{{1,3}})?\s?{_UNIT}(?![a-zA-Z])){{0,3}}"
_DURATION = rf"({_NUMBER}\s*{_UNIT}(?:(?![a-zA-Z])|(?=[0-9])){_MORE})(?!\s+ago\b)"
_CLOCK = r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])(?![\w:.])"

# What is to be done then, so "in" follows: "retry for 3 days" is how long others will try.
_TO_DO = r"(?:re)?try(?:ing)?|again|back|re-?send|reconnect|return"
# What lasts so long, so "for" follows.
_LASTING = (
    r"wait(?:ing)?|delay(?:ed)?|defer(?:red)?|gr[ae]y ?-?list(?:ed|ing)?|throttled|slow down"
    r"|back ?-?off|blocked|suspended|paused|unavailable|busy"
)
_BETWEEN = (
    r"(?:[\s,:(-]{1,3}(?:please|again|later|delivery|sending|this|the|your|e?mail|message|it|and"
    r"|then|in (?:action|effect))\b){0,4}[\s,:(-]{1,3}"
)
_RANGE = r"(?:[0-9]{1,5}(?:\s?-\s?|\sto\s))?"  # 5-10 minutes are ten
_ABOUT = r"(?:(?:at least|another|about|around|approximately|up to|the next|only)\s)?"


def _cued(time: str, *, leads: str) -> re.Pattern[str]:
    to_do = rf"\b(?:{_TO_DO})\b{_BETWEEN}(?:{leads})\s"
    lasting = rf"\b(?:{_LASTING})\b{_BETWEEN}(?:for|{leads})\s"
    waiting = rf"\bwait\b{_BETWEEN}"
    cue = f"(?:{to_do}|{lasting}|{waiting})"
    return re.compile(f"{cue}{_ABOUT}{_RANGE}{time}", re.IGNORECASE | re.ASCII)


BEFORE_TIME = _cued(_DURATION, leads="in|after")
BEFORE_CLOCK = _cued(_CLOCK, leads="in")
AFTER_TIME = re.compile(
    rf"(?<![\w.,:/-]){_DURATION}\s(?:before|until|till|and|then)\s(?:\w{{1,12}}\s){{0,3}}"
    r"(?:re-?)?(?:try|send)(?:ing)?\b",
    re.IGNORECASE | re.ASCII,
)
PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])", re.IGNORECASE | re.ASCII)


def hinted_wait(text: str) -> timedelta | None:
    """Read "try again in 300 seconds" out of a reply; at most four hours are believed."""
    if (clock := BEFORE_CLOCK.search(text)) is not None:
        hours, minutes, seconds = map(int, clock.groups())
        return believed(3600 * hours + 60 * minutes + seconds)
    found = BEFORE_TIME.search(text) or AFTER_TIME.search(text)
    if found is None:
        return None
    parts = PART.findall(found[1])
    return believed(sum(float(number) * SECONDS[unit.lower()] for number, unit in parts))


def believed(seconds: float) -> timedelta | None:
    return min(timedelta(seconds=seconds), LONGEST_HINT) or None
