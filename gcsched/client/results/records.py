"""Suppressions, recipients, templates and the audit. The fields have the contract's names."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that gets no mail until *expire_time*."""

    email: str
    reason: str = ""
    job_id: str = ""
    create_time: datetime | None = None
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """The user details of an employee, as callers sent them."""

    empid: str
    name: str = ""
    email: str = ""
    first_seen_time: datetime | None = None
    last_seen_time: datetime | None = None
    accepted_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenRecipient:
    """How much of an employee's data was erased, and how many jobs keep theirs.

    *details_erased* is None if the service is older than this field.
    """

    erased_jobs: int = 0
    unfinished_jobs: int = 0
    details_erased: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template for mails, and the variables that a request must have for it."""

    name: str
    required_variables: tuple[str, ...] = ()
    has_text: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act on many jobs or on the whole service; *outcome* is one of AuditOutcome."""

    id: str
    time: datetime | None = None
    client: str = ""
    via: str = ""
    method: str = ""
    details: str = ""
    outcome: str = "STARTED"
    count: int = 0
    error: str = ""
    end_time: datetime | None = None
