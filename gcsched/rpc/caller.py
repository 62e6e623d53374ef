"""The client that has made the current call.

gRPC runs the interceptors and the handler of a call in one task, so what an interceptor sets here
is what the handler of the same call reads.
"""

from contextvars import ContextVar

from gcsched.domain.access import ANYONE, Client

CALLER: ContextVar[Client] = ContextVar("CALLER", default=ANYONE)


def current_caller() -> Client:
    """Return the client of the current call; ANYONE where access is not controlled."""
    return CALLER.get()
