"""Rules for the texts of a request: their lengths and their characters. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import islice

from gcsched.domain.checks import Checked
from gcsched.domain.invisible_text import invisible_violations
from gcsched.errors import Violation

# The categories Cc, Cs, Zl and Zp. A search of 64 KiB takes 0.5 ms, a loop over characters 5 ms.
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
CONTROLS_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
MAX_ID_LENGTH = 128
MAX_EMPID_LENGTH = 128
MAX_CLIENT_LENGTH = 63
MAX_REASON_LENGTH = 256
MAX_REQUEST_ID_LENGTH = 128
MAX_VARIABLES = 50
MAX_VARIABLES_BYTES = 16 * 1024
VARIABLE = re.compile(r"[A-Za-z0-9_]+")
MAX_LABELS = 20
MAX_VIOLATIONS = 10  # reported for one map
MAX_LABEL_LENGTH = 63


def text_violations(field: str, text: str, *, at_least: int, at_most: int) -> Checked[None]:
    if not at_least <= len(text) <= at_most:
        yield Violation(field, f"must have {at_least} to {at_most} characters, has {len(text)}")
    if has_controls(text):
        yield Violation(field, "must not contain line breaks or other control characters")


def is_plain_text(text: str, *, at_most: int) -> bool:
    """Return whether *text* is printable ASCII, of that length, and without spaces around it."""
    return (
        0 < len(text) <= at_most and text.isascii() and text.isprintable() and text.strip() == text
    )


def job_id_violations(job_id: str) -> Checked[None]:
    yield from text_violations("job_id", job_id, at_least=1, at_most=MAX_ID_LENGTH)


def empid_violations(empid: str) -> Checked[None]:
    yield from text_violations("empid", empid, at_least=1, at_most=MAX_EMPID_LENGTH)


def reason_violations(reason: str, *, at_least: int = 0) -> Checked[None]:
    yield from text_violations("reason", reason, at_least=at_least, at_most=MAX_REASON_LENGTH)


def has_controls(text: str) -> bool:
    return not text.isprintable() and CONTROLS.search(text) is not None


def request_id_violations(request_id: str, field: str = "request_id") -> Checked[None]:
    if len(request_id) > MAX_REQUEST_ID_LENGTH:
        problem = f"must have 1 to {MAX_REQUEST_ID_LENGTH} characters, has {len(request_id)}"
        yield Violation(field, problem)
    if not (request_id.isascii() and request_id.isprintable()):
        yield Violation(field, "must be printable ASCII, preferably a UUID")


def variable_violations(
    variables: Mapping[str, str], *, required: Collection[str], reserved: Collection[str]
) -> Checked[None]:
    """Check the variables for a template: all *required* ones, and none of the *reserved* ones."""
    if len(variables) > MAX_VARIABLES:
        problem = f"must be {MAX_VARIABLES} at most, are {len(variables)}"
        yield Violation("variables", problem)
    else:
        size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
        if size > MAX_VARIABLES_BYTES:
            problem = f"must have at most {MAX_VARIABLES_BYTES} bytes together, have {size}"
            yield Violation("variables", problem)
    first = islice(variables.items(), MAX_VARIABLES)
    yield from limit_violations(
        "variables",
        (each for name, value in first for each in one_variable_violations(name, value, reserved)),
    )
    for name in sorted(each for each in required if each not in variables):
        yield Violation("variables", f"must have a value for {name!r}: the template needs it")


def limit_violations(field: str, violations: Iterator[Violation]) -> Checked[None]:
    """Yield the first of *violations*: there can be thousands, more than an answer can hold."""
    yield from islice(violations, MAX_VIOLATIONS)
    if next(violations, None) is not None:
        yield Violation(field, "have more violations; correct the reported ones first")


def one_variable_violations(name: str, value: str, reserved: Collection[str]) -> Checked[None]:
    shown = name[:MAX_LABEL_LENGTH]
    if not VARIABLE.fullmatch(name):
        problem = f"must have names of ASCII letters, digits and _; {shown!r} has others"
        yield Violation("variables", problem)
    if name in reserved:
        problem = f"must not have {name!r}: every mail has that variable; use another name"
        yield Violation("variables", problem)
    if CONTROLS_BUT_LINES.search(value):
        problem = f"must not have control characters but tabs and line breaks; {shown!r} has some"
        yield Violation("variables", problem)


def label_violations(labels: Mapping[str, str]) -> Checked[None]:
    if len(labels) > MAX_LABELS:
        yield Violation("labels", f"must be {MAX_LABELS} at most, are {len(labels)}")
    first = islice(labels.items(), MAX_LABELS)
    yield from limit_violations(
        "labels", (each for label in first for each in one_label_violations(*label))
    )


def one_label_violations(key: str, value: str) -> Checked[None]:
    if not 1 <= len(key) <= MAX_LABEL_LENGTH or len(value) > MAX_LABEL_LENGTH:
        problem = (
            f"must have keys of 1 to {MAX_LABEL_LENGTH} characters and values of up to"
            f" {MAX_LABEL_LENGTH}; {key[:MAX_LABEL_LENGTH]!r} has {len(key)} and {len(value)}"
        )
        yield Violation("labels", problem)
    if has_controls(key + value):
        problem = f"must not have control characters; {key[:MAX_LABEL_LENGTH]!r} has some"
        yield Violation("labels", problem)
    yield from invisible_violations("labels", key)
