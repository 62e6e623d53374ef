"""Audit entries: what callers did to many jobs or to the whole service. Pure.

An entry names no person: employee ids and addresses are digests, so that an employee who is
forgotten later needs no change of what was recorded before.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from gcsched.domain.address import parse_stored_address
from gcsched.domain.address_folding import fold_address
from gcsched.domain.address_forms import mask_addresses
from gcsched.domain.caller_text import quote
from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.ids import EPOCH, MILLISECOND
from gcsched.domain.job_list import JobFilter
from gcsched.domain.page_token import encode_page_token, parse_page_token
from gcsched.domain.pause import Pause
from gcsched.domain.validation import text_violations
from gcsched.errors import InvalidRequest

RETENTION = timedelta(days=400)
SUBJECT_PREFIX = b"gcsched audit subject\0"
SHOWN_DIGITS = 16
ALL_JOBS = "all jobs"
MAX_CLIENT_LENGTH = 128
MAX_SUBJECT_LENGTH = 254


class AuditOutcome(StrEnum):
    """How an act ended, by the names of AuditEntry.Outcome."""

    STARTED = "STARTED"
    DONE = "DONE"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One act on many jobs or on the whole service.

    *subjects* are the digests of the employees and addresses that it was about, *count* is how many
    jobs or documents it changed, and *error* is the reason of the error that ended it.
    """

    id: str
    time: datetime
    client: str
    via: str
    method: str
    details: str = ""
    subjects: tuple[str, ...] = ()
    outcome: AuditOutcome = AuditOutcome.STARTED
    count: int = 0
    error: str = ""
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What an act is about, as its entry describes it."""

    details: str = ""
    subjects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """The entries that match every given field; of *subjects*, those that have any of them."""

    client: str = ""
    subjects: tuple[str, ...] = ()
    from_time: datetime | None = None
    before_time: datetime | None = None

    def encode_cursor(self, entry_id: str) -> str:
        """Return the token of the page after the entry *entry_id*; "" if there is none."""
        return encode_page_token(str(self), [entry_id]) if entry_id else ""

    def parse_cursor(self, token: str) -> Checked[str]:
        """Parse a token of `encode_cursor`; "" is the first page."""
        return "".join((yield from parse_page_token(str(self), token, parts=1)))

    def __str__(self) -> str:
        moments = [each and each.isoformat() for each in (self.from_time, self.before_time)]
        return f"audit {json.dumps([self.client, *self.subjects, *moments])}"


def first_id_at(moment: datetime) -> str:
    """Return the start that all ids from *moment* on have or follow: see `new_id`."""
    milliseconds = -((EPOCH - moment) // MILLISECOND)  # rounded up
    return f"{min(max(milliseconds, 0), (1 << 48) - 1):012x}"


def digest_subject(text: str) -> str:
    return sha256(SUBJECT_PREFIX + text.encode()).hexdigest()


def digest_address(address: str) -> str:
    """Return the digest of *address*, which is the same in every spelling of it."""
    return digest_subject(fold_address(address))


DIGESTS = {"empid": digest_subject, "email": digest_address}
"""The fields of a filter that name a person."""


def find_digests(text: str) -> tuple[str, ...]:
    """Return the digests that *text* may have: as an employee id, and as an address."""
    spellings = {text, fold_address(text)}
    address = parse_or_none(text)
    if address is not None:
        spellings.add(fold_address(address))
    return tuple(sorted(digest_subject(each) for each in spellings))


def audit_text_violations(*, client: str, subject: str) -> Checked[None]:
    """Check the texts of a filter, which callers write."""
    yield from text_violations("client", client, at_least=0, at_most=MAX_CLIENT_LENGTH)
    yield from text_violations("subject", subject, at_least=0, at_most=MAX_SUBJECT_LENGTH)


def parse_or_none(text: str) -> str | None:
    """Return *text* as a normalised address; None if it is not an address."""
    try:
        return require_valid(parse_stored_address(text, field="subject"))
    except InvalidRequest:
        return None


def about_employee(empid: str) -> Topic:
    digest = digest_subject(empid)
    return Topic(details=f"empid={shorten(digest)}", subjects=(digest,))


def about_address(address: str, *, until: datetime | None = None) -> Topic:
    digest = digest_address(address)
    end = f", until {until.isoformat(timespec='seconds')}" if until is not None else ""
    return Topic(details=f"email={shorten(digest)}{end}", subjects=(digest,))


def about_jobs(job_filter: JobFilter) -> Topic:
    """Describe the jobs of *job_filter*."""
    named = [(name, getattr(job_filter, name)) for name in DIGESTS]
    return Topic(
        details=", ".join(describe_fields(job_filter)) or ALL_JOBS,
        subjects=tuple(DIGESTS[name](given) for name, given in named if given),
    )


def describe_fields(job_filter: JobFilter) -> Iterator[str]:
    """Yield the fields of *job_filter* that are set."""
    for name in (field.name for field in fields(job_filter)):
        match getattr(job_filter, name):
            case None | "":
                continue
            case datetime() as moment:
                yield f"{name}={moment.isoformat()}"
            case given if name in DIGESTS:
                yield f"{name}={shorten(DIGESTS[name](given))}"
            case given:
                yield f"{name}={mask_addresses(str(given))}"


def about_pause(pause: Pause) -> Topic:
    """Describe *pause* in the words of the caller, without addresses."""
    by, reason = (quote(mask_addresses(text)) for text in (pause.by, pause.reason))
    return Topic(details=f"by {by}, reason {reason}")


def about_resumption(by: str) -> Topic:
    return Topic(details=f"by {quote(mask_addresses(by))}" if by else "")


def shorten(digest: str) -> str:
    """Return the part of *digest* that details show."""
    return digest[:SHOWN_DIGITS]
