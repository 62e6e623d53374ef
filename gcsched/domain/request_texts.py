"""The texts of a request: how long each may be, and what must not be in it. Pure."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping

from gcsched.domain.identifiers import unseen_violations
from gcsched.errors import Violation

FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
LONGEST_REQUEST_ID = 128
MOST_VARIABLES = 50
LARGEST_VARIABLES = 16 * 1024
VARIABLE = re.compile(r"[A-Za-z0-9_]+")
MOST_LABELS = 20
LONGEST_LABEL = 63
LINES = str.maketrans("", "", "\r\n\t")


def text_violations(field: str, text: str, *, at_least: int, at_most: int) -> Iterator[Violation]:
    if not at_least <= len(text) <= at_most:
        yield Violation(field, f"must have {at_least} to {at_most} characters, has {len(text)}")
    if has_controls(text):
        yield Violation(field, "must not contain line breaks or other control characters")


def has_controls(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(c) in FORBIDDEN for c in text)


def request_id_violations(request_id: str) -> Iterator[Violation]:
    if len(request_id) > LONGEST_REQUEST_ID:
        problem = f"must have 1 to {LONGEST_REQUEST_ID} characters, has {len(request_id)}"
        yield Violation("request_id", problem)
    if not (request_id.isascii() and request_id.isprintable()):
        yield Violation("request_id", "must be printable ASCII, best a UUID")


def variable_violations(
    variables: Mapping[str, str], *, needs: Collection[str], given: Collection[str]
) -> Iterator[Violation]:
    """Check the data for a template that *needs* these; nobody may give what is *given*."""
    if len(variables) > MOST_VARIABLES:
        problem = f"must be {MOST_VARIABLES} at most, are {len(variables)}"
        yield Violation("variables", problem)
    size = sum(len(name.encode()) + len(value.encode()) for name, value in variables.items())
    if size > LARGEST_VARIABLES:
        problem = f"must have at most {LARGEST_VARIABLES} bytes together, have {size}"
        yield Violation("variables", problem)
    for name, value in variables.items():
        yield from one_variable(name, value, given)
    for name in sorted(set(needs).difference(variables)):
        yield Violation("variables", f"must have a value for {name!r}: the template needs it")


def one_variable(name: str, value: str, given: Collection[str]) -> Iterator[Violation]:
    shown = name[:LONGEST_LABEL]
    if not VARIABLE.fullmatch(name):
        problem = f"must have names of ASCII letters, digits and _; {shown!r} is none"
        yield Violation("variables", problem)
    if name in given:
        problem = f"must not have {name!r}: that means something in every mail; take another name"
        yield Violation("variables", problem)
    if has_controls(value.translate(LINES)):
        problem = f"must not have control characters but tabs and line breaks; {shown!r} has some"
        yield Violation("variables", problem)


def label_violations(labels: Mapping[str, str]) -> Iterator[Violation]:
    if len(labels) > MOST_LABELS:
        yield Violation("labels", f"must be {MOST_LABELS} at most, are {len(labels)}")
    for key, value in labels.items():
        if not 1 <= len(key) <= LONGEST_LABEL or len(value) > LONGEST_LABEL:
            problem = (
                f"must have keys of 1 to {LONGEST_LABEL} characters and values of up to"
                f" {LONGEST_LABEL}; {key[:LONGEST_LABEL]!r} has {len(key)} and {len(value)}"
            )
            yield Violation("labels", problem)
        if has_controls(key + value):
            problem = f"must not have control characters; {key[:LONGEST_LABEL]!r} has some"
            yield Violation("labels", problem)
        yield from unseen_violations("labels", key)
