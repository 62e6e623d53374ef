"""Parses how long a relay asks us to wait before the next attempt. Pure.

    hint     = cue {filler} (duration | clock)                  try again in 5 minutes
             | holding ["of"] duration                          greylisted 5 minutes
             | duration ("before" | "until" | …) … retry        5 minutes before you retry
             | ("in" | "after") duration … retry                in 5 minutes, try again
    duration = number unit {"," | "and" | " " number unit}      90s, 1 hour 30 min, 1h30m
    clock    = hours ":" minutes ":" seconds                    00:05:00, not after "after"

A time without a cue is a limit ("500 mails in 1 hour"), a term ("expires in 3 days") or in the
past. A time after "retry within" is a term as well, and so is a person's absence. A single letter
is a unit only after a cue: "451 s" has none.
"""

import re
from datetime import timedelta

MAX_HINT = timedelta(hours=4)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_NUMBER = r"[0-9]{1,5}(?:\.[0-9]{1,3})?"
_UNIT = r"(?:seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|[smhd])"
_AND = r"(?:,\s?|\sand\s|\s?)"  # unambiguous, so that a failed match does not backtrack
# A further number may follow a unit without a space: 1h30m.
_MORE = rf"(?:{_AND}[0-9]{{1,5}}(?:\.[0-9]{{1,3}})?\s?{_UNIT}(?![a-zA-Z])){{0,3}}"
_DURATION = rf"({_NUMBER}\s*{_UNIT}(?:(?![a-zA-Z])|(?=[0-9])){_MORE})(?!\s+ago\b)"
_CLOCK = r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])(?![\w:.])"

# An action, so "in" follows: "retry for 3 days" is how long other servers will try.
_TO_DO = r"(?:re)?try(?:ing)?|again|back|re-?send|reconnect|return|(?<!no )attempt"
# A lasting state, so "for" or the time itself follows; after "was" it is over.
_WAS = r"(?<!\bwas )(?<!\bwere )(?<!\bbeen )"
_HOLDING = rf"gr[ae]y ?-?list(?:ed|ing)?|throttled|{_WAS}(?:delay(?:ed)?|defer(?:red)?)"
_LASTING = (
    rf"wait(?:ing)?|{_HOLDING}|slow down"
    r"|back ?-?off|blocked|suspended|paused|unavailable|busy"
)
_WAITING = r"wait|wait(?:ing)?[ -](?:time|period|interval)(?: is| of)?"
_GAP = r"[\s,:(-]{1,3}"
_BETWEEN = (
    rf"(?:{_GAP}(?:please|again|later|delivery|sending|this|the|your|e?mail|message|it|and"
    rf"|then|in (?:action|effect))\b){{0,4}}{_GAP}"
)
_RANGE = r"(?:[0-9]{1,5}(?:\s?-\s?|\sto\s))?"  # 5-10 minutes are ten
_ABOUT = (
    r"(?:(?:at (?:least|most)|another|about|around|approx(?:imately|\.)?|roughly|ca\.|up to"
    r"|the next|only|(?:no )?(?:less|more) than|a (?:min|max)imum of"
    r"|(?:a few|some|several) (?:second|minute|hour)s,?)\s\(?|~\s?)?"
)
# A person who is absent; "back in 20 minutes" without one is about the relay.
_AWAY = (
    r"\b(?:he|she|they|user|recipient|owner|person)\s(?:is|are|will|will be)\s(?:back|return)\b"
    r"|\b(?:holidays?|vacation|on leave|out of (?:the )?office|absent|travell?ing)\b"
    r"[^.;]{0,40}\b(?:back|return)\b"
)
# An action after a time; "later" would make the time relative to another one.
_RETRY = r"(?:\w{1,12}\s){0,3}(?:re-?)?(?:try|send)(?:ing)?\b(?!\s(?:again\s)?later)"


def _compile(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.ASCII)


def _build_cue_pattern(time: str, *, leads: str) -> re.Pattern[str]:
    to_do = rf"\b(?:{_TO_DO})\b{_BETWEEN}(?:{leads}):?\s\(?"
    again = r"\bagain\s(?:within\s|(?:later\s)?\()|\bnot\s(?:re)?try\s(?:again\s)?(?:for|before)\s"
    lasting = rf"\b(?:{_LASTING})\b{_BETWEEN}(?:for|{leads})\s"
    waiting = rf"\b(?:{_WAITING})\b{_BETWEEN}"
    return _compile(f"(?:{to_do}|{again}|{lasting}|{waiting}){_ABOUT}{_RANGE}{time}")


AWAY = _compile(_AWAY)
TIMES = (
    _build_cue_pattern(_DURATION, leads="in|after"),
    _compile(rf"\b(?:{_HOLDING})\b{_GAP}(?:of\s)?{_ABOUT}{_RANGE}{_DURATION}"),
    _compile(rf"(?<![\w.,:/-]){_DURATION}\s(?:before|until|till|and|then)\s{_RETRY}"),
    _compile(
        rf"(?:\A|[.,:;!(]\s?|\bplease\s)(?:in|after)\s{_ABOUT}{_RANGE}{_DURATION},?\s{_RETRY}"
    ),
)
BEFORE_CLOCK = _build_cue_pattern(_CLOCK, leads="in")
PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([smhd])", re.IGNORECASE | re.ASCII)


def parse_retry_hint(text: str) -> timedelta | None:
    """Return the wait in a reply such as "try again in 300 seconds", at most four hours."""
    text = AWAY.sub(" ", text)
    if (clock := BEFORE_CLOCK.search(text)) is not None:
        hours, minutes, seconds = map(int, clock.groups())
        return limit_hint(3600 * hours + 60 * minutes + seconds)
    found = next(filter(None, (time.search(text) for time in TIMES)), None)
    if found is None:
        return None
    parts = PART.findall(found[1])
    return limit_hint(sum(float(number) * SECONDS[unit.lower()] for number, unit in parts))


def limit_hint(seconds: float) -> timedelta | None:
    return min(timedelta(seconds=seconds), MAX_HINT) or None
