"""Times as people write them, parsed into the Unix seconds of the contract. Pure."""

import math
import re
from datetime import UTC, datetime

DAILY = 0
FIRST_SECOND = 1  # 0 would be the daily run
SECONDS_PER = {"s": 1, "m": 60, "h": 3600, "d": 86400}

RELATIVE = re.compile(r"([+-])([0-9]{1,9})([smhd])")
UNSIGNED_DELAY = re.compile(r"[0-9]{1,9} ?[smhd]")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
UNIX_SECONDS = re.compile(r"[0-9]{1,15}")
DATE_AND_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?"
LOCAL_TIME = re.compile(DATE_AND_TIME)
RFC_3339 = re.compile(DATE_AND_TIME + r"([Zz]|[+-][0-9]{2}:[0-9]{2})")

TIME_FORMS = "now, daily, +30s, +10m, +2h, +1d, -5m, 2027-01-05T09:00:00+01:00 or Unix seconds"
TIME_FORMS_WITHOUT_DAILY = TIME_FORMS.replace("daily, ", "")


def parse_time(text: str, *, now: datetime) -> int:
    """Return the second of *text*, rounded up; raise a ValueError that says what to write."""
    if text == "now":
        return int(now.timestamp())
    if text == "daily":
        return DAILY
    if UNIX_SECONDS.fullmatch(text):
        return int(text)
    if relative := RELATIVE.fullmatch(text):
        sign, amount, unit = relative.groups()
        # Rounded up: a mail must not be sent early.
        return max(
            FIRST_SECOND, math.ceil(now.timestamp()) + int(sign + amount) * SECONDS_PER[unit]
        )
    if LOCAL_TIME.fullmatch(text):
        raise ValueError(
            f"invalid time {text!r}, which has no time zone: write {text}Z or {text}+01:00"
        )
    if DATE.fullmatch(text):
        raise ValueError(
            f"invalid time {text!r}, which has no time of day: write {text}T09:00:00+01:00"
        )
    if UNSIGNED_DELAY.fullmatch(text):
        raise ValueError(
            f"invalid time {text!r}, which has no sign: write +{text.replace(' ', '')}"
        )
    return parse_rfc_3339(text)


def parse_rfc_3339(text: str) -> int:
    if not RFC_3339.fullmatch(text):
        raise ValueError(f"invalid time {text!r}: expected {TIME_FORMS}")
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise ValueError(f"invalid time {text!r}: {error}") from error
    return max(FIRST_SECOND, math.ceil(moment.timestamp()))


def format_due_time(second: int, *, now: datetime) -> str | None:
    """Format when a job scheduled for *second* is due, in UTC; None: with the next daily run."""
    if second == DAILY:
        return None
    moment = datetime.fromtimestamp(max(second, int(now.timestamp())), UTC)
    return moment.isoformat().replace("+00:00", "Z")
