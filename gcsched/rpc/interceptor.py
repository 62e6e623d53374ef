"""Serve unary methods through a Receiver, and report the code and the duration of each call."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc

from gcsched.domain.access import Client
from gcsched.errors import ClientLimit, GcschedError, Stopping
from gcsched.rpc.access_gate import AccessGate, OnCall
from gcsched.rpc.call import Context, Handler, drop_frames
from gcsched.rpc.caller import current_caller
from gcsched.rpc.read_limiter import create_health_read_limiter
from gcsched.rpc.receiver import HEALTH_PREFIX, Receiver, UnaryMethod
from gcsched.rpc.status import abort
from gcsched.usecases.access.refusal_delay import RefusalDelay

CallCheck = Callable[[Client], None]
"""Called with the client of each call before its message is read; raises ClientLimit."""


def allow_call(_: Client) -> None:
    """Allow every call."""


MAX_WAITING_OF_CLIENTS = 1_000
DEADLINE_ROUNDING = 0.02
"""By how much a deadline may be later here than at the client, as a share of the call's time."""

CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each method once, at its first call; exceptions, aborts above all, pass through.

    A *gate* decides at each call, but not at calls about health: probes have no token. *check_call*
    refuses the calls of a client that makes too many.
    """

    def __init__(
        self,
        on_call: OnCall,
        receiver: Receiver,
        *,
        check_call: CallCheck = allow_call,
        gate: AccessGate | None = None,
    ) -> None:
        self._on_call = on_call
        self._check_call = check_call
        self._gate = gate
        self._receiver = receiver
        self._refusal_delay = RefusalDelay() if gate is None else gate.refusal_delay
        # The clients that reach their limits do not wait for strangers.
        self._limit_delay = RefusalDelay(max_waiting=MAX_WAITING_OF_CLIENTS)
        self._health_receiver = receiver.with_reads(create_health_read_limiter())
        self.call_count = 0
        """How many calls have arrived, without those about health."""
        self._is_stopping = False
        self._wrapped: dict[str, Handler] = {}

    def reject_new_calls(self) -> None:
        """Answer each later call with UNAVAILABLE, except calls about health."""
        self._is_stopping = True
        self._refusal_delay.stop()
        self._limit_delay.stop()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        is_about_health = method.startswith(HEALTH_PREFIX)
        if not is_about_health:
            self.call_count += 1
        handler = self._wrapped.get(method)
        if handler is None:
            handler = await continuation(handler_call_details)
            if handler is not None and handler.unary_unary is not None:
                handler = self._wrap(method, handler)
        if handler is None:
            await self._refusal_delay.wait()
            return None  # gRPC answers UNIMPLEMENTED
        if self._gate is None or is_about_health:
            return handler
        return self._gate.guard(handler_call_details, handler)

    def _wrap(self, method: str, handler: Handler) -> Handler:
        """Return a handler that reports the calls of *handler*, and keep it for later calls."""
        receiver = self._health_receiver if method.startswith(HEALTH_PREFIX) else self._receiver
        serve = self._wrap_unary(method.lstrip("/"), UnaryMethod.of(method, handler), receiver)
        self._wrapped[method] = grpc.stream_unary_rpc_method_handler(serve)
        return self._wrapped[method]

    def _wrap_unary(
        self, method: str, unary: UnaryMethod, receiver: Receiver
    ) -> Callable[..., Awaitable[Any]]:
        async def answer_and_report(_: object, context: Context) -> Any:
            start = time.perf_counter()
            code = grpc.StatusCode.UNKNOWN.name
            try:
                if receiver is not self._health_receiver and (refusal := self._find_refusal()):
                    await self._limit_delay.wait()
                    start = time.perf_counter()  # the wait does not count
                    await abort(context, refusal)
                response = await receiver.answer(unary, context)
                code = code_of(context)
            except grpc.aio.AbortError as error:
                code = code_of(context)
                drop_frames(error)
                raise
            except asyncio.CancelledError:
                code = classify_cancellation(context, time.perf_counter() - start)
                raise
            else:
                return response
            finally:
                self._on_call(method, code, time.perf_counter() - start)

        return answer_and_report

    def _find_refusal(self) -> GcschedError | None:
        """Return why the call is refused before its message is read; None if it is not."""
        if self._is_stopping:
            return Stopping()
        try:
            self._check_call(current_caller())
        except ClientLimit as error:
            return error
        return None


def code_of(context: Context) -> str:
    code: Any = context.code()  # an int, despite its annotation; 0 or None if it was not set
    return CODE_NAMES[code.value[0] if isinstance(code, grpc.StatusCode) else code or 0]


def classify_cancellation(context: Context, seconds: float) -> str:
    """Return the code of a call that its caller ended after *seconds*: deadline or cancellation.

    A client ends a call at its own deadline, but sends that deadline rounded up (measured: 10.2 s
    arrives as 10.3 s). So its cancellation comes while the server still has a little time left.
    """
    left = cast("float | None", context.time_remaining())  # None: without a deadline
    if left is None or left > DEADLINE_ROUNDING * (seconds + left):
        return grpc.StatusCode.CANCELLED.name
    return grpc.StatusCode.DEADLINE_EXCEEDED.name
