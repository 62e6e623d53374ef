"""The methods of the asyncio client that schedule mails."""

from collections.abc import Iterable
from datetime import datetime
from typing import Unpack

from gcsched.client.argument_values import ScheduleTime
from gcsched.client.asynchronous.connection import AsyncConnection
from gcsched.client.calls import scheduling as calls
from gcsched.client.calls.scheduling import MailOptions, MailRequest, OptionalFields
from gcsched.client.errors import CallFailed
from gcsched.client.results.jobs import ScheduledJob, Validation


class AsyncSchedulingMethods(AsyncConnection):
    """Schedule one mail, or many."""

    async def schedule(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        at: ScheduleTime,
        timeout: float | None = None,
        **options: Unpack[MailOptions],
    ) -> ScheduledJob:
        """Do what Client.schedule does."""
        return await self._run(calls.schedule(empid, email, message, at, **options), timeout)

    async def schedule_many(
        self, requests: Iterable[MailRequest], *, timeout: float | None = None
    ) -> list[ScheduledJob | CallFailed]:
        """Do what Client.schedule_many does."""
        return await self._run_batches(requests, timeout)

    async def validate(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        at: ScheduleTime,
        timeout: float | None = None,
        **options: Unpack[MailOptions],
    ) -> Validation:
        """Do what Client.validate does."""
        return await self._run(calls.validate(empid, email, message, at, **options), timeout)

    async def schedule_meet(
        self,
        *,
        empid: str,
        email: str,
        message: str,
        name: str = "",
        at: datetime | int | None,
        **options: Unpack[OptionalFields],
    ) -> ScheduledJob:
        """Do what Client.schedule_meet does."""
        return await self._run(
            calls.schedule_meet(empid, email, message, name, at, **options), None
        )
