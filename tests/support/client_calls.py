"""A call by each of the two clients."""

import asyncio
from collections.abc import Awaitable, Callable
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


async def schedule_blocking(target: str, request: dict[str, Any], **others: Any) -> ScheduledJob:
    def schedule() -> ScheduledJob:
        with Client(target, **others) as client:
            return client.schedule_meet(**request)

    return await asyncio.to_thread(schedule)


async def schedule_async(target: str, request: dict[str, Any], **others: Any) -> ScheduledJob:
    async with AsyncClient(target, **others) as client:
        return await client.schedule_meet(**request)
