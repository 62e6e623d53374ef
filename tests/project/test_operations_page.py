"""What docs/operations.md says of the log: each event and each field is in the code."""

import ast
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"


def rows() -> list[list[str]]:
    """Return the cells of the table of events."""
    table = PAGE.read_text(encoding="utf-8").partition("| event |")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def find_code_spans(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
A_LOG_CALL = re.compile(rf"\.({'|'.join(sorted(LEVELS))})\b")
LASTING_PROBLEM_MODULE = "gcsched/usecases/problem_log.py"


@cache
def read_modules() -> Mapping[str, str]:
    return {
        str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
        for file in (ROOT / "gcsched").rglob("*.py")
    }


@cache
def parse_module(name: str) -> ast.Module:
    return ast.parse(read_modules()[name])


def parse_modules_with(*words: str) -> list[ast.Module]:
    """Parse the modules whose text has all of *words*."""
    return [
        parse_module(name)
        for name, text in read_modules().items()
        if all(word in text for word in words)
    ]


@cache
def names_in(tree: ast.AST) -> frozenset[str]:
    """Return the names in *tree* that may become a field: of keywords, and texts."""
    return frozenset(str(name) for node in ast.walk(tree) if (name := text_of(node)) is not None)


def text_of(node: ast.AST) -> object:
    if isinstance(node, ast.keyword):
        return node.arg
    return node.value if isinstance(node, ast.Constant) else None


@cache
def find_all_log_calls() -> list[tuple[str, ast.Call]]:
    """Return every call that logs, with its module."""
    return [
        (name, node)
        for name, text in read_modules().items()
        if A_LOG_CALL.search(text)
        for node in ast.walk(parse_module(name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
    ]


def find_log_calls(event: str) -> list[tuple[str, ast.Call]]:
    """Return the calls that log *event* by its name, each with its module."""
    return [
        (name, node)
        for name, node in find_all_log_calls()
        if [text_of(each) for each in node.args[:1]] == [event]
    ]


def fields_of(event: str) -> set[str]:
    """Return the fields that a line with *event* may have; none: it is not logged."""
    found: set[str] = set()
    for name, call in find_log_calls(event):
        found |= {"", *(each.arg for each in call.keywords if each.arg is not None)}
        for each in call.keywords:
            if each.arg is None:  # **facts: from this module, or from the function that is called
                found |= names_in(parse_module(name)) | find_names_made_by(each.value)
    if found:
        return found
    modules = [tree for tree in parse_modules_with(*event.split()) if event in names_in(tree)]
    return (
        set().union(*map(names_in, [*modules, parse_module(LASTING_PROBLEM_MODULE)]))
        if modules
        else set()
    )


def find_names_made_by(value: ast.expr) -> set[str]:
    called = (
        value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
    )
    return {
        name
        for tree in parse_modules_with(f"def {called}(")
        if any(isinstance(node, ast.FunctionDef) and node.name == called for node in tree.body)
        for name in names_in(tree)
    }


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_event_of_the_table_is_logged_with_its_fields(row: list[str]) -> None:
    events = find_code_spans(row[0]) | find_code_spans(row[1])
    fields = {event: fields_of(event) for event in events}

    assert [event for event in events if not fields[event]] == []
    assert find_code_spans(row[2]) - set().union(*fields.values()) == set()


def test_the_table_is_found_and_a_field_of_another_event_is_not() -> None:
    assert len(rows()) > 20
    assert fields_of("daily run finished") == {"", "day", "moved"}
    assert fields_of("no such event") == set()
