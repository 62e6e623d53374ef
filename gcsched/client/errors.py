"""What a caller catches when the service did not say yes, made of gRPC's error and its details."""

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
    """What is known of a failed call beside the sentence."""

    code: str
    reason: str
    metadata: Mapping[str, str]
    violations: tuple[Violation, ...]
    retry_after: timedelta | None


class CallFailed(GcschedError):
    """The service did not say yes; which subclass it is says what can be done about it."""

    def __init__(self, sentence: str, **known: Unpack[FailureDetails]) -> None:
        refuse_unknown(known, FailureDetails.__optional_keys__, caller=type(self).__name__)
        super().__init__(sentence)
        self.code = known.get("code", "UNKNOWN")
        self.reason = known.get("reason", "")
        self.violations = known.get("violations", ())
        self.retry_after = known.get("retry_after")
        self.metadata = known.get("metadata", {})


class InvalidArgument(CallFailed):
    """The request breaks rules; `violations` names them all, by the fields of task.proto."""


class Unavailable(CallFailed):
    """Nothing was promised, in up to five attempts: ask again later, with the same `at`."""


class ResourceExhausted(CallFailed):
    """The service has too much to do: ask again after `retry_after`."""


class DeadlineExceeded(CallFailed):
    """Nobody knows whether it was accepted: ask again, with the same `at` it is the same job."""


CLASS_BY_CODE: dict[grpc.StatusCode, type[CallFailed]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def convert_error(error: grpc.RpcError, target: str, timeout: float) -> CallFailed:
    """Make what a caller catches of gRPC's *error* and the details of its status (AIP-193)."""
    code, said, known = error.code(), error.details() or "", read_details(error)
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        sentence = said
    elif code is grpc.StatusCode.UNAVAILABLE:
        sentence = f"{target} is unavailable: {said}"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED and not known["reason"]:
        sentence = f"{target} did not answer within {timeout:g} s"
    else:
        sentence = f"{target} answered {code.name}: {said}"
    return CLASS_BY_CODE.get(code, CallFailed)(sentence, **known)


def read_details(error: grpc.RpcError) -> FailureDetails:
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    with suppress(DecodeError, ValueError):  # a gateway's own details are no reason to fail here
        status = rpc_status.from_call(error)
        for packed in status.details if status else ():
            for wanted in (info, bad, retry):
                packed.Unpack(wanted)
    return {
        "code": error.code().name,
        "reason": info.reason,
        "metadata": dict(info.metadata),
        "violations": tuple(Violation(v.field, v.description) for v in bad.field_violations),
        "retry_after": retry.retry_delay.ToTimedelta() or None,
    }
