"""What docs/operations.md says of the log: each event and each field is in the code."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "operations.md"


def rows() -> list[list[str]]:
    """Return the cells of the table of events."""
    table = PAGE.read_text(encoding="utf-8").partition("| event |")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def written() -> tuple[set[str], set[str]]:
    """Return all texts in the code, and all names that a log line's field may come from."""
    texts, names = set(), set()
    for file in (ROOT / "gcsched").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.keyword) and node.arg is not None:
                names.add(node.arg)
    return texts, names


def test_each_event_and_each_field_of_the_table_is_one_of_the_code() -> None:
    texts, names = written()
    found = rows()
    events = {event for row in found for cell in row[:2] for event in quoted(cell)}
    fields = {field for row in found for field in quoted(row[2])}

    assert len(events) > 30
    assert events - texts == set()
    assert fields - names - texts == set()
