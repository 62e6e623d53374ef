"""The errors of the client, built from gRPC's error and its status details."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, ClassVar, TypedDict, Unpack

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gcsched.client.suggestions import refuse_unknown
from gcsched.errors import GcschedError, Violation


class FailureDetails(TypedDict, total=False):
    """The details of a failed call beside its message."""

    code: str
    reason: str
    metadata: Mapping[str, str]
    violations: tuple[Violation, ...]
    retry_after: timedelta | None


class CallFailed(GcschedError):
    """A call failed; its subclass says what the caller can do about it.

    *code* is gRPC's status code, *reason* and *metadata* are the service's ErrorInfo.
    """

    default_code: ClassVar[str] = "UNKNOWN"
    default_reason: ClassVar[str] = ""

    def __init__(self, sentence: str, **details: Unpack[FailureDetails]) -> None:
        refuse_unknown(details, FailureDetails.__optional_keys__, caller=type(self).__name__)
        super().__init__(sentence)
        self.code = details.get("code", self.default_code)
        self.reason = details.get("reason", self.default_reason)
        self.violations = details.get("violations", ())
        self.retry_after = details.get("retry_after")
        self.metadata = details.get("metadata", {})


class InvalidArgument(CallFailed):
    """The request breaks rules; `violations` has all of them, by the fields of task.proto."""

    default_code = "INVALID_ARGUMENT"


class Unavailable(CallFailed):
    """No answer in five attempts; nothing is promised: call again later, with the same `at`."""

    default_code = "UNAVAILABLE"


class ResourceExhausted(CallFailed):
    """The service is overloaded, or a limit of the client reached: call after `retry_after`."""

    default_code = "RESOURCE_EXHAUSTED"


class DeadlineExceeded(CallFailed):
    """The service may have accepted it: call again; with the same `at` it is the same job."""

    default_code = "DEADLINE_EXCEEDED"


class NotFound(CallFailed):
    """There is no such job, meeting, suppression or recipient, or the client may not see it."""

    default_code = "NOT_FOUND"


class AlreadyExists(CallFailed):
    """The request id has other content, or another job holds the dedup key: see `metadata`."""

    default_code = "ALREADY_EXISTS"


class FailedPrecondition(CallFailed):
    """The state of the job or meeting does not allow the change; `reason` says why."""

    default_code = "FAILED_PRECONDITION"


class Aborted(CallFailed):
    """The job or meeting has changed since it was read: read it again, and decide again."""

    default_code = "ABORTED"


class Unauthenticated(CallFailed):
    """The service requires a valid token or client certificate, and the call had none."""

    default_code = "UNAUTHENTICATED"


class PermissionDenied(CallFailed):
    """The client lacks a scope that the method needs: ask the operator."""

    default_code = "PERMISSION_DENIED"


class Unimplemented(CallFailed):
    """The service is older than the method: upgrade the service."""

    default_code = "UNIMPLEMENTED"


class RefusedDuplicate(CallFailed):
    """The employee had its one mail of this window already (GCSCHED_DEDUP=employee)."""

    default_reason = "REFUSED_DUPLICATE"

    def __init__(
        self,
        sentence: str = "the service refused the request: it allows one mail per employee and"
        " window, and there was one",
        **details: Unpack[FailureDetails],
    ) -> None:
        super().__init__(sentence, **details)


class ClientClosed(CallFailed):
    """The client was closed before the call, or during it: the service may have accepted it."""

    default_code = "CANCELLED"
    default_reason = "CLIENT_CLOSED"

    def __init__(
        self,
        sentence: str = "the client is closed; create another one",
        **details: Unpack[FailureDetails],
    ) -> None:
        super().__init__(sentence, **details)


CLASS_BY_CODE: dict[str, type[CallFailed]] = {
    each.default_code: each
    for each in (
        *(InvalidArgument, Unavailable, ResourceExhausted, DeadlineExceeded, NotFound),
        *(AlreadyExists, FailedPrecondition, Aborted, Unauthenticated, PermissionDenied),
        Unimplemented,
    )
}
CODE_BY_NUMBER: dict[int, grpc.StatusCode] = {each.value[0]: each for each in grpc.StatusCode}


def convert_error(error: grpc.RpcError, target: str, timeout: float) -> CallFailed:
    """Convert gRPC's *error* and its status details (AIP-193) to an error of the client."""
    status = None
    with suppress(DecodeError, ValueError):  # a gateway may send details of its own
        status = rpc_status.from_call(error)
    details = read_details(status.details if status else ())
    code, text = error.code(), error.details() or ""
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and not details.get("reason"):
        return DeadlineExceeded(f"{target} did not answer within {timeout:g} s", **details)
    return build_error(code, text, details, target)


def convert_status(status: Any, target: str) -> CallFailed:
    """Convert the google.rpc.Status of one request in a batch to an error of the client."""
    code = CODE_BY_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    return build_error(code, status.message, read_details(status.details), target)


def build_error(
    code: grpc.StatusCode, text: str, details: FailureDetails, target: str
) -> CallFailed:
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        sentence = text
    elif code is grpc.StatusCode.UNAVAILABLE:
        sentence = f"{target} is unavailable: {text}"
    else:
        sentence = f"{target} answered {code.name}: {text}"
    details["code"] = code.name
    return CLASS_BY_CODE.get(code.name, CallFailed)(sentence, **details)


def read_details(packed_details: Iterable[Any]) -> FailureDetails:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    with suppress(DecodeError, ValueError):
        for packed in packed_details:
            for detail in (info, bad, retry):
                packed.Unpack(detail)
    return {
        "reason": info.reason,
        "metadata": dict(info.metadata),
        "violations": tuple(Violation(v.field, v.description) for v in bad.field_violations),
        "retry_after": retry.retry_delay.ToTimedelta() or None,
    }
