"""What a check of the domain found: the value, or the one thing that is wrong."""

from typing import TypeVar

from gcsched.domain.checks import Checked, checked
from gcsched.errors import InvalidRequest, Violation

T = TypeVar("T")


def found(reading: Checked[T]) -> T | Violation:
    try:
        return checked(reading)
    except InvalidRequest as error:
        [violation] = error.violations
        return violation
