"""What a caller may ask for: a request that breaks a rule names every broken rule. Pure."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from email_validator import EmailNotValidError, validate_email

from gcsched.domain.due import FURTHEST, MILLISECONDS
from gcsched.errors import InvalidRequest, Violation

LONGEST_EMPID = 128
LONGEST_EMAIL = 254  # RFC 5321, section 4.5.3.1.3, without the brackets
LONGEST_MESSAGE = 998  # RFC 5322, section 2.1.1
LONGEST_NAME = 256
FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetRequest:
    """A wish: mail *message* to *email* at *timestamp* (Unix seconds, 0 = daily queue)."""

    empid: str
    email: str
    message: str
    name: str
    timestamp: int

    @property
    def is_daily(self) -> bool:
        return self.timestamp == 0

    @property
    def asked_for(self) -> datetime:
        return datetime.fromtimestamp(self.timestamp, UTC)


def validated(raw: MeetRequest, *, now: datetime) -> MeetRequest:
    """Give *raw* with its text trimmed and its address normalised.

    Raises InvalidRequest with every violation, named by the fields of proto/task.proto.
    """
    message = raw.message.strip()
    email = normalised_address(raw.email)
    violations = [
        *text_violations("empid", raw.empid, at_least=1, at_most=LONGEST_EMPID),
        *([email] if isinstance(email, Violation) else []),
        *text_violations("message", message, at_least=1, at_most=LONGEST_MESSAGE),
        *text_violations("empName", raw.name, at_least=0, at_most=LONGEST_NAME),
        *timestamp_violations(raw.timestamp, now),
    ]
    if violations or isinstance(email, Violation):
        raise InvalidRequest(violations)
    return replace(raw, email=email, message=message)


def text_violations(field: str, text: str, *, at_least: int, at_most: int) -> Iterator[Violation]:
    if not at_least <= len(text) <= at_most:
        yield Violation(field, f"must have {at_least} to {at_most} characters, has {len(text)}")
    if not text.isprintable() and any(unicodedata.category(c) in FORBIDDEN for c in text):
        yield Violation(field, "must not contain line breaks or other control characters")


def normalised_address(email: str) -> str | Violation:
    """Give the one address in *email* with a normalised domain, or what is wrong with it.

    Syntax only, no DNS (RFC 5321, 5322, 6531).
    """
    if not 1 <= len(email) <= LONGEST_EMAIL:
        return Violation("emailID", f"must have 1 to {LONGEST_EMAIL} characters, has {len(email)}")
    try:
        # "test" is a domain that callers' own test suites use (RFC 2606); it harms nobody.
        checked = validate_email(
            email, check_deliverability=False, test_environment=True, strict=True
        )
    except EmailNotValidError as error:
        return Violation("emailID", f"must be one e-mail address such as ada@example.org: {error}")
    return checked.normalized


def timestamp_violations(timestamp: int, now: datetime) -> Iterator[Violation]:
    if timestamp < 0:
        yield Violation("timestamp", "must not be negative; 0 means the next daily run")
    elif timestamp in MILLISECONDS:
        yield Violation(
            "timestamp",
            f"must be in Unix seconds; {timestamp} looks like milliseconds,"
            f" {timestamp // 1000} would be in seconds",
        )
    elif timestamp > (now + FURTHEST).timestamp():
        yield Violation("timestamp", "must not be more than ten years ahead")
