"""Parse the details of a status (AIP-193)."""

from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

M = TypeVar("M", bound=Message)


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    status = rpc_status.from_call(error)
    assert isinstance(status, status_pb2.Status)
    return status


def details(status: status_pb2.Status, kind: type[M]) -> list[M]:
    """Return the details of *kind* in *status*."""
    found = []
    for packed in status.details:
        message = kind()
        if packed.Unpack(message):
            found.append(message)
    return found


def error_reason(status: status_pb2.Status) -> tuple[str, dict[str, str]]:
    """Return reason and metadata of the only ErrorInfo."""
    [info] = details(status, error_details_pb2.ErrorInfo)
    return info.reason, dict(info.metadata)


def violations(status: status_pb2.Status) -> list[tuple[str, str]]:
    """Return (field, description) of all violations."""
    [bad_request] = details(status, error_details_pb2.BadRequest)
    return [(each.field, each.description) for each in bad_request.field_violations]
