"""What all calls have in common: their types, size and time, and our errors as their status."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import Message

from gcsched.errors import DeadlineOver, RequestTooLarge, StoreUnavailable
from gcsched.rpc.status import ErrorsAsStatus

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"

MAX_REQUEST = 64 * 1024
MAX_CALL = timedelta(seconds=10)
MAX_BULK_CALL = timedelta(seconds=60)  # where a call may change or count all jobs
REPLY_MARGIN = timedelta(milliseconds=100)


def time_left(context: Context, *, longest: timedelta = MAX_CALL) -> timedelta:
    """Return the time to work in, *longest* at most. Raises DeadlineOver."""
    remaining = context.time_remaining()
    if remaining is None:
        return longest
    if remaining <= 0:
        raise DeadlineOver
    left = timedelta(seconds=remaining)
    return min(max(left - REPLY_MARGIN, left / 2), longest)


def check_size(request: Message) -> None:
    if (octets := request.ByteSize()) > MAX_REQUEST:
        raise RequestTooLarge(octets, MAX_REQUEST)


@asynccontextmanager
async def call_scope(
    request: Message, context: Context, *, longest: timedelta = MAX_CALL
) -> AsyncIterator[timedelta]:
    """Provide the time to work on *request* in; our errors become its status."""
    async with ErrorsAsStatus(context):
        within = time_left(context, longest=longest)
        check_size(request)
        yield within


@asynccontextmanager
async def timed_call_scope(
    request: Message, context: Context, doing: str, *, longest: timedelta = MAX_CALL
) -> AsyncIterator[None]:
    """Work on *request* in the time that the caller has; *doing* says at what."""
    async with call_scope(request, context, longest=longest) as within:
        try:
            async with asyncio.timeout(within.total_seconds()):
                yield
        except TimeoutError as error:
            raise StoreUnavailable(doing) from error
