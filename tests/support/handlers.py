"""Handlers of some methods of the contract, for tests that serve only those."""

from types import SimpleNamespace
from typing import Any

import grpc

from gcsched.pb import task_pb2
from gcsched.rpc.servicer import Handlers

METHOD_NAMES = [method.name for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods]
HANDLER_NAMES = tuple(Handlers.__dataclass_fields__)


async def abort_unimplemented(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "method not implemented")


def handlers_of(*some: object) -> Handlers:
    """Return handlers that use the first of *some* with the method, or abort with UNIMPLEMENTED."""
    methods = dict.fromkeys(METHOD_NAMES, abort_unimplemented)
    for handler in reversed(some):
        methods |= {name: getattr(handler, name) for name in METHOD_NAMES if hasattr(handler, name)}
    every: Any = SimpleNamespace(**methods)
    return Handlers(**dict.fromkeys(HANDLER_NAMES, every))
