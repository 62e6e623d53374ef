"""Limit how many calls use the store: those that read or change jobs must not delay mails."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from google.protobuf.message import Message

from gcsched.errors import Overloaded, StoreUnavailable
from gcsched.rpc.call import Context, time_left
from gcsched.rpc.status import ErrorsAsStatus

Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)

MAX_CONCURRENT = 8
MAX_CONCURRENT_BULK = 2
MAX_WAITING = 4_000


class CallLimiter:
    """Lets *max_concurrent* calls work at the same time and *max_waiting* more wait."""

    def __init__(
        self, *, max_concurrent: int = MAX_CONCURRENT, max_waiting: int = MAX_WAITING
    ) -> None:
        self._slots = asyncio.Semaphore(max_concurrent)
        self._max_admitted = max_concurrent + max_waiting
        self._admitted = 0

    @asynccontextmanager
    async def slot(self, within: timedelta) -> AsyncIterator[None]:
        """Wait for a slot and hold it while the block lasts.

        Raises Overloaded when too many calls wait already, and StoreUnavailable when no slot is
        free *within* that time.
        """
        # Refused at once: a queue without a limit would hold memory for calls that time out anyway.
        if self._admitted >= self._max_admitted:
            raise Overloaded(self._admitted)
        self._admitted += 1
        try:
            try:
                async with asyncio.timeout(within.total_seconds()):
                    await self._slots.acquire()
            except TimeoutError as error:
                raise StoreUnavailable("waiting for a free slot") from error
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._admitted -= 1

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
