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


async def schedule_blocking(target: str, wish: dict[str, Any], **others: Any) -> ScheduledJob:
    def ask() -> ScheduledJob:
        with Client(target, **others) as plain:
            return plain.schedule_meet(**wish)

    return await asyncio.to_thread(ask)


async def schedule_async(target: str, wish: dict[str, Any], **others: Any) -> ScheduledJob:
    async with AsyncClient(target, **others) as asking:
        return await asking.schedule_meet(**wish)
