"""Calls of named clients, for handlers that are served without access control."""

from collections.abc import Mapping
from typing import Any

from gcsched.domain.access import Client, Scope
from gcsched.rpc.call import Context
from gcsched.rpc.caller import CALLER

NAME = "test-client"
"""The metadata that names the client of a call."""

CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client(name="payroll", scopes=frozenset({Scope.SCHEDULE, Scope("steer"), Scope.BULK})),
        Client(name="hr", scopes=frozenset({Scope.SCHEDULE, Scope("steer"), Scope.BULK})),
        Client(name="reader", scopes=frozenset({Scope.READ})),
        Client(name="support", scopes=frozenset({Scope.READ, Scope.CONTENT})),
    )
}


def called_by(name: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call of the client *name*; "" for none: anyone may do anything."""
    return ((NAME, name),) if name else ()


class NamedCallers:
    """The methods of *handler*, each call by the client that its metadata names."""

    def __init__(self, handler: object) -> None:
        self._handler = handler

    def __getattr__(self, method: str) -> Any:
        handle = getattr(self._handler, method)

        async def handle_as_client(request: Any, context: Context) -> Any:
            given = {
                key: value for key, value in context.invocation_metadata() or () if key == NAME
            }
            if given:
                CALLER.set(CLIENTS[str(given[NAME])])
            return await handle(request, context)

        return handle_as_client
