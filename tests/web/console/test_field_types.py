"""Types of fields: what a browser would drop is shown as text."""

import pytest

from gcsched.web.console.field_types import fit_type


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("datetime-local", "", "datetime-local"),
        ("datetime-local", "2030-01-07T10:00", "datetime-local"),
        ("datetime-local", "2030-01-07T10:00:30.5", "datetime-local"),
        ("datetime-local", "2030-02-30T10:00", "text"),
        ("datetime-local", "2030-01-07 10:00", "text"),
        ("datetime-local", "2030-01-07T10:00Z", "text"),
        ("datetime-local", "tomorrow", "text"),
        ("number", "45", "number"),
        ("number", 45, "number"),
        ("number", "4 5", "text"),
        ("number", "\u0664", "text"),
        ("password", "tomorrow", "password"),
    ],
)
def test_a_value_that_the_type_cannot_show_makes_it_a_text(
    kind: str, value: object, expected: str
) -> None:
    assert fit_type(kind, value) == expected
