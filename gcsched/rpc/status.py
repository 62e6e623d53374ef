"""Convert our errors to the status that callers see: code, message and details."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import NamedTuple, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

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

DOMAIN = "gcsched"
# A status is sent in trailers: its message twice, its details as base64. Clients accept 8 KiB.
MAX_TEXT_BYTES = 800
MAX_VIOLATIONS_BYTES = 2_800

STATUS: dict[type[GcschedError], tuple[int, str]] = {
    InvalidRequest: (code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST"),
    Unauthenticated: (code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED"),
    ScopeMissing: (code_pb2.PERMISSION_DENIED, "SCOPE_MISSING"),
    ClientLimit: (code_pb2.RESOURCE_EXHAUSTED, "CLIENT_LIMIT"),
    RequestIdReused: (code_pb2.ALREADY_EXISTS, "REQUEST_ID_REUSED"),
    RequestTooLarge: (code_pb2.INVALID_ARGUMENT, "REQUEST_TOO_LARGE"),
    MalformedMessage: (code_pb2.INVALID_ARGUMENT, "MALFORMED_MESSAGE"),
    UnknownJob: (code_pb2.NOT_FOUND, "JOB_NOT_FOUND"),
    UnreadableJob: (code_pb2.INTERNAL, "JOB_UNREADABLE"),
    UnknownSuppression: (code_pb2.NOT_FOUND, "SUPPRESSION_NOT_FOUND"),
    UnknownRecipient: (code_pb2.NOT_FOUND, "RECIPIENT_NOT_FOUND"),
    UnknownMeeting: (code_pb2.NOT_FOUND, "MEETING_NOT_FOUND"),
    UnreadableMeeting: (code_pb2.INTERNAL, "MEETING_UNREADABLE"),
    UnknownAttendee: (code_pb2.NOT_FOUND, "ATTENDEE_NOT_FOUND"),
    IllegalTransition: (code_pb2.FAILED_PRECONDITION, "ILLEGAL_TRANSITION"),
    JobSuperseded: (code_pb2.FAILED_PRECONDITION, "JOB_SUPERSEDED"),
    MeetingOver: (code_pb2.FAILED_PRECONDITION, "MEETING_OVER"),
    MeetingCancelled: (code_pb2.FAILED_PRECONDITION, "MEETING_CANCELLED"),
    DuplicateJob: (code_pb2.ALREADY_EXISTS, "DUPLICATE_JOB"),
    EtagMismatch: (code_pb2.ABORTED, "ETAG_MISMATCH"),
    JobContended: (code_pb2.ABORTED, "CONTENDED"),
    MeetingContended: (code_pb2.ABORTED, "MEETING_CONTENDED"),
    BulkNotFinished: (code_pb2.DEADLINE_EXCEEDED, "NOT_FINISHED"),
    DeadlineOver: (code_pb2.DEADLINE_EXCEEDED, "DEADLINE_OVER"),
    InternalError: (code_pb2.INTERNAL, "INTERNAL"),
    Overloaded: (code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED"),
    MemoryFull: (code_pb2.RESOURCE_EXHAUSTED, "MEMORY_FULL"),
    MessageTimeout: (code_pb2.RESOURCE_EXHAUSTED, "MESSAGE_LATE"),
    Stopping: (code_pb2.UNAVAILABLE, "STOPPING"),
    StoreUnavailable: (code_pb2.UNAVAILABLE, "STORE_UNAVAILABLE"),
    StoreRefused: (code_pb2.UNAVAILABLE, "STORE_REFUSED"),
    AdmissionClosed: (code_pb2.UNAVAILABLE, "ADMISSION_CLOSED"),
}
"""Every error that can reach a caller: its code (AIP-193) and its ErrorInfo reason."""


CANCELLED = "CANCELLED"
"""The reason in the audit when the caller has left, or its deadline passed, before the end."""

RETRYABLE = (Overloaded, MemoryFull, MessageTimeout, ClientLimit, Stopping, StoreUnavailable)
"""The errors that say when to call again (google.rpc.RetryInfo)."""


def status_of(error: GcschedError) -> status_pb2.Status:
    """Return the google.rpc.Status of *error*: code, message and details (AIP-193)."""
    code, reason = STATUS[type(error)]
    return status_pb2.Status(
        code=code,
        message=truncate(str(error)),
        details=[pack_any(each) for each in build_details(error, reason)],
    )


def reason_of(error: BaseException) -> str:
    """Return the ErrorInfo reason of *error*; INTERNAL for a defect."""
    if isinstance(error, asyncio.CancelledError):
        return CANCELLED
    return STATUS[type(error) if isinstance(error, GcschedError) else InternalError][1]


def truncate(text: str) -> str:
    octets = text.encode()
    if len(octets) <= MAX_TEXT_BYTES:
        return text
    return octets[:MAX_TEXT_BYTES].decode(errors="ignore") + " …"


def build_details(error: GcschedError, reason: str) -> list[Message]:
    built: list[Message] = [
        error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=error.metadata)
    ]
    if isinstance(error, InvalidRequest):
        built.append(build_bad_request(error.violations))
    if isinstance(error, RETRYABLE):
        built.append(error_details_pb2.RetryInfo(retry_delay=duration(error.retry_after)))
    return built


def build_bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    """List *violations* as far as they fit, then the number of the others."""
    bad_request, left = error_details_pb2.BadRequest(), MAX_VIOLATIONS_BYTES
    for number, each in enumerate(violations):
        problem = truncate(each.problem)
        left -= len(each.field.encode()) + len(problem.encode())
        if left < 0:
            rest = f"and {len(violations) - number} more from here on; correct those above first"
            bad_request.field_violations.add(field=each.field, description=rest)
            break
        bad_request.field_violations.add(field=each.field, description=problem)
    return bad_request


def pack_any(message: Message) -> AnyMessage:
    wrapped = AnyMessage()
    wrapped.Pack(message)
    return wrapped


def duration(delta: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(delta)
    return message


class ErrorsAsStatus:
    """Answers our errors with their status; logs any other exception, which is a defect.

    A class, because a generator costs 2 µs more per call. ScheduleMeet, which is called most, calls
    `abort_for` itself.
    """

    __slots__ = ("_context",)

    def __init__(self, context: grpc.aio.ServicerContext[Message, Message]) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            await abort_for(self._context, error)


async def abort_for(context: grpc.aio.ServicerContext[Message, Message], error: Exception) -> None:
    """Answer *error* with its status; an AbortError has been answered already.

    Any other exception than ours is a defect: the log has the details, the caller no internals.
    """
    if isinstance(error, GcschedError):
        await abort(context, error)
    if not isinstance(error, grpc.aio.AbortError):
        import structlog

        structlog.get_logger().error("call failed", exc_info=error)
        await abort(context, InternalError())


class PreparedStatus(NamedTuple):
    """The arguments of gRPC's `abort` for one error."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: tuple[tuple[str, str | bytes], ...]


def prepare_status(error: GcschedError) -> PreparedStatus:
    status = rpc_status.to_status(status_of(error))
    return PreparedStatus(status.code, status.details or "", tuple(status.trailing_metadata))


async def abort(
    context: grpc.aio.ServicerContext[Message, Message], error: GcschedError
) -> NoReturn:
    await context.abort(*prepare_status(error))
