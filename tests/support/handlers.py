"""Handlers of some methods of the contract, for tests that serve no more than those."""

from types import SimpleNamespace
from typing import Any

import grpc

from gcsched.pb import task_pb2
from gcsched.rpc.servicer import Handlers

METHODS = [method.name for method in task_pb2.DESCRIPTOR.services_by_name["Scheduler"].methods]
KINDS = tuple(Handlers.__dataclass_fields__)


async def unimplemented(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "method not implemented")


def handlers_of(*some: object) -> Handlers:
    """Answer each method by the first of *some* that has it; UNIMPLEMENTED where none does."""
    methods = dict.fromkeys(METHODS, unimplemented)
    for handler in reversed(some):
        methods |= {name: getattr(handler, name) for name in METHODS if hasattr(handler, name)}
    every: Any = SimpleNamespace(**methods)
    return Handlers(**dict.fromkeys(KINDS, every))
