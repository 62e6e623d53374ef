"""How long a call may work, and how large its request may be."""

from datetime import timedelta

import grpc
from google.protobuf.message import Message

from gcsched.errors import RequestTooLarge

LARGEST_REQUEST = 64 * 1024
LONGEST_CALL = timedelta(seconds=10)
FOR_THE_REPLY = timedelta(milliseconds=100)


async def time_left(context: grpc.aio.ServicerContext[Message, Message]) -> timedelta:
    """Give the time to work in; a call whose deadline is over is ended here."""
    remaining = context.time_remaining()
    if remaining is None:
        return LONGEST_CALL
    if remaining <= 0:
        await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline was over on arrival")
    left = timedelta(seconds=remaining)
    return min(max(left - FOR_THE_REPLY, left / 2), LONGEST_CALL)


def check_size(request: Message) -> None:
    if is_too_large(request):
        raise RequestTooLarge(request.ByteSize(), LARGEST_REQUEST)


def is_too_large(request: Message) -> bool:
    return request.ByteSize() > LARGEST_REQUEST
