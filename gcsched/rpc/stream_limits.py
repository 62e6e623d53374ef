"""Limit what streams may hold: watches of health, and server reflection.

Each holds memory as long as its caller likes, and gRPC would read 4 MiB of each before a handler
begins. So they are counted, and their messages are read as those of other calls.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import grpc

from gcsched.errors import GcschedError, Overloaded, RequestTooLarge
from gcsched.rpc.call import Context, Handler
from gcsched.rpc.reads import Reads, health_reads
from gcsched.rpc.receiving import parsed
from gcsched.rpc.status import abort
from gcsched.rpc.streams import answered
from gcsched.rpc.watches import Watches

MOST_CONVERSATIONS = 16  # of up to 4 MiB each
LARGEST_WATCH = 1024  # it is kept as long as the stream
LONGEST_SILENCE = timedelta(seconds=60)
MADE_ROOM = "as many watch health as this replica lets, and the oldest makes room; open it again"


class StreamLimits(grpc.aio.ServerInterceptor):
    """Counts the streams under way.

    Conversations that are too many are RESOURCE_EXHAUSTED at once, as are watches of one connection
    only: of all, the oldest makes room.
    """

    def __init__(self, watches: Watches | None = None) -> None:
        self._reads = health_reads()
        self._watches = watches or Watches()
        self._silences = Reads(
            at_once=MOST_CONVERSATIONS, slow=MOST_CONVERSATIONS, longest=LONGEST_SILENCE
        )
        self._conversations = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        limited = self._conversation if handler.request_streaming else self._watch
        return grpc.stream_stream_rpc_method_handler(
            limited(handler), response_serializer=handler.response_serializer
        )

    def _watch(self, handler: Any) -> Callable[..., Awaitable[None]]:
        async def watch(_: object, context: Context) -> None:
            try:
                with self._watches.place(context.peer()) as place:
                    try:
                        await self._follow(handler, context)
                    except asyncio.CancelledError:
                        if not place.is_to_make_room():
                            raise
                        await context.abort(grpc.StatusCode.UNAVAILABLE, MADE_ROOM)
            except GcschedError as error:
                await abort(context, error)

        return watch

    async def _follow(self, handler: Any, context: Context) -> None:
        """Read which service is watched, and tell of it until an end comes from outside."""
        raw = await self._reads.only(context)
        if len(raw) > LARGEST_WATCH:
            raise RequestTooLarge(len(raw), LARGEST_WATCH)
        request = parsed(handler.request_deserializer, raw)
        await answered(handler.unary_stream(request, context), context)

    def _conversation(self, handler: Any) -> Callable[..., Awaitable[None]]:
        async def converse(_: object, context: Context) -> None:
            async def requests() -> AsyncIterator[Any]:
                while (raw := await self._silences.next(context)) is not None:
                    yield parsed(handler.request_deserializer, raw)

            if self._conversations >= MOST_CONVERSATIONS:
                await abort(context, Overloaded(self._conversations))
            self._conversations += 1
            try:
                await answered(handler.stream_stream(requests(), context), context)
            except GcschedError as error:
                await abort(context, error)
            finally:
                self._conversations -= 1

        return converse
