"""The codec between jobs and MongoDB documents: the only place that maps stored names to ours.

Operators may have edited a document by hand, so decoding checks every field.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from gcsched.adapters.mongo.field_checks import (
    check_address,
    check_optional_texts,
    check_texts,
    decode_count,
    decode_documents,
    decode_flag,
    decode_member,
    decode_optional_count,
    decode_optional_time,
    decode_text_map,
    decode_times,
)
from gcsched.adapters.mongo.meeting_mail_fields import decode_meeting_mail, encode_meeting_mail
from gcsched.adapters.mongo.steps import decode_steps, encode_step
from gcsched.adapters.mongo.template_field import decode_template
from gcsched.domain.address_folding import fold_address
from gcsched.domain.attempt import Attempt
from gcsched.domain.due import KEEP_TRYING
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.smtp_reply import Kind
from gcsched.errors import UnreadableJob

OPTIONAL_FIELDS = {
    **{name: name for name in ("dedup_key", "dedup_until", "released_key", "claim", "begun")},
    **{name: name for name in ("variables", "labels", "reply_to", "fingerprint")},
    "not_after_asked": "has_own_expire_time",
    "date": "date",
    "client": "client",
    "sender": "sender",
}
"""Stored fields that are absent when they have no value, each with its name in a Job."""

# The stored names are older than those of the contract.
STORED_KINDS: Mapping[Kind, str] = {
    **{kind: kind.value for kind in Kind},
    Kind.DEFERRED: "LATER",
    Kind.RELAY: "OURS",
}
KINDS = {stored: kind for kind, stored in STORED_KINDS.items()}
STATES = {state.value: state for state in State}
DECODE_ERRORS = (KeyError, TypeError, ValueError, OverflowError)
"""What `decode` raises for a document that is not a valid job document."""

QUARANTINED = "UNREADABLE"
"""The stored state of a quarantined job; the field `aside` keeps its previous state."""

TIME_FIELDS = ("created", "due_at", "due", "since")
TEXT_FIELDS = ("_id", "empid", "email", "message", "name", "message_id", "reason")
MAX_REASON_LENGTH = 200
OPTIONAL_TEXT_FIELDS = (
    *("dedup_key", "released_key", "claim", "reply_to"),
    *("request_id", "own_request_id", "fingerprint", "priority", "client", "sender"),
)

Document = Mapping[str, Any]
DecodedJob = tuple[Document, Job]
UnreadableDocument = tuple[Document, str]
"""A document, and the reason why it cannot be decoded."""


def encode(job: Job) -> dict[str, Any]:
    """Return the document of *job*.

    Fields without a value are absent: the partial indexes hold the documents that have a field.
    """
    document: dict[str, Any] = {
        "_id": job.id,
        "state": job.state.value,
        "empid": job.empid,
        "email": job.email,
        "folded": fold_address(job.email),
        "message": job.message,
        "name": job.name,
        "created": job.create_time,
        "due_at": job.schedule_time,
        "due": job.due_time,
        "not_after": job.expire_time,
        "since": job.state_time,
        "message_id": job.message_id,
        # A version that does not know senders cannot read an array: it sets the job aside, rather
        # than to send it from another address, and a sweep of this version releases it (ADR 0045).
        "template": [job.template] if job.sender else job.template,
        "attempt": job.attempt,
        "takebacks": job.lease_expirations,
        "version": job.version,
        "reason": job.reason,
        "attempts": [encode_attempt(attempt) for attempt in job.attempts],
    }
    for stored_name, name in OPTIONAL_FIELDS.items():
        if value := getattr(job, name):
            document[stored_name] = value
    if job.request_id:
        # Two clients may use the same id, but `request_id` alone has a unique index.
        document["own_request_id" if job.client else "request_id"] = job.request_id
    if job.priority is not Priority.NORMAL:
        document["priority"] = job.priority.value
    if job.meeting is not None:
        # Under another name, so that a version that cannot send the mail cannot read the job
        # (ADR 0049).
        del document["template"]
        document |= encode_meeting_mail(job.meeting, template=job.template)
    if job.steps:
        document["steps"] = [encode_step(step) for step in job.steps]
    return document


def decode(document: Mapping[str, Any]) -> Job:
    """Return the job that *document* stores; raise one of DECODE_ERRORS if it is not valid.

    Every field is checked here, so that each decoded job can be encoded into every format.
    """
    created, due_at, due, since = decode_times(document, TIME_FIELDS)
    check_texts(document, TEXT_FIELDS)
    check_optional_texts(document, OPTIONAL_TEXT_FIELDS)
    check_address(document, "email")
    check_address(document, "reply_to")
    check_address(document, "sender")
    state = decode_member(document, "state", STATES)
    return Job(
        id=document["_id"],
        state=state,
        empid=document["empid"],
        email=document["email"],
        message=document["message"],
        name=document["name"],
        create_time=created,
        schedule_time=due_at,
        due_time=due,
        # Documents of the first version have no such field.
        expire_time=decode_optional_time(document, "not_after") or due_at + KEEP_TRYING,
        state_time=since,
        message_id=document["message_id"],
        dedup_key=document.get("dedup_key"),
        released_key=document.get("released_key"),
        attempt=decode_count(document, "attempt"),
        lease_expirations=decode_count(document, "takebacks"),
        version=decode_count(document, "version"),
        claim=document.get("claim"),
        begun=decode_optional_time(document, "begun") if state is State.SENDING else None,
        date=decode_optional_time(document, "date"),
        reason=document["reason"],
        attempts=tuple(map(decode_attempt, decode_documents(document, "attempts"))),
        meeting=decode_meeting_mail(document),
        client=document.get("client") or "",
        steps=decode_steps(document),
        **decode_optional_fields(document),
    )


def decode_optional_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a Job for the optional fields of a request."""
    priority = document.get("priority")
    return {
        "template": decode_template(document),
        "variables": decode_text_map(document, "variables"),
        "labels": decode_text_map(document, "labels"),
        "sender": document.get("sender") or "",
        "reply_to": document.get("reply_to") or "",
        "request_id": document.get("own_request_id") or document.get("request_id") or "",
        "fingerprint": document.get("fingerprint") or "",
        "dedup_until": decode_optional_time(document, "dedup_until"),
        "has_own_expire_time": decode_flag(document, "not_after_asked"),
        "priority": Priority(priority) if priority else Priority.NORMAL,
    }


def make_unreadable_error(document: Mapping[str, Any], error: Exception) -> UnreadableJob:
    """Return the error for a *document* that raised *error*, with the client that scheduled it."""
    return UnreadableJob(
        str(document["_id"]),
        explain_unreadable(document, error),
        client=read_text(document, "client"),
    )


def explain_unreadable(document: Mapping[str, Any], error: Exception) -> str:
    """Describe why *document* cannot be read, given the *error* that decoding it raised.

    The error for a quarantined document is only its state. Its previous state is in `aside`, so
    decoding with that state shows the field that is wrong.
    """
    if document.get("state") != QUARANTINED:
        return describe_decode_error(error)
    try:
        decode({**document, "state": document["aside"]})
    except DECODE_ERRORS as cause:
        return f"it is quarantined, because {describe_decode_error(cause)}"
    if (why := find_quarantine_reason(document)) is not None:
        return f"it is quarantined, because {why}; it is tried again every ten minutes"
    return "it was quarantined and is repaired: the next sweep releases it"


def find_quarantine_reason(document: Mapping[str, Any]) -> str | None:
    """Return why a readable document is quarantined; None if it was only unreadable."""
    unfit = document.get("unfit")
    return str(unfit.get("why"))[:MAX_REASON_LENGTH] if isinstance(unfit, dict) else None


def describe_decode_error(error: Exception) -> str:
    """Describe what makes a document unreadable, without any value from a caller."""
    return f"its field {error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def decode_each(documents: Iterable[Document]) -> tuple[list[DecodedJob], list[UnreadableDocument]]:
    """Return the readable documents with their jobs, and the others with the reason.

    So one document that cannot be read does not stop all the others.
    """
    readable: list[DecodedJob] = []
    unreadable: list[UnreadableDocument] = []
    for document in documents:
        try:
            readable.append((document, decode(document)))
        except DECODE_ERRORS as error:
            unreadable.append((document, describe_decode_error(error)))
    return readable, unreadable


def encode_attempt(attempt: Attempt) -> dict[str, Any]:
    encoded = {
        "begun": attempt.start_time,
        "ended": attempt.end_time,
        "kind": STORED_KINDS[attempt.kind],
        "relay": attempt.relay,
        "code": attempt.code,
        "enhanced": attempt.enhanced_code,
        "text": attempt.text,
    }
    if attempt.template_digest:
        encoded["template"] = attempt.template_digest
    return encoded


def decode_attempt(document: Mapping[str, Any]) -> Attempt:
    # Field by field: a newer version may have written more fields.
    begun, ended = decode_times(document, ("begun", "ended"))
    check_texts(document, ("relay", "text"))
    check_optional_texts(document, ("enhanced",))
    return Attempt(
        start_time=begun,
        end_time=ended,
        kind=decode_member(document, "kind", KINDS),
        relay=document["relay"],
        code=decode_optional_count(document, "code"),
        enhanced_code=document["enhanced"],
        text=document["text"],
        template_digest=read_text(document, "template"),
    )


# The readers below never fail. They serve documents for which a partial answer is better than an
# error: suppressions, recipients, runs, and jobs to be erased.
MAX_SHOWN_LENGTH = 2_000
MAX_SHOWN_COUNT = 2**53  # a double holds every integer up to this
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def read_text(document: Mapping[str, Any], name: str) -> str:
    """Return the text in field *name*, cut to the length a message can carry; "" if it has none."""
    value = document.get(name)
    return value[:MAX_SHOWN_LENGTH] if isinstance(value, str) else ""


def read_time(document: Mapping[str, Any], name: str) -> datetime:
    """Return the time in field *name*; UNKNOWN_TIME if it has none."""
    value = document.get(name)
    return value if isinstance(value, datetime) else UNKNOWN_TIME


def read_latest_time(document: Mapping[str, Any], name: str) -> datetime:
    """Return the time in field *name*, or the latest one of an array.

    MongoDB matches an array by any of its elements, so an array ends with its latest time.
    """
    value = document.get(name)
    times = [each for each in value if isinstance(each, datetime)] if is_list(value) else []
    return max(times) if times else read_time(document, name)


def is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def read_count(document: Mapping[str, Any], name: str) -> int:
    """Return the count in field *name*; 0 if it has none."""
    value = document.get(name)
    is_count = isinstance(value, int | float) and 0 <= value <= MAX_SHOWN_COUNT
    return int(value) if is_count and value is not None else 0
