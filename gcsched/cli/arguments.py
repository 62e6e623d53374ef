"""What the values of options may be; an error says what to write instead."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path

from gcsched.cli import times as when


def parse_text(given: str) -> str:
    if not given.isprintable() and any("\ud800" <= each <= "\udfff" for each in given):
        raise ArgumentTypeError(f"{given!r} is not valid UTF-8")
    return given


def parse_path(given: str) -> Path:
    if not given:
        raise ArgumentTypeError("'' is not a path; write . for the current folder")
    return Path(given)


def parse_pair(given: str) -> tuple[str, str]:
    name, equals, value = parse_text(given).partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{given!r} is not a pair; write name=value")
    return name, value


def parse_second(given: str) -> int:
    """Give the Unix second of a moment; the daily run is none."""
    try:
        found = when.parse_time(given, now=datetime.now(UTC))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if found == when.DAILY:
        raise ArgumentTypeError(
            f"{given!r} is not a time here; write {when.TIME_FORMS_WITHOUT_DAILY}"
        )
    return found


def parse_second_or_daily(given: str) -> int:
    return when.DAILY if given in {"daily", "0"} else parse_second(given)


def parse_count(given: str) -> int:
    if not (given.isascii() and given.isdecimal()):
        raise ArgumentTypeError(f"{given!r} is not a number; write 0 or more")
    return int(given)
