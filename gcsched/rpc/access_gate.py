"""Lets calls of known clients through, each to its methods, before their messages are read."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection

from gcsched.domain.access import SCOPES, UNLISTED, Client, check_scope
from gcsched.domain.refusal import PROBLEMS, Refusal, RefusalReason
from gcsched.errors import ScopeMissing, Unauthenticated
from gcsched.rpc.call import Context, Handler, drop_frames
from gcsched.rpc.caller import CALLER
from gcsched.rpc.caller_certificate import certificate_identities
from gcsched.rpc.contract import SERVICE
from gcsched.rpc.status import PreparedStatus, prepare_status
from gcsched.usecases.access.access_control import AccessControl
from gcsched.usecases.access.refusal_delay import RefusalDelay

AUTHORIZATION = "authorization"
REFLECTION = "reflection"
ACTS: Mapping[str, str] = {
    **{f"/{SERVICE}/{act}": act for act in SCOPES if act != REFLECTION},
    f"/{reflection.SERVICE_NAME}/ServerReflectionInfo": REFLECTION,
}
"""The act of each method that the server has, except those about health, which are open."""

Check = Callable[[Any, Context], Awaitable[Any]]
OnCall = Callable[[str, str, float], None]
"""Called with the method's full name, the name of the status code, and the seconds."""

REFUSALS: Mapping[RefusalReason, PreparedStatus] = {
    reason: prepare_status(Unauthenticated(problem)) for reason, problem in PROBLEMS.items()
}


class AccessGate:
    """Decides by *access* who may call what.

    With *has_certificates* callers identify themselves by client certificates, which only a handler
    can see: then it decides there, still before the message is read.
    """

    def __init__(
        self,
        access: AccessControl,
        *,
        on_call: OnCall,
        has_certificates: bool = False,
        refusal_delay: RefusalDelay | None = None,
    ) -> None:
        self._access = access
        self._on_call = on_call
        self._has_certificates = has_certificates
        self.refusal_delay = refusal_delay or RefusalDelay()

    def guard(self, call: grpc.HandlerCallDetails, handler: Handler) -> Handler:
        """Return *handler* if the caller may call it, else a handler that refuses the call."""
        method: str = call.method
        metadata: Any = call.invocation_metadata
        values = [value for name, value in metadata if name == AUTHORIZATION]
        if self._has_certificates:
            return self._check_in_handler(method, values, handler)
        found = authorize(self._access.authenticate(values), method)
        if isinstance(found, Refusal):
            return self._make_refusing_handler(method, found, handler)
        CALLER.set(found)
        return handler

    def _make_refusing_handler(self, method: str, refusal: Refusal, handler: Any) -> Handler:
        async def refuse(_: object, context: Context) -> None:
            await self._abort(method, refusal, context, is_reported=not handler.response_streaming)

        return grpc.stream_unary_rpc_method_handler(refuse)

    def _check_in_handler(self, method: str, values: Sequence[str], handler: Any) -> Handler:
        serve: Check = handler.stream_stream or handler.stream_unary

        async def check_and_serve(messages: object, context: Context) -> Any:
            identities = certificate_identities(context)
            found = authorize(self._access.authenticate(values, identities), method)
            if isinstance(found, Refusal):
                await self._abort(
                    method, found, context, is_reported=not handler.response_streaming
                )
            else:
                CALLER.set(found)
            return await serve(messages, context)

        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler(
                check_and_serve, response_serializer=handler.response_serializer
            )
        return grpc.stream_unary_rpc_method_handler(check_and_serve)

    async def _abort(
        self, method: str, refusal: Refusal, context: Context, *, is_reported: bool
    ) -> None:
        status = REFUSALS.get(refusal.reason) or prepare_scope_status(refusal.client, method)
        self._access.record_refusal(refusal, method=method, peer=context.peer)
        await self.refusal_delay.wait()
        start = time.perf_counter()
        try:
            await context.abort(status.code, status.details, status.trailing_metadata)
        except grpc.aio.AbortError as error:
            drop_frames(error)
            raise
        finally:
            if is_reported:
                self._on_call(method.lstrip("/"), status.code.name, time.perf_counter() - start)


def authorize(found: Client | Refusal, method: str) -> Client | Refusal:
    """Return the client if it may call *method*."""
    if isinstance(found, Refusal):
        return found
    try:
        check_scope(found, ACTS.get(method, method))
    except ScopeMissing:
        return Refusal(RefusalReason.SCOPE, found.name)
    return found


@lru_cache(maxsize=1000)
def prepare_scope_status(client: str, method: str) -> PreparedStatus:
    """Return the status of a call by *client*, which has no scope of *method*."""
    act = ACTS.get(method, method)
    return prepare_status(ScopeMissing(client, act, SCOPES.get(act, UNLISTED)))
