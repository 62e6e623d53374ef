"""Limit the streams: watches of health, and server reflection.

A stream holds memory for as long as its caller likes, and gRPC would read 4 MiB of each before a
handler starts. So streams are counted, and a limiter reads their messages, as those of other calls.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc

from gcsched.errors import GcschedError, Overloaded, RequestTooLarge
from gcsched.rpc.call import Context, Handler
from gcsched.rpc.read_limiter import ReadLimiter, create_health_read_limiter
from gcsched.rpc.receiver import parse_message
from gcsched.rpc.status import abort
from gcsched.rpc.streams import write_responses
from gcsched.rpc.watch_limiter import WatchLimiter

MAX_BIDI_STREAMS = 16  # of up to 4 MiB each
MAX_WATCH_REQUEST = 1024  # octets, kept for as long as the stream
MAX_SILENCE = timedelta(seconds=60)
WATCH_EVICTED = "too many health watches, so the oldest one was closed; open the stream again"


class StreamLimitInterceptor(grpc.aio.ServerInterceptor):
    """Counts the open streams and refuses or closes excess ones.

    An excess bidirectional stream gets RESOURCE_EXHAUSTED at once, and so does an excess watch of
    one connection. If all connections together have too many watches, the oldest is closed.
    """

    def __init__(self, watches: WatchLimiter | None = None) -> None:
        self._watch_reads = create_health_read_limiter()
        self._watches = watches or WatchLimiter()
        self._bidi_reads = ReadLimiter(
            max_reads=MAX_BIDI_STREAMS, max_slow=MAX_BIDI_STREAMS, longest=MAX_SILENCE
        )
        self._bidi_streams = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        limited = self._limit_bidi_stream if handler.request_streaming else self._limit_watch
        return grpc.stream_stream_rpc_method_handler(
            limited(handler), response_serializer=handler.response_serializer
        )

    def _limit_watch(self, handler: Any) -> Callable[..., Awaitable[None]]:
        async def serve_watch(_: object, context: Context) -> None:
            try:
                with self._watches.slot(context.peer()) as slot:
                    try:
                        await self._answer_watch(handler, context)
                    except asyncio.CancelledError:
                        if not slot.consume_eviction():
                            raise
                        await context.abort(grpc.StatusCode.UNAVAILABLE, WATCH_EVICTED)
            except GcschedError as error:
                await abort(context, error)

        return serve_watch

    async def _answer_watch(self, handler: Any, context: Context) -> None:
        """Read the name of the service to watch, and report its health until the stream ends."""
        raw = await self._watch_reads.read_single(context)
        if len(raw) > MAX_WATCH_REQUEST:
            raise RequestTooLarge(len(raw), MAX_WATCH_REQUEST)
        request = parse_message(handler.request_deserializer, raw)
        await write_responses(handler.unary_stream(request, context), context)

    def _limit_bidi_stream(self, handler: Any) -> Callable[..., Awaitable[None]]:
        async def serve_bidi_stream(_: object, context: Context) -> None:
            async def requests() -> AsyncIterator[Any]:
                while (raw := await self._bidi_reads.read_next(context)) is not None:
                    yield parse_message(handler.request_deserializer, raw)

            if self._bidi_streams >= MAX_BIDI_STREAMS:
                await abort(context, Overloaded(self._bidi_streams))
            self._bidi_streams += 1
            try:
                await write_responses(handler.stream_stream(requests(), context), context)
            except GcschedError as error:
                await abort(context, error)
            finally:
                self._bidi_streams -= 1

        return serve_bidi_stream
