"""Limit how many calls work at the store: those who read or steer must not keep mails from it."""

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

AT_ONCE = 8
AT_ONCE_OF_MANY = 2
MOST_WAITING = 4_000


class CallLimiter:
    """Let *at_once* calls work at the same time and *waiting* more wait for them."""

    def __init__(self, *, at_once: int = AT_ONCE, waiting: int = MOST_WAITING) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._here = 0

    @asynccontextmanager
    async def slot(self, within: timedelta) -> AsyncIterator[None]:
        """Wait for a slot and hold it while the block lasts.

        Raises Overloaded when too many wait already, StoreUnavailable when none came *within* that
        time.
        """
        if self._here >= self._most:
            raise Overloaded(self._here)
        self._here += 1
        try:
            try:
                async with asyncio.timeout(within.total_seconds()):
                    await self._slots.acquire()
            except TimeoutError as error:
                raise StoreUnavailable("waiting for a turn there") from error
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._here -= 1

    async def run(
        self,
        method: Callable[[Request, Context], Awaitable[Reply]],
        request: Request,
        context: Context,
    ) -> Reply:
        """Answer a call by *method*, once it has a slot."""
        async with ErrorsAsStatus(context), self.slot(time_left(context)):
            return await method(request, context)


def limiter_of_many() -> CallLimiter:
    return CallLimiter(at_once=AT_ONCE_OF_MANY)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """Which calls wait for each other: those of one limiter do, and for no others."""

    reading: CallLimiter = field(default_factory=CallLimiter)
    listing: CallLimiter = field(default_factory=limiter_of_many)
    """A page of 200 jobs with all their texts can take 50 MB while it is made."""
    changing: CallLimiter = field(default_factory=CallLimiter)
    changing_many: CallLimiter = field(default_factory=limiter_of_many)
