"""The common parts of all calls: types, limits of size and time, errors as status."""

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
REPLY_MARGIN_SECONDS = 0.1  # for the error to reach the caller


def time_left(context: Context, *, longest: timedelta = MAX_CALL) -> timedelta:
    """Return the time for the work of a call, *longest* at most. Raises DeadlineOver."""
    remaining = context.time_remaining()
    if remaining is None:
        return longest
    if remaining <= 0:
        raise DeadlineOver
    left = max(remaining - REPLY_MARGIN_SECONDS, remaining / 2)
    return timedelta(seconds=left) if left < longest.total_seconds() else longest


def check_size(request: Message, *, largest: int = MAX_REQUEST) -> None:
    if (octets := request.ByteSize()) > largest:
        raise RequestTooLarge(octets, largest)


@asynccontextmanager
async def call_scope(
    request: Message,
    context: Context,
    *,
    longest: timedelta = MAX_CALL,
    largest: int = MAX_REQUEST,
) -> AsyncIterator[timedelta]:
    """Yield the time for the work on *request*; turn our errors into its status."""
    async with ErrorsAsStatus(context):
        within = time_left(context, longest=longest)
        check_size(request, largest=largest)
        yield within


@asynccontextmanager
async def call_timeout_scope(
    request: Message, context: Context, doing: str, *, longest: timedelta = MAX_CALL
) -> AsyncIterator[None]:
    """Limit the work on *request* to the caller's time; *doing* describes it in the error."""
    async with call_scope(request, context, longest=longest) as within:
        try:
            async with asyncio.timeout(within.total_seconds()):
                yield
        except TimeoutError as error:
            raise StoreUnavailable(doing) from error


def drop_frames(error: BaseException) -> None:
    """Drop the frames of *error*: gRPC's context keeps it, and they hold the whole request."""
    error.__context__ = None
    error.__traceback__ = None
