"""The errors of the client, built from gRPC's error and its status details."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TypedDict, Unpack

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
    """A call failed; its subclass says what the caller can do about it."""

    def __init__(self, sentence: str, **details: Unpack[FailureDetails]) -> None:
        refuse_unknown(details, FailureDetails.__optional_keys__, caller=type(self).__name__)
        super().__init__(sentence)
        self.code = details.get("code", "UNKNOWN")
        self.reason = details.get("reason", "")
        self.violations = details.get("violations", ())
        self.retry_after = details.get("retry_after")
        self.metadata = details.get("metadata", {})


class InvalidArgument(CallFailed):
    """The request breaks rules; `violations` has all of them, by the fields of task.proto."""


class Unavailable(CallFailed):
    """The service accepted nothing in up to five attempts: call again later, with the same `at`."""


class ResourceExhausted(CallFailed):
    """The service is overloaded, or a limit of the client reached: call after `retry_after`."""


class DeadlineExceeded(CallFailed):
    """The service may have accepted it: call again; with the same `at` it is the same job."""


CLASS_BY_CODE: dict[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def convert_error(error: grpc.RpcError, target: str, timeout: float) -> CallFailed:
    """Convert gRPC's *error* and its status details (AIP-193) to an error of the client."""
    code, text, details = error.code(), error.details() or "", read_details(error)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        sentence = text
    elif code is grpc.StatusCode.UNAVAILABLE:
        sentence = f"{target} is unavailable: {text}"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED and not details["reason"]:
        sentence = f"{target} did not answer within {timeout:g} s"
    else:
        sentence = f"{target} answered {code.name}: {text}"
    return CLASS_BY_CODE.get(code, CallFailed)(sentence, **details)


def read_details(error: grpc.RpcError) -> FailureDetails:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    with suppress(DecodeError, ValueError):  # a gateway may send details of its own
        status = rpc_status.from_call(error)
        for packed in status.details if status else ():
            for detail in (info, bad, retry):
                packed.Unpack(detail)
    return {
        "code": error.code().name,
        "reason": info.reason,
        "metadata": dict(info.metadata),
        "violations": tuple(Violation(v.field, v.description) for v in bad.field_violations),
        "retry_after": retry.retry_delay.ToTimedelta() or None,
    }
