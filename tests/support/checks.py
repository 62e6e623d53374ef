"""What a check of the domain found: the value, or the one thing that is wrong."""

from typing import TypeVar

from gcsched.domain.checks import Checked, require_valid
from gcsched.errors import InvalidRequest, Violation

T = TypeVar("T")


def read_or_violation(reading: Checked[T]) -> T | Violation:
    try:
        return require_valid(reading)
    except InvalidRequest as error:
        [violation] = error.violations
        return violation
