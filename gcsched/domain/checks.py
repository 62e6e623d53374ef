"""Collect what is wrong with a request, so that a caller is told all of it at once. Pure.

Every rule is a generator of one kind, so that rules are put together by `yield from`.
"""

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from gcsched.errors import InvalidRequest, Violation

T = TypeVar("T")

Checked: TypeAlias = Generator[Violation, None, T]
"""Yields each violation and returns the value that was read.

After a violation it returns a value that breaks no other rule, so that the check goes on.
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


def accept_value(value: T) -> Checked[T]:
    """Read *value*, with which nothing is wrong."""
    yield from ()
    return value
