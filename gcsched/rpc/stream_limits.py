"""Limit what streams may hold: watches of health, and server reflection.

Each holds memory as long as its caller likes, and gRPC would read 4 MiB of each before a handler
begins. So they are counted, and their messages are read as those of other calls.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import grpc

from gcsched.errors import GcschedError, Overloaded, RequestTooLarge
from gcsched.rpc.convert import abort
from gcsched.rpc.reads import Reads
from gcsched.rpc.receiving import parsed
from gcsched.rpc.streams import answered

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"

MOST_WATCHES = 1_000  # some 30 KB each; a client has one for each of its connections
MOST_CONVERSATIONS = 16  # of up to 4 MiB each
LARGEST_WATCH = 1024  # it is kept as long as the stream
LONGEST_SILENCE = timedelta(seconds=60)


class StreamLimits(grpc.aio.ServerInterceptor):
    """Counts the streams under way; those that are too many are RESOURCE_EXHAUSTED at once."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._silences = Reads(
            at_once=MOST_CONVERSATIONS, slow=MOST_CONVERSATIONS, longest=LONGEST_SILENCE
        )
        self._under_way = {MOST_WATCHES: 0, MOST_CONVERSATIONS: 0}

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
                with self._counted(MOST_WATCHES):
                    raw = await self._reads.only(context)
                    if len(raw) > LARGEST_WATCH:
                        raise RequestTooLarge(len(raw), LARGEST_WATCH)
                    request = parsed(handler.request_deserializer, raw)
                    await answered(handler.unary_stream(request, context), context)
            except GcschedError as error:
                await abort(context, error)

        return watch

    def _conversation(self, handler: Any) -> Callable[..., Awaitable[None]]:
        async def converse(_: object, context: Context) -> None:
            async def requests() -> AsyncIterator[Any]:
                while (raw := await self._silences.next(context)) is not None:
                    yield parsed(handler.request_deserializer, raw)

            try:
                with self._counted(MOST_CONVERSATIONS):
                    await answered(handler.stream_stream(requests(), context), context)
            except GcschedError as error:
                await abort(context, error)

        return converse

    @contextmanager
    def _counted(self, most: int) -> Iterator[None]:
        if self._under_way[most] >= most:
            raise Overloaded(self._under_way[most])
        self._under_way[most] += 1
        try:
            yield
        finally:
            self._under_way[most] -= 1
