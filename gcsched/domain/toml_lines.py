"""Find the line of a key in a TOML text, which the standard library's parser does not keep. Pure.

It reads line by line, so a text of several lines that looks like TOML itself may be taken for keys:
then a problem names a line nearby.
"""

import re
import tomllib
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
DOTTED = rf"{PART}(?:\s*\.\s*{PART})*"
HEADER = re.compile(rf"\s*(\[\[?)\s*({DOTTED})\s*\]")
KEY = re.compile(rf"\s*({DOTTED})\s*=")


def find_lines(text: str) -> Mapping[KeyPath, int]:
    """Return the line of each table and each key; the tables of an array have numbers from 0."""
    lines: dict[KeyPath, int] = {}
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if header := HEADER.match(line):
            table = parse_dotted(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                lines.setdefault(table, number)
                table = (*table, counts[table])
            lines.setdefault(table, number)
        elif key := KEY.match(line):
            lines.setdefault((*table, *parse_dotted(key[1])), number)
    return lines


def parse_dotted(key: str) -> KeyPath:
    """Return the parts of a key such as `clients."a.b".note`; none if it is not a key."""
    parts: list[str | int] = []
    try:
        value: object = tomllib.loads(f"{key} = 0")
    except tomllib.TOMLDecodeError:  # a line of a text
        return ()
    while isinstance(value, dict):
        ((part, value),) = value.items()
        parts.append(part)
    return tuple(parts)


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """Return the line of *path*, else of the nearest table around it; 1 for the whole text."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)
