"""Collect what is wrong with a request, so that a caller is told all of it at once. Pure."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from gcsched.errors import InvalidRequest, Violation

T = TypeVar("T")
U = TypeVar("U")


class Checks:
    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def taken(self, value: T | Violation, *, otherwise: T) -> T:
        """Give *value*; or, if it is what is wrong, remember that and give what stands for it."""
        if isinstance(value, Violation):
            self._violations.append(value)
            return otherwise
        return value

    def made(self, make: Callable[[], T], *, otherwise: U) -> T | U:
        """Give what *make* gives; or, if it finds the request invalid, what stands for it."""
        try:
            return make()
        except InvalidRequest as error:
            self._violations += error.violations
            return otherwise

    def add(self, violations: Iterable[Violation]) -> None:
        self._violations += violations

    def finish(self) -> None:
        """Raise InvalidRequest if anything was wrong."""
        if self._violations:
            raise InvalidRequest(self._violations)
