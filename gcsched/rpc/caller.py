"""The client that has made the current call, and who acts by it.

gRPC runs the interceptors and the handler of a call in one task, so what an interceptor sets here
is what the handler of the same call reads.
"""

from contextvars import ContextVar

from gcsched.domain.access import ANYONE, Client
from gcsched.domain.actor import Actor

VIA = "grpc"
"""The way by which these calls come, as steps and audit entries name it."""

CALLER: ContextVar[Client] = ContextVar("CALLER", default=ANYONE)


def current_caller() -> Client:
    """Return the client of the current call; ANYONE where access is not controlled."""
    return CALLER.get()


def current_actor(method: str) -> Actor:
    """Return who acts by the current call of *method*."""
    return Actor(client=current_caller(), via=VIA, method=method)
