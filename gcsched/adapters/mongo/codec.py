"""Jobs to MongoDB documents and back. Fields have the same names on both sides."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import UnionType
from typing import Any

import structlog

from gcsched.domain.attempt import Attempt
from gcsched.domain.due import KEEP_TRYING
from gcsched.domain.job import Job, Priority, State
from gcsched.domain.replies import Kind

OPTIONAL = (
    *("dedup_key", "dedup_until", "released_key", "claim", "begun", "variables", "labels"),
    *("reply_to", "request_id", "fingerprint", "not_after_asked"),
)
UNREADABLE = (KeyError, TypeError, ValueError, OverflowError)
"""What `decode` raises where a document is none of ours."""

MOMENTS = ("created", "due_at", "due", "since")
COUNTS = ("attempt", "takebacks", "version")
TEXTS = ("_id", "empid", "email", "message", "name", "message_id", "template", "reason")


def encode(job: Job) -> dict[str, Any]:
    """Make the document of *job*; fields without a value are left out, as the indexes expect."""
    document: dict[str, Any] = {
        "_id": job.id,
        "state": job.state.value,
        "empid": job.empid,
        "email": job.email,
        "message": job.message,
        "name": job.name,
        "created": job.created,
        "due_at": job.due_at,
        "due": job.due,
        "not_after": job.not_after,
        "since": job.since,
        "message_id": job.message_id,
        "template": job.template,
        "attempt": job.attempt,
        "takebacks": job.takebacks,
        "version": job.version,
        "reason": job.reason,
        "attempts": [encode_attempt(attempt) for attempt in job.attempts],
    }
    for name in OPTIONAL:
        if value := getattr(job, name):
            document[name] = value
    if job.priority is not Priority.NORMAL:
        document["priority"] = job.priority.value
    return document


def decode(document: Mapping[str, Any]) -> Job:
    """Make the job of *document*; raises KeyError, TypeError or ValueError where it is none."""
    check(document, MOMENTS, datetime)
    check(document, COUNTS, int | float)  # a shell writes 1.0 for 1
    check(document, TEXTS, str)
    if document.get("not_after") is not None:
        check(document, ("not_after",), datetime)
    return Job(
        id=document["_id"],
        state=State(document["state"]),
        empid=document["empid"],
        email=document["email"],
        message=document["message"],
        name=document["name"],
        created=document["created"],
        due_at=document["due_at"],
        due=document["due"],
        # Jobs of the first version were written without.
        not_after=document.get("not_after") or document["due_at"] + KEEP_TRYING,
        since=document["since"],
        message_id=document["message_id"],
        dedup_key=document.get("dedup_key"),
        released_key=document.get("released_key"),
        attempt=document["attempt"],
        takebacks=document["takebacks"],
        version=document["version"],
        claim=document.get("claim"),
        begun=document.get("begun"),
        reason=document["reason"],
        attempts=tuple(decode_attempt(attempt) for attempt in document["attempts"]),
        **wishes(document),
    )


def wishes(document: Mapping[str, Any]) -> dict[str, Any]:
    """Decode what a caller may have asked for beside whom, what and when."""
    return {
        "template": document["template"],
        "variables": document.get("variables") or {},
        "labels": document.get("labels") or {},
        "reply_to": document.get("reply_to") or "",
        "request_id": document.get("request_id") or "",
        "fingerprint": document.get("fingerprint") or "",
        "dedup_until": document.get("dedup_until"),
        "not_after_asked": bool(document.get("not_after_asked")),
        "priority": Priority(document.get("priority") or Priority.NORMAL),
    }


def check(document: Mapping[str, Any], names: Iterable[str], kind: type | UnionType) -> None:
    for name in names:
        if not isinstance(document[name], kind):
            raise TypeError(f"{name} is of type {type(document[name]).__name__}")


def decoded(documents: Iterable[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Job]]:
    """Decode what can be read; one document that cannot must not stop all the others."""
    for document in documents:
        try:
            yield document, decode(document)
        except UNREADABLE as error:
            log = structlog.get_logger()
            log.warning("job unreadable", job_id=str(document.get("_id")), error=repr(error))


def encode_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "begun": attempt.begun,
        "ended": attempt.ended,
        "kind": attempt.kind.value,
        "relay": attempt.relay,
        "code": attempt.code,
        "enhanced": attempt.enhanced,
        "text": attempt.text,
    }


def decode_attempt(document: Mapping[str, Any]) -> Attempt:
    # Field by field: a newer version of us may have written more.
    return Attempt(
        begun=document["begun"],
        ended=document["ended"],
        kind=Kind(document["kind"]),
        relay=document["relay"],
        code=document["code"],
        enhanced=document["enhanced"],
        text=document["text"],
    )
