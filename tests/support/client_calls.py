"""A call by each of the two clients."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from gcsched.client import (
    AsyncClient,
    Client,
    ScheduledJob,
)

REQUEST: dict[str, Any] = {
    "empid": "E1815",
    "email": "ada@example.org",
    "message": "Interview on Friday",
    "at": 1672531200,
}


ScheduleCall = Callable[..., Awaitable[ScheduledJob]]
MethodCall = Callable[..., Awaitable[Any]]
"""Calls a method of a client at a target; an iteration is read to its end."""


async def schedule_blocking(target: str, request: dict[str, Any], **others: Any) -> ScheduledJob:
    def schedule() -> ScheduledJob:
        with Client(target, **others) as client:
            return client.schedule_meet(**request)

    return await asyncio.to_thread(schedule)


async def schedule_async(target: str, request: dict[str, Any], **others: Any) -> ScheduledJob:
    async with AsyncClient(target, **others) as client:
        return await client.schedule_meet(**request)


async def run_blocking(target: str, method: str, /, *positional: Any, **named: Any) -> Any:
    def run() -> Any:
        with Client(target) as client:
            result = getattr(client, method)(*positional, **named)
            return list(result) if isinstance(result, Iterator) else result

    return await asyncio.to_thread(run)


async def run_async(target: str, method: str, /, *positional: Any, **named: Any) -> Any:
    async with AsyncClient(target) as client:
        result = getattr(client, method)(*positional, **named)
        if isinstance(result, AsyncIterator):
            return [each async for each in result]
        return await result
