"""End the streams of callers, such as health watches, when the server stops."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

import grpc

from gcsched.rpc.call import Context, Handler
from gcsched.usecases.loops import cancel_until_done, retrieve_exception

STOPPING = "the service is stopping; open the stream again at another replica"
END_TIMEOUT = timedelta(seconds=1)


class StreamInterceptor(grpc.aio.ServerInterceptor):
    """Runs each method that answers with a stream in a task, so that `end` can end it."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()
        self._is_ending = False

    @property
    def count(self) -> int:
        """Return how many streams are open."""
        return len(self._open)

    async def end(self) -> None:
        """End all open streams with UNAVAILABLE, and all that start from now on."""
        self._is_ending = True
        await cancel_until_done(self._open, within=END_TIMEOUT)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        # StreamLimitInterceptor, the next one, returns only handlers of this kind.
        call: Any = handler.stream_stream
        return grpc.stream_stream_rpc_method_handler(
            partial(self._answer, call),
            response_serializer=handler.response_serializer,
        )

    async def _answer(self, call: Callable[..., Any], request: Any, context: Context) -> None:
        """Run *call* until it, its caller or the server ends the stream."""
        if self._is_ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)
        task = asyncio.create_task(write_responses(call(request, context), context))
        self._open.add(task)
        # This coroutine may be cancelled before it reads the exception of the task.
        task.add_done_callback(retrieve_exception)
        try:
            await asyncio.wait({task})
        finally:
            self._open.discard(task)
            task.cancel()  # the caller hung up
        if task.cancelled():
            await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)
        task.result()


async def write_responses(responses: Any, context: Context) -> None:
    """Write the responses that a handler yields; await a handler that writes by itself."""
    if inspect.isawaitable(responses):
        await responses
        return
    async for each in responses:
        await context.write(each)
