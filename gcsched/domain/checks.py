"""Collects the violations of a request, so that a caller gets all of them at once. Pure.

Every rule is a generator of the same type, so that `yield from` composes rules.
"""

from collections.abc import Generator, Mapping
from typing import TypeAlias, TypeVar

from gcsched.errors import InvalidRequest, Violation

T = TypeVar("T")

Checked: TypeAlias = Generator[Violation, None, T]
"""Yields each violation and returns the parsed value.

After a violation it returns a value that breaks no other rule, so that the check can go on.
"""


def require_valid(check: Checked[T]) -> T:
    """Return the value of *check*. Raises InvalidRequest with all violations that it yields."""
    violations = list[Violation]()
    try:
        while True:
            violations.append(next(check))
    except StopIteration as end:
        if violations:
            raise InvalidRequest(violations) from None
        value: T = end.value
        return value


def find_valid(check: Checked[T]) -> T | None:
    """Return the value of *check*, or None if it yields a violation."""
    try:
        return require_valid(check)
    except InvalidRequest:
        return None


def accept_value(value: T) -> Checked[T]:
    """Return *value* without any violation."""
    yield from ()
    return value


def rename_fields(check: Checked[T], names: Mapping[str, str]) -> Checked[T]:
    """Run *check* for a request that has its fields elsewhere: *names* by their first part."""
    while True:
        try:
            violation = next(check)
        except StopIteration as end:
            value: T = end.value
            return value
        first, dot, rest = violation.field.partition(".")
        yield Violation(f"{names.get(first, first)}{dot}{rest}", violation.problem)
