"""An error for each reason of the service, as the service would raise it for a request."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gcsched.errors import (
    AdmissionClosed,
    BulkNotFinished,
    ClientLimit,
    DeadlineOver,
    DuplicateJob,
    EtagMismatch,
    GcschedError,
    IllegalTransition,
    InternalError,
    InvalidRequest,
    JobContended,
    MalformedMessage,
    MemoryFull,
    MessageTimeout,
    Overloaded,
    RequestIdReused,
    RequestTooLarge,
    ScopeMissing,
    Stopping,
    StoreRefused,
    StoreUnavailable,
    Unauthenticated,
    UnknownJob,
    UnknownRecipient,
    UnknownSuppression,
    UnreadableJob,
    Violation,
)

EPOCH = datetime.fromtimestamp(0, UTC)
JOB_ID = "0" * 32  # for methods whose request names no job
SAMPLES: Mapping[str, Callable[[Any], GcschedError]] = {
    "ADMISSION_CLOSED": lambda _: AdmissionClosed("a unique index is damaged"),
    "CLIENT_LIMIT": lambda _: ClientLimit(
        "tests", "calls_per_second", "makes too many calls", retry_after=timedelta(seconds=1)
    ),
    "CONTENDED": lambda request: JobContended(job_id_of(request), 5),
    "DEADLINE_OVER": lambda _: DeadlineOver(),
    "DUPLICATE_JOB": lambda request: DuplicateJob(job_id_of(request), JOB_ID),
    "ETAG_MISMATCH": lambda request: EtagMismatch(job_id_of(request)),
    "ILLEGAL_TRANSITION": lambda request: IllegalTransition(
        job_id_of(request), "SENT", "CANCELLED", state_time=EPOCH, why="its mail has left"
    ),
    "INTERNAL": lambda _: InternalError(),
    "INVALID_REQUEST": lambda _: InvalidRequest([Violation("request", "is invalid in this test")]),
    "JOB_NOT_FOUND": lambda request: UnknownJob(job_id_of(request)),
    "JOB_UNREADABLE": lambda request: UnreadableJob(job_id_of(request)),
    "MALFORMED_MESSAGE": lambda _: MalformedMessage("it cannot be parsed"),
    "MEMORY_FULL": lambda _: MemoryFull(160 << 20, 160 << 20),
    "MESSAGE_LATE": lambda _: MessageTimeout(timedelta(seconds=5)),
    "NOT_FINISHED": lambda _: BulkNotFinished(1_000),
    "OVERLOADED": lambda _: Overloaded(10_000),
    "RECIPIENT_NOT_FOUND": lambda request: UnknownRecipient(getattr(request, "empid", "")),
    "REQUEST_ID_REUSED": lambda request: RequestIdReused(
        getattr(request, "request_id", ""), JOB_ID
    ),
    "REQUEST_TOO_LARGE": lambda request: RequestTooLarge(request.ByteSize(), 64 * 1024),
    "SCOPE_MISSING": lambda _: ScopeMissing("tests", "this method", ["schedule"]),
    "STOPPING": lambda _: Stopping(),
    "STORE_REFUSED": lambda _: StoreRefused(
        "storing the request", "not_allowed", "its user may not write"
    ),
    "STORE_UNAVAILABLE": lambda _: StoreUnavailable("storing the request"),
    "SUPPRESSION_NOT_FOUND": lambda _: UnknownSuppression(),
    "UNAUTHENTICATED": lambda _: Unauthenticated("the call has no token"),
}
"""Reason → an error as the service would raise it for a request."""


def job_id_of(request: Any) -> str:
    """Return the job that *request* names, a made-up id if its kind names none."""
    return getattr(request, "job_id", JOB_ID)
