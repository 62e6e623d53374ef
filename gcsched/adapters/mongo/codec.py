"""Jobs to MongoDB documents and back. The one place that knows the stored names and ours.

Documents that somebody may have written by hand are read as far as they can be.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

from gcsched.adapters.mongo.field_checks import (
    check_address,
    check_optional_texts,
    check_optional_time,
    check_texts,
    check_times,
    decode_count,
    decode_documents,
    decode_flag,
    decode_optional_count,
    decode_text_map,
    make_field_error,
)
from gcsched.domain.address_folding import fold_address
from gcsched.domain.attempt import Attempt
from gcsched.domain.due import KEEP_TRYING
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.smtp_reply import Kind

OPTIONAL_FIELDS = {
    **{name: name for name in ("dedup_key", "dedup_until", "released_key", "claim", "begun")},
    **{name: name for name in ("variables", "labels", "reply_to", "request_id", "fingerprint")},
    "not_after_asked": "has_own_expire_time",
    "date": "date",
}
"""Stored fields that are left out where they have no value, each with its name in a Job."""

STORED_KINDS: Mapping[Kind, str] = {
    **{kind: kind.value for kind in Kind},
    Kind.DEFERRED: "LATER",
    Kind.RELAY: "OURS",
}
KINDS = {stored: kind for kind, stored in STORED_KINDS.items()}
DECODE_ERRORS = (KeyError, TypeError, ValueError, OverflowError)
"""What `decode` raises where a document is none of ours."""

QUARANTINED = "UNREADABLE"
"""The state of a job that is set aside; `aside` keeps the one that it had."""

TIME_FIELDS = ("created", "due_at", "due", "since")
TEXT_FIELDS = ("_id", "empid", "email", "message", "name", "message_id", "template", "reason")
MAX_REASON_LENGTH = 200
OPTIONAL_TEXT_FIELDS = (
    *("dedup_key", "released_key", "claim", "reply_to"),
    *("request_id", "fingerprint", "priority"),
)

Document = Mapping[str, Any]
DecodedJob = tuple[Document, Job]
UnreadableDocument = tuple[Document, str]
"""A document, and what is wrong with it."""


def encode(job: Job) -> dict[str, Any]:
    """Make the document of *job*; fields without a value are left out, as the indexes expect."""
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
        "template": job.template,
        "attempt": job.attempt,
        "takebacks": job.lease_expirations,
        "version": job.version,
        "reason": job.reason,
        "attempts": [encode_attempt(attempt) for attempt in job.attempts],
    }
    for stored_name, name in OPTIONAL_FIELDS.items():
        if value := getattr(job, name):
            document[stored_name] = value
    if job.priority is not Priority.NORMAL:
        document["priority"] = job.priority.value
    return document


def decode(document: Mapping[str, Any]) -> Job:
    """Make the job of *document*; raises one of UNREADABLE where it is none.

    Every field is checked here, so that no converter meets one that it cannot carry.
    """
    check_times(document, TIME_FIELDS)
    check_texts(document, TEXT_FIELDS)
    check_optional_texts(document, OPTIONAL_TEXT_FIELDS)
    check_optional_time(document, "not_after")
    check_optional_time(document, "date")
    check_address(document, "email")
    check_address(document, "reply_to")
    state = decode_state(document)
    return Job(
        id=document["_id"],
        state=state,
        empid=document["empid"],
        email=document["email"],
        message=document["message"],
        name=document["name"],
        create_time=document["created"],
        schedule_time=document["due_at"],
        due_time=document["due"],
        # Jobs of the first version were written without.
        expire_time=document.get("not_after") or document["due_at"] + KEEP_TRYING,
        state_time=document["since"],
        message_id=document["message_id"],
        dedup_key=document.get("dedup_key"),
        released_key=document.get("released_key"),
        attempt=decode_count(document, "attempt"),
        lease_expirations=decode_count(document, "takebacks"),
        version=decode_count(document, "version"),
        claim=document.get("claim"),
        begun=decode_begun(document) if state is State.SENDING else None,
        date=document.get("date"),
        reason=document["reason"],
        attempts=tuple(map(decode_attempt, decode_documents(document, "attempts"))),
        **decode_optional_fields(document),
    )


def decode_state(document: Mapping[str, Any]) -> State:
    try:
        return State(document["state"])
    except ValueError:
        raise make_field_error("state", document["state"]) from None


def decode_optional_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """Decode what a caller may have asked for beside whom, what and when."""
    check_optional_time(document, "dedup_until")
    return {
        "template": document["template"],
        "variables": decode_text_map(document, "variables"),
        "labels": decode_text_map(document, "labels"),
        "reply_to": document.get("reply_to") or "",
        "request_id": document.get("request_id") or "",
        "fingerprint": document.get("fingerprint") or "",
        "dedup_until": document.get("dedup_until"),
        "has_own_expire_time": decode_flag(document, "not_after_asked"),
        "priority": Priority(document.get("priority") or Priority.NORMAL),
    }


def decode_begun(document: Mapping[str, Any]) -> datetime | None:
    """Return when the body of a claimed job was about to be written; None: it was not."""
    check_optional_time(document, "begun")
    return document.get("begun")


def explain_unreadable(document: Mapping[str, Any], error: Exception) -> str:
    """Say what is wrong with *document*, which *error* says is none; one set aside has its state.

    The state that it had is in `aside`, and what made it unreadable is in another field.
    """
    if document.get("state") != QUARANTINED:
        return describe_decode_error(error)
    try:
        decode({**document, "state": document["aside"]})
    except DECODE_ERRORS as cause:
        return f"it is set aside, because {describe_decode_error(cause)}"
    if (why := find_quarantine_reason(document)) is not None:
        return f"it is set aside, because {why}; it is tried again every ten minutes"
    return "it was set aside and is mended: the next sweep takes it up again"


def find_quarantine_reason(document: Mapping[str, Any]) -> str | None:
    """Return why a readable document was set aside; None: it only could not be read."""
    unfit = document.get("unfit")
    return str(unfit.get("why"))[:MAX_REASON_LENGTH] if isinstance(unfit, dict) else None


def describe_decode_error(error: Exception) -> str:
    """Say what made a document unreadable; never a value of a caller."""
    return f"its field {error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def decode_each(seen: Iterable[Document]) -> tuple[list[DecodedJob], list[UnreadableDocument]]:
    """Decode what can be read, with its document; give the others with what is wrong with them.

    One document that cannot be read must not stop all the others.
    """
    readable: list[DecodedJob] = []
    unreadable: list[UnreadableDocument] = []
    for document in seen:
        try:
            readable.append((document, decode(document)))
        except DECODE_ERRORS as error:
            unreadable.append((document, describe_decode_error(error)))
    return readable, unreadable


def encode_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "begun": attempt.start_time,
        "ended": attempt.end_time,
        "kind": STORED_KINDS[attempt.kind],
        "relay": attempt.relay,
        "code": attempt.code,
        "enhanced": attempt.enhanced_code,
        "text": attempt.text,
    }


def decode_attempt(document: Mapping[str, Any]) -> Attempt:
    # Field by field: a newer version of us may have written more.
    check_times(document, ("begun", "ended"))
    check_texts(document, ("relay", "text"))
    check_optional_texts(document, ("enhanced",))
    return Attempt(
        start_time=document["begun"],
        end_time=document["ended"],
        kind=kind_of(document),
        relay=document["relay"],
        code=decode_optional_count(document, "code"),
        enhanced_code=document["enhanced"],
        text=document["text"],
    )


def kind_of(document: Mapping[str, Any]) -> Kind:
    stored = document["kind"]
    if (kind := KINDS.get(stored) if isinstance(stored, str) else None) is None:
        raise make_field_error("kind", stored)
    return kind


MAX_SHOWN_LENGTH = 2_000
MAX_SHOWN_COUNT = 2**53  # a double holds each number up to there
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def read_text(document: Mapping[str, Any], name: str) -> str:
    """Give the text of that *name*, as far as a message takes it; "" when there is none."""
    value = document.get(name)
    return value[:MAX_SHOWN_LENGTH] if isinstance(value, str) else ""


def read_time(document: Mapping[str, Any], name: str) -> datetime:
    """Give the moment of that *name*; the begin of 1970 when there is none."""
    value = document.get(name)
    return value if isinstance(value, datetime) else UNKNOWN_TIME


def read_latest_time(document: Mapping[str, Any], name: str) -> datetime:
    """Return the moment of that *name*, or the latest of several: a block lasts until then."""
    value = document.get(name)
    moments = [each for each in value if isinstance(each, datetime)] if is_list(value) else []
    return max(moments) if moments else read_time(document, name)


def is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def read_count(document: Mapping[str, Any], name: str) -> int:
    """Return the count of that *name*; 0 where there is none."""
    value = document.get(name)
    is_count = isinstance(value, int | float) and 0 <= value <= MAX_SHOWN_COUNT
    return int(value) if is_count and value is not None else 0
