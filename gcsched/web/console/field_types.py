"""Types of the fields of forms: a browser drops a value that is none of the field's type."""

import re
from collections.abc import Mapping
from datetime import datetime

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "datetime-local": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?", re.ASCII),
    "number": re.compile(r"-?\d+(\.\d+)?", re.ASCII),
}


def fit_type(kind: str, value: object) -> str:
    """Return *kind* if a field of this type can show *value*, else text, which shows any."""
    text, pattern = str(value), PATTERNS.get(kind)
    if not text or pattern is None:
        return kind
    fits = pattern.fullmatch(text) is not None and (kind == "number" or is_time(text))
    return kind if fits else "text"


def is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
