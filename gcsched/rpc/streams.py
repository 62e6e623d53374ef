"""End the streams of callers, such as health watches, when the server winds down."""

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
    """Run each method that answers with a stream in a task, so that `end` can end it."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()
        self._is_ending = False

    @property
    def count(self) -> int:
        """Return how many streams are open."""
        return len(self._open)

    async def end(self) -> None:
        """End all streams with UNAVAILABLE, and from now on each one that begins."""
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
        call: Any = (
            handler.stream_stream
        )  # StreamLimitInterceptor, which is next, makes all of them so
        return grpc.stream_stream_rpc_method_handler(
            partial(self._answer, call),
            response_serializer=handler.response_serializer,
        )

    async def _answer(self, call: Callable[..., Any], request: Any, context: Context) -> None:
        """Let *call* answer until it, its caller or the server ends it."""
        if self._is_ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)
        task = asyncio.create_task(write_responses(call(request, context), context))
        self._open.add(task)
        task.add_done_callback(retrieve_exception)  # its caller may have hung up
        try:
            await asyncio.wait({task})
        finally:
            self._open.discard(task)
            task.cancel()  # the caller hung up
        if task.cancelled():
            await context.abort(grpc.StatusCode.UNAVAILABLE, STOPPING)
        task.result()


async def write_responses(answers: Any, context: Context) -> None:
    """Write what a handler yields; one that writes by itself is awaited."""
    if inspect.isawaitable(answers):
        await answers
        return
    async for each in answers:
        await context.write(each)
