"""The result of a check of the domain: the value, or its one violation."""

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
