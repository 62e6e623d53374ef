"""The methods of the asyncio client that read and change jobs."""

from collections.abc import AsyncIterator
from typing import Unpack

from gcsched.client.argument_values import ScheduleTime
from gcsched.client.asynchronous.connection import AsyncConnection
from gcsched.client.calls import jobs as calls
from gcsched.client.calls.jobs import BulkFilter, JobFilter
from gcsched.client.connection import BULK_TIMEOUT_SECONDS
from gcsched.client.results.jobs import Job, JobCount


class AsyncJobMethods(AsyncConnection):
    """Read jobs, and change one or many of them."""

    async def get_job(self, job_id: str, *, timeout: float | None = None) -> Job:
        """Do what Client.get_job does."""
        return await self._run(calls.get_job(job_id), timeout)

    def list_jobs(
        self,
        *,
        order: str = "",
        view: str = "",
        page_size: int = 0,
        timeout: float | None = None,
        **which: Unpack[JobFilter],
    ) -> AsyncIterator[Job]:
        """Do what Client.list_jobs does."""
        listing = calls.list_jobs(order=order, view=view, page_size=page_size, **which)
        return self._iterate(listing, timeout)

    async def count_jobs(
        self, *, timeout: float | None = None, **which: Unpack[JobFilter]
    ) -> JobCount:
        """Do what Client.count_jobs does."""
        return await self._run(calls.count_jobs(**which), timeout)

    async def cancel(
        self, job_id: str, *, reason: str = "", etag: str = "", timeout: float | None = None
    ) -> Job:
        """Do what Client.cancel does."""
        return await self._run(calls.cancel(job_id, etag=etag, reason=reason), timeout)

    async def reschedule(
        self, job_id: str, *, at: ScheduleTime, etag: str = "", timeout: float | None = None
    ) -> Job:
        """Do what Client.reschedule does."""
        return await self._run(calls.reschedule(job_id, at=at, etag=etag), timeout)

    async def retry(self, job_id: str, *, etag: str = "", timeout: float | None = None) -> Job:
        """Do what Client.retry does."""
        return await self._run(calls.retry(job_id, etag=etag), timeout)

    async def resolve(
        self,
        job_id: str,
        *,
        state: str,
        reason: str = "",
        etag: str = "",
        timeout: float | None = None,
    ) -> Job:
        """Do what Client.resolve does."""
        return await self._run(
            calls.resolve(job_id, state=state, reason=reason, etag=etag), timeout
        )

    async def cancel_jobs(
        self,
        *,
        reason: str = "",
        validate_only: bool = False,
        timeout: float | None = BULK_TIMEOUT_SECONDS,
        **which: Unpack[BulkFilter],
    ) -> int:
        """Do what Client.cancel_jobs does."""
        call = calls.cancel_jobs(reason=reason, validate_only=validate_only, **which)
        return await self._run(call, timeout)

    async def retry_jobs(
        self,
        *,
        validate_only: bool = False,
        timeout: float | None = BULK_TIMEOUT_SECONDS,
        **which: Unpack[BulkFilter],
    ) -> int:
        """Do what Client.retry_jobs does."""
        return await self._run(calls.retry_jobs(validate_only=validate_only, **which), timeout)
