"""What all calls have in common that read or change one thing: size, time, errors."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
from google.protobuf.message import Message

from gcsched.errors import StoreUnavailable
from gcsched.rpc.call import LONGEST_CALL, check_size, time_left
from gcsched.rpc.status import ErrorsAsStatus


@asynccontextmanager
async def working(
    request: Message,
    context: grpc.aio.ServicerContext[Message, Message],
    *,
    longest: timedelta = LONGEST_CALL,
) -> AsyncIterator[timedelta]:
    """Give the time to work on *request* in; our errors become its status."""
    async with ErrorsAsStatus(context):
        within = time_left(context, longest=longest)
        check_size(request)
        yield within


@asynccontextmanager
async def answering(
    request: Message,
    context: grpc.aio.ServicerContext[Message, Message],
    doing: str,
    *,
    longest: timedelta = LONGEST_CALL,
) -> AsyncIterator[None]:
    """Work on *request* in the time that the caller has; *doing* says at what."""
    async with working(request, context, longest=longest) as within:
        try:
            async with asyncio.timeout(within.total_seconds()):
                yield
        except TimeoutError as error:
            raise StoreUnavailable(doing) from error
