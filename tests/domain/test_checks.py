import ast
from pathlib import Path

import pytest

import gcsched
from gcsched.domain.checks import Checked, accept_value, require_valid
from gcsched.errors import InvalidRequest, Violation

BAD = Violation("empid", "is empty")
ANOTHER = Violation("emailID", "is not an address")


def empty() -> Checked[str]:
    yield BAD
    return ""


def no_address() -> Checked[None]:
    yield ANOTHER


def several() -> Checked[tuple[str, int]]:
    empid = yield from empty()
    yield from no_address()
    number = yield from accept_value(5)
    return empid, number


def test_a_valid_value_is_returned_unchanged() -> None:
    assert require_valid(accept_value(5)) == 5


def test_all_violations_are_reported_at_once_in_order() -> None:
    with pytest.raises(InvalidRequest) as caught:
        require_valid(several())

    assert caught.value.violations == [BAD, ANOTHER]


def test_a_check_goes_on_with_the_substitute_of_an_invalid_value() -> None:
    reading = several()

    assert list(reading) == [BAD, ANOTHER]
    with pytest.raises(StopIteration):
        next(reading)


def find_unused_rules(source: str) -> list[int]:
    """Return the lines that call a rule and drop what it yields; the type checker allows that."""
    return [
        each.lineno
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.Expr)
        and isinstance(each.value, ast.Call)
        and ast.unparse(each.value.func).endswith("_violations")
    ]


def test_no_rule_is_called_without_yield_from() -> None:
    modules = list(Path(gcsched.__file__).parent.rglob("*.py"))

    assert find_unused_rules(
        "def check():\n    empid_violations(1)\n    yield from x_violations(2)"
    ) == [2]
    assert {str(each): find_unused_rules(each.read_text("utf-8")) for each in modules} == {
        str(each): [] for each in modules
    }
