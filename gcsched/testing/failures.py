"""Errors that a test chooses, as the status that the service sends for them."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from gcsched.client.errors import CLASS_BY_CODE, CallFailed, ClientClosed, RefusedDuplicate
from gcsched.client.suggestions import suggest_name
from gcsched.errors import GcschedError
from gcsched.rpc.status import (
    DOMAIN,
    STATUS,
    build_bad_request,
    duration,
    pack_any,
    status_of,
    truncate,
)
from gcsched.testing.failure_samples import SAMPLES

Reason: TypeAlias = Literal[
    "ADMISSION_CLOSED",
    "ATTENDEE_NOT_FOUND",
    "CLIENT_LIMIT",
    "CONTENDED",
    "DEADLINE_OVER",
    "DUPLICATE_JOB",
    "ETAG_MISMATCH",
    "ILLEGAL_TRANSITION",
    "INTERNAL",
    "INVALID_REQUEST",
    "JOB_NOT_FOUND",
    "JOB_SUPERSEDED",
    "JOB_UNREADABLE",
    "MALFORMED_MESSAGE",
    "MEETING_CANCELLED",
    "MEETING_CONTENDED",
    "MEETING_NOT_FOUND",
    "MEETING_OVER",
    "MEETING_UNREADABLE",
    "MEMORY_FULL",
    "MESSAGE_LATE",
    "NOT_FINISHED",
    "OVERLOADED",
    "RECIPIENT_NOT_FOUND",
    "REQUEST_ID_REUSED",
    "REQUEST_TOO_LARGE",
    "SCOPE_MISSING",
    "STOPPING",
    "STORE_REFUSED",
    "STORE_UNAVAILABLE",
    "SUPPRESSION_NOT_FOUND",
    "UNAUTHENTICATED",
]
"""The reasons of the service's errors, as in docs/api.md."""
Code: TypeAlias = Literal[
    "ABORTED",
    "ALREADY_EXISTS",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN",
]
"""The codes of gRPC, for errors that do not come from the service itself."""
Failure: TypeAlias = Reason | Code | GcschedError
"""What may fail a call: a reason, a code, or the error itself, of the client or of the service."""

CODES = {code.name: code.value[0] for code in grpc.StatusCode if code is not grpc.StatusCode.OK}


class CallRefused(Exception):
    """A call, or a request of a batch, is answered with the error *status*."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


def check_failure(failure: Failure) -> None:
    """Raise ValueError or TypeError for what cannot fail a call, while the test sets it up."""
    if isinstance(failure, str):
        if failure not in SAMPLES and failure not in CODES:
            known = sorted({*SAMPLES, *CODES})
            raise ValueError(
                f"{failure!r} is neither a reason nor a code{suggest_name(failure, known)};"
                f" use one of {', '.join(known)}"
            )
    elif isinstance(failure, RefusedDuplicate):
        raise TypeError(
            "RefusedDuplicate is an answer: use fake.answer('ScheduleMeet',"
            " task_pb2.MeetResponse(outcome='REFUSED_DUPLICATE'))"
        )
    elif isinstance(failure, ClientClosed):
        raise TypeError("ClientClosed comes from the client itself: close it")
    elif not isinstance(failure, CallFailed) and type(failure) not in STATUS:
        raise TypeError(
            f"{failure!r} cannot fail a call: use a reason such as 'STORE_UNAVAILABLE', a code such"
            " as 'DEADLINE_EXCEEDED', or an error of gcsched.client such as Unavailable('away')"
        )


def build_status(failure: Failure, request: Any) -> status_pb2.Status:
    """Return the status with which *failure* answers *request*, as from the service."""
    if isinstance(failure, str):
        if failure not in SAMPLES:
            return status_pb2.Status(code=CODES[failure], message="the test made this call fail")
        failure = SAMPLES[failure](request)
    return (
        status_of_client_error(failure) if isinstance(failure, CallFailed) else status_of(failure)
    )


def status_of_client_error(error: CallFailed) -> status_pb2.Status:
    """Return the status that the client converts to *error*."""
    return status_pb2.Status(
        code=CODES[code_of_client_error(error)],
        message=truncate(str(error)),
        details=[pack_any(each) for each in list_details(error)],
    )


def code_of_client_error(error: CallFailed) -> str:
    """Return the code of *error*, or that of its class if it was made without one."""
    if error.code in CODES and error.code != "UNKNOWN":
        return error.code
    names = (code for code, cls in CLASS_BY_CODE.items() if isinstance(error, cls))
    return next(names, "UNKNOWN")


def list_details(error: CallFailed) -> Iterable[Message]:
    if error.reason:
        yield error_details_pb2.ErrorInfo(
            reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata)
        )
    if error.violations:
        yield build_bad_request(error.violations)
    if error.retry_after is not None:
        yield error_details_pb2.RetryInfo(retry_delay=duration(error.retry_after))


def name_status(status: status_pb2.Status) -> str:
    """Return the reason of *status*, or its code if it has none."""
    info = error_details_pb2.ErrorInfo()
    for packed in status.details:
        packed.Unpack(info)
    codes = (name for name, number in CODES.items() if number == status.code)
    return info.reason or next(codes, str(status.code))
