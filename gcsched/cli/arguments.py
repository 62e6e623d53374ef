"""Parsers for the values of options; each error says what to write instead."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime
from pathlib import Path

from gcsched.cli import times


def parse_text(given: str) -> str:
    # Python decodes bytes that are not UTF-8 as lone surrogates; protobuf refuses those.
    if not given.isprintable() and any("\ud800" <= each <= "\udfff" for each in given):
        raise ArgumentTypeError(f"invalid text {given!r}: expected valid UTF-8")
    return given


def parse_path(given: str) -> Path:
    if not given:
        raise ArgumentTypeError("invalid path '': use . for the current folder")
    return Path(given)


def parse_pair(given: str) -> tuple[str, str]:
    name, equals, value = parse_text(given).partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"invalid pair {given!r}: expected name=value")
    return name, value


def parse_second(given: str) -> int:
    """Parse a time into Unix seconds; refuse ``daily``, which is not an instant."""
    try:
        found = times.parse_time(given, now=datetime.now(UTC))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if found == times.DAILY:
        raise ArgumentTypeError(
            f"invalid time {given!r}: expected {times.TIME_FORMS_WITHOUT_DAILY}"
        )
    return found


def parse_second_or_daily(given: str) -> int:
    return times.DAILY if given in {"daily", "0"} else parse_second(given)


def parse_count(given: str) -> int:
    if not (given.isascii() and given.isdecimal()):
        raise ArgumentTypeError(f"invalid number {given!r}: expected an integer ≥ 0")
    return int(given)
