"""The methods of the blocking client that read and change jobs."""

from collections.abc import Iterator
from typing import Unpack

from gcsched.client.argument_values import ScheduleTime
from gcsched.client.blocking.connection import BlockingConnection
from gcsched.client.calls import jobs as calls
from gcsched.client.calls.jobs import BulkFilter, JobFilter
from gcsched.client.connection import BULK_TIMEOUT_SECONDS
from gcsched.client.results.jobs import Job, JobCount


class JobMethods(BlockingConnection):
    """Read jobs, and change one or many of them."""

    def get_job(self, job_id: str, *, timeout: float | None = None) -> Job:
        """Return a job with its attempts. Raises NotFound, CallFailed."""
        return self._run(calls.get_job(job_id), timeout)

    def list_jobs(
        self,
        *,
        order: str = "",
        view: str = "",
        page_size: int = 0,
        timeout: float | None = None,
        **which: Unpack[JobFilter],
    ) -> Iterator[Job]:
        """Iterate over jobs; *timeout* is for each page of up to *page_size* jobs (50, or 200)."""
        listing = calls.list_jobs(order=order, view=view, page_size=page_size, **which)
        return self._iterate(listing, timeout)

    def count_jobs(self, *, timeout: float | None = None, **which: Unpack[JobFilter]) -> JobCount:
        """Count jobs, up to 10,000."""
        return self._run(calls.count_jobs(**which), timeout)

    def cancel(
        self, job_id: str, *, reason: str = "", etag: str = "", timeout: float | None = None
    ) -> Job:
        """Cancel a job that waits: its mail is not sent. Raises FailedPrecondition, CallFailed."""
        return self._run(calls.cancel(job_id, etag=etag, reason=reason), timeout)

    def reschedule(
        self, job_id: str, *, at: ScheduleTime, etag: str = "", timeout: float | None = None
    ) -> Job:
        """Change the time of a job that waits. Raises FailedPrecondition, CallFailed."""
        return self._run(calls.reschedule(job_id, at=at, etag=etag), timeout)

    def retry(self, job_id: str, *, etag: str = "", timeout: float | None = None) -> Job:
        """Make a FAILED, EXPIRED, UNCERTAIN or SUPPRESSED job due now."""
        return self._run(calls.retry(job_id, etag=etag), timeout)

    def resolve(
        self,
        job_id: str,
        *,
        state: str,
        reason: str = "",
        etag: str = "",
        timeout: float | None = None,
    ) -> Job:
        """End an UNCERTAIN job as SENT or FAILED."""
        call = calls.resolve(job_id, state=state, reason=reason, etag=etag)
        return self._run(call, timeout)

    def cancel_jobs(
        self,
        *,
        reason: str = "",
        validate_only: bool = False,
        timeout: float | None = BULK_TIMEOUT_SECONDS,
        **which: Unpack[BulkFilter],
    ) -> int:
        """Cancel every job of a filter that cancel would cancel; return their number."""
        call = calls.cancel_jobs(reason=reason, validate_only=validate_only, **which)
        return self._run(call, timeout)

    def retry_jobs(
        self,
        *,
        validate_only: bool = False,
        timeout: float | None = BULK_TIMEOUT_SECONDS,
        **which: Unpack[BulkFilter],
    ) -> int:
        """Retry every job of a filter that retry would retry; return their number."""
        return self._run(calls.retry_jobs(validate_only=validate_only, **which), timeout)
