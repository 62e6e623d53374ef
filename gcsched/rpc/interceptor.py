"""Serve unary methods through a Receiver, and tell of each call how it ended and how long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc

from gcsched.errors import Stopping
from gcsched.rpc.call import Context, Handler
from gcsched.rpc.read_limiter import create_health_read_limiter
from gcsched.rpc.receiver import HEALTH_PREFIX, Receiver, UnaryMethod
from gcsched.rpc.status import abort

OnCall = Callable[[str, str, float], None]
"""Told the method's full name, the name of the code, and the seconds."""

DEADLINE_ROUNDING = 0.02
"""How much longer than the client's a deadline may be here, as a share of it."""

CODE_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each method that exists once; what it raises, an abort above all, passes through."""

    def __init__(self, on_call: OnCall, receiver: Receiver) -> None:
        self._on_call = on_call
        self._receiver = receiver
        self._health_receiver = receiver.with_reads(create_health_read_limiter())
        self.call_count = 0
        """How many calls came; those about health do not count."""
        self._is_stopping = False
        self._wrapped: dict[str, Handler] = {}

    def reject_new_calls(self) -> None:
        """From now on answer each call that comes with UNAVAILABLE, but those about health."""
        self._is_stopping = True

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        if not method.startswith(HEALTH_PREFIX):
            self.call_count += 1
        if (known := self._wrapped.get(method)) is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        is_about_health = method.startswith(HEALTH_PREFIX)
        receiver = self._health_receiver if is_about_health else self._receiver
        told = self._wrap_unary(method.lstrip("/"), UnaryMethod.of(method, handler), receiver)
        self._wrapped[method] = grpc.stream_unary_rpc_method_handler(told)
        return self._wrapped[method]

    def _wrap_unary(
        self, method: str, unary: UnaryMethod, receiver: Receiver
    ) -> Callable[..., Awaitable[Any]]:
        async def answer_and_report(_: object, context: Context) -> Any:
            begun = time.perf_counter()
            code = grpc.StatusCode.UNKNOWN.name
            try:
                if self._is_stopping and receiver is not self._health_receiver:
                    await abort(context, Stopping())
                response = await receiver.answer(unary, context)
                code = code_of(context)
            except grpc.aio.AbortError as error:
                code = code_of(context)
                drop_frames(error)
                raise
            except asyncio.CancelledError:
                code = classify_cancellation(context, time.perf_counter() - begun)
                raise
            else:
                return response
            finally:
                self._on_call(method, code, time.perf_counter() - begun)

        return answer_and_report


def drop_frames(error: BaseException) -> None:
    """Drop what *error* refers to: the context keeps it, and with its frames the whole request."""
    error.__context__ = None
    error.__traceback__ = None


def code_of(context: Context) -> str:
    code: Any = context.code()  # an int, whatever its annotation says; 0 or None: nothing was set
    return CODE_NAMES[code.value[0] if isinstance(code, grpc.StatusCode) else code or 0]


def classify_cancellation(context: Context, seconds: float) -> str:
    """Return why the caller ended a call that has run for *seconds*: its deadline, or a cancel.

    A client ends a call at its own deadline, but sends that deadline rounded up (measured: 10.2 s
    arrives as 10.3 s), so its cancel comes while the server still has a little time left.
    """
    left = cast("float | None", context.time_remaining())  # None: without a deadline
    if left is None or left > DEADLINE_ROUNDING * (seconds + left):
        return grpc.StatusCode.CANCELLED.name
    return grpc.StatusCode.DEADLINE_EXCEEDED.name
