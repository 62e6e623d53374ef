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
    JobSuperseded,
    MalformedMessage,
    MeetingCancelled,
    MeetingContended,
    MeetingOver,
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
    UnknownAttendee,
    UnknownJob,
    UnknownMeeting,
    UnknownRecipient,
    UnknownSuppression,
    UnreadableJob,
    UnreadableMeeting,
    Violation,
)

EPOCH = datetime.fromtimestamp(0, UTC)
JOB_ID = "0" * 32  # for methods whose request names no job
MEETING_ID = "1" * 32  # for methods whose request names no meeting


def job_id_of(request: Any) -> str:
    """Return the job that *request* names, a made-up id if its kind names none."""
    return getattr(request, "job_id", JOB_ID)


def meeting_id_of(request: Any) -> str:
    """Return the meeting that *request* names or contains, a made-up id if it has none."""
    meeting_id: str = getattr(getattr(request, "meeting", request), "meeting_id", MEETING_ID)
    return meeting_id


def make_etag_mismatch(request: Any) -> EtagMismatch:
    """Return the error of a method that changes a job, or of one that changes a meeting."""
    if hasattr(request, "job_id"):
        return EtagMismatch(job_id_of(request))
    return EtagMismatch(meeting_id_of(request), kind="meeting")


def make_request_id_reused(request: Any) -> RequestIdReused:
    """Return the error of a request for a meeting, or of one for a mail."""
    request_id = getattr(request, "request_id", "")
    if hasattr(request, "meeting"):
        return RequestIdReused(request_id, MEETING_ID, kind="meeting")
    return RequestIdReused(request_id, JOB_ID)


SAMPLES: Mapping[str, Callable[[Any], GcschedError]] = {
    "ADMISSION_CLOSED": lambda _: AdmissionClosed("a unique index is damaged"),
    "ATTENDEE_NOT_FOUND": lambda request: UnknownAttendee(meeting_id_of(request), ["email"]),
    "CLIENT_LIMIT": lambda _: ClientLimit(
        "tests", "calls_per_second", "makes too many calls", retry_after=timedelta(seconds=1)
    ),
    "CONTENDED": lambda request: JobContended(job_id_of(request), 5),
    "DEADLINE_OVER": lambda _: DeadlineOver(),
    "DUPLICATE_JOB": lambda request: DuplicateJob(job_id_of(request), JOB_ID),
    "ETAG_MISMATCH": make_etag_mismatch,
    "ILLEGAL_TRANSITION": lambda request: IllegalTransition(
        job_id_of(request), "SENT", "CANCELLED", state_time=EPOCH, why="its mail has left"
    ),
    "INTERNAL": lambda _: InternalError(),
    "INVALID_REQUEST": lambda _: InvalidRequest([Violation("request", "is invalid in this test")]),
    "JOB_NOT_FOUND": lambda request: UnknownJob(job_id_of(request)),
    "JOB_SUPERSEDED": lambda request: JobSuperseded(
        job_id_of(request), MEETING_ID, why="it is superseded by revision 2"
    ),
    "JOB_UNREADABLE": lambda request: UnreadableJob(job_id_of(request)),
    "MALFORMED_MESSAGE": lambda _: MalformedMessage("it cannot be parsed"),
    "MEETING_CANCELLED": lambda request: MeetingCancelled(meeting_id_of(request)),
    "MEETING_CONTENDED": lambda request: MeetingContended(meeting_id_of(request), 5),
    "MEETING_NOT_FOUND": lambda request: UnknownMeeting(meeting_id_of(request)),
    "MEETING_OVER": lambda request: MeetingOver(meeting_id_of(request), EPOCH),
    "MEETING_UNREADABLE": lambda request: UnreadableMeeting(meeting_id_of(request)),
    "MEMORY_FULL": lambda _: MemoryFull(160 << 20, 160 << 20),
    "MESSAGE_LATE": lambda _: MessageTimeout(timedelta(seconds=5)),
    "NOT_FINISHED": lambda _: BulkNotFinished(1_000),
    "OVERLOADED": lambda _: Overloaded(10_000),
    "RECIPIENT_NOT_FOUND": lambda request: UnknownRecipient(getattr(request, "empid", "")),
    "REQUEST_ID_REUSED": make_request_id_reused,
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
