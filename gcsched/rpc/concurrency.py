"""Turns at the store: callers who read or steer must not keep the mails from it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from gcsched.errors import Overloaded, StoreUnavailable
from gcsched.rpc.call import time_left
from gcsched.rpc.status import ErrorsAsStatus

Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]
Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply", bound=Message)
Method = Callable[[Request, Context], Awaitable[Reply]]

AT_ONCE = 8
MOST_WAITING = 4_000


class Turns:
    """Let *at_once* calls work at the same time and *waiting* more wait for them."""

    def __init__(self, *, at_once: int = AT_ONCE, waiting: int = MOST_WAITING) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._here = 0

    @asynccontextmanager
    async def one(self, within: timedelta) -> AsyncIterator[None]:
        """Wait for a turn and have it while the block lasts.

        Raises Overloaded when too many wait already, StoreUnavailable when none came *within* that
        time.
        """
        if self._here >= self._most:
            raise Overloaded(self._here)
        self._here += 1
        try:
            try:
                async with asyncio.timeout(within.total_seconds()):
                    await self._places.acquire()
            except TimeoutError as error:
                raise StoreUnavailable("waiting for a turn there") from error
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._here -= 1

    def taken_by(self, method: Method[Request, Reply]) -> Method[Request, Reply]:
        """Give *method* so that each call of it takes a turn."""

        async def in_turn(request: Request, context: Context) -> Reply:
            async with ErrorsAsStatus(context), self.one(time_left(context)):
                return await method(request, context)

        return in_turn
