"""Limit how many calls use the store: those that read or change jobs must not delay mails."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import Message

from gcsched.rpc.call import Context, time_left
from gcsched.rpc.status import ErrorsAsStatus
from gcsched.usecases.call_slots import CallSlots

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

MAX_CONCURRENT_BULK = 2


class CallLimiter(CallSlots):
    """The slots of calls of gRPC."""

    async def run(
        self,
        method: Callable[[Request, Context], Awaitable[Reply]],
        request: Request,
        context: Context,
    ) -> Reply:
        """Answer a call by *method*, once it has a slot."""
        async with ErrorsAsStatus(context), self.slot(time_left(context)):
            return await method(request, context)


def create_bulk_limiter() -> CallLimiter:
    return CallLimiter(max_concurrent=MAX_CONCURRENT_BULK)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """The limiters of the calls; a call waits only for calls of its own limiter."""

    reading: CallLimiter = field(default_factory=CallLimiter)
    listing: CallLimiter = field(default_factory=create_bulk_limiter)
    """A page of 200 jobs with all their texts can take 50 MB while it is made."""
    changing: CallLimiter = field(default_factory=CallLimiter)
    changing_many: CallLimiter = field(default_factory=create_bulk_limiter)
    changing_meetings: CallLimiter = field(default_factory=CallLimiter)
    """A change of a meeting may write 100 jobs: a change of one job must not wait for that."""
