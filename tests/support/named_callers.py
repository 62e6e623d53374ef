"""Calls of named clients, for services without access control."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from gcsched.adapters.mongo.connection import Mongo, open_mongo
from gcsched.domain.access import Client, Scope
from gcsched.domain.actor import Actor
from gcsched.rpc.call import Context
from gcsched.rpc.caller import CALLER
from gcsched.rpc.servicer import Handlers, SchedulerServicer
from gcsched.wiring import resources
from tests.support.handlers import HANDLER_NAMES

NAME = "test-client"
"""The metadata that names the client of a call."""

OWN_JOBS = frozenset({Scope.SCHEDULE, Scope("steer"), Scope.BULK})
CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client(name="payroll", scopes=OWN_JOBS),
        Client(name="hr", scopes=OWN_JOBS),
        Client(name="reader", scopes=frozenset({Scope.READ})),
        Client(name="support", scopes=frozenset({Scope.READ, Scope.CONTENT})),
    )
}


def name_client(name: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call of the client *name*; "" for none: anyone may do anything."""
    return ((NAME, name),) if name else ()


class NamedCallers:
    """The methods of *handler*, each call by the client that its metadata names."""

    def __init__(self, handler: object) -> None:
        self._handler = handler

    def __getattr__(self, method: str) -> Any:
        handle = getattr(self._handler, method)

        async def handle_as_client(request: Any, context: Context) -> Any:
            for key, value in context.invocation_metadata() or ():
                if key == NAME:
                    CALLER.set(CLIENTS[str(value)])
            return await handle(request, context)

        return handle_as_client


def name_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make services take the client of each call from its metadata.

    They make the indexes of clients' jobs, as with access control.
    """
    create = SchedulerServicer.__init__

    def create_with_callers(self: SchedulerServicer, handlers: Handlers, *others: Any) -> None:
        named: Any = {name: NamedCallers(getattr(handlers, name)) for name in HANDLER_NAMES}
        create(self, Handlers(**named), *others)

    monkeypatch.setattr(SchedulerServicer, "__init__", create_with_callers)
    monkeypatch.setattr(resources, "open_mongo", open_with_client_indexes)


def open_with_client_indexes(uri: str, **others: Any) -> AbstractAsyncContextManager[Mongo]:
    return open_mongo(uri, **{**others, "has_clients": True})


def an_actor_of(name: str) -> Actor:
    """Return the actor of a call by one of CLIENTS."""
    return Actor(client=CLIENTS[name], via="grpc", method="CancelJob")
