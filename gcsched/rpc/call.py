"""How long a call may work, and how large its request may be."""

from datetime import timedelta

import grpc
from google.protobuf.message import Message

from gcsched.errors import DeadlineOver, RequestTooLarge

LARGEST_REQUEST = 64 * 1024
LONGEST_ID = 128
LONGEST_CALL = timedelta(seconds=10)
LONGEST_OF_MANY = timedelta(seconds=60)  # where a call may change or count all jobs
FOR_THE_REPLY = timedelta(milliseconds=100)


def time_left(
    context: grpc.aio.ServicerContext[Message, Message], *, longest: timedelta = LONGEST_CALL
) -> timedelta:
    """Give the time to work in, *longest* at most. Raises DeadlineOver."""
    remaining = context.time_remaining()
    if remaining is None:
        return longest
    if remaining <= 0:
        raise DeadlineOver
    left = timedelta(seconds=remaining)
    return min(max(left - FOR_THE_REPLY, left / 2), longest)


def check_size(request: Message) -> None:
    if (octets := request.ByteSize()) > LARGEST_REQUEST:
        raise RequestTooLarge(octets, LARGEST_REQUEST)
