"""A server of some handlers on a real port, and the errors that its caller reads."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gcsched.rpc.server import serve_grpc
from gcsched.rpc.servicer import SchedulerServicer
from tests.support.handlers import handlers_of
from tests.support.service_process import Stub, scheduler_stub


@asynccontextmanager
async def serve_handlers(*handlers: object) -> AsyncIterator[Stub]:
    async with (
        serve_servicer(SchedulerServicer(handlers_of(*handlers))) as target,
        scheduler_stub(target) as stub,
    ):
        yield stub


@asynccontextmanager
async def serve_servicer(servicer: SchedulerServicer) -> AsyncIterator[str]:
    """Yield the address at which *servicer* can be called."""
    open_server = serve_grpc(servicer, listen="127.0.0.1:0", on_call=lambda *_: None)
    async with open_server as server:
        yield f"127.0.0.1:{server.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorStatus:
    """A status as its caller reads it: code, ErrorInfo, and the fields of a BadRequest."""

    code: grpc.StatusCode
    reason: str
    metadata: dict[str, str]
    violations: dict[str, str]


async def read_error_status(call: Awaitable[object]) -> ErrorStatus:
    """Await *call*, which has to fail with exactly one ErrorInfo of this service."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    status = rpc_status.from_call(caught.value)
    assert status is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert [each.Unpack(info) for each in status.details].count(True) == 1
    assert info.domain == "gcsched"
    for each in status.details:
        each.Unpack(bad)
    return ErrorStatus(
        code=caught.value.code(),
        reason=info.reason,
        metadata=dict(info.metadata),
        violations={each.field: each.description for each in bad.field_violations},
    )
