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
        """Return a job with its attempts. Raises NotFound, CallFailed.

        >>> scheduled = gcsched.schedule(
        ...     empid="E2", email="bob@example.org", message="Lunch", at=DAILY
        ... )
        >>> job = gcsched.get_job(scheduled.job_id)
        >>> job.state == State.QUEUED, job.message, job.attempts
        (True, 'Lunch', ())
        """
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
        """Iterate over the jobs that match all that is given, see JobFilter. Raises CallFailed.

        They are read page by page; *timeout* is for each page. *page_size* is at most 200, and 50
        if it is not given. *order* is one of Order, as far as the filter allows it. With *view*
        FULL the jobs have their messages, variables, attempts and steps.

        >>> [job.message for job in gcsched.list_jobs(empid="E2", view=View.FULL)]
        ['Lunch']
        >>> next(gcsched.list_jobs(state=State.FAILED, order=Order.DUE_TIME_DESC), None)
        """
        listing = calls.list_jobs(order=order, view=view, page_size=page_size, **which)
        return self._iterate(listing, timeout)

    def count_jobs(self, *, timeout: float | None = None, **which: Unpack[JobFilter]) -> JobCount:
        """Count the jobs that list_jobs would list, up to 10,000. Raises CallFailed.

        >>> gcsched.count_jobs(empid="E2")
        JobCount(count=1, has_more=False)
        """
        return self._run(calls.count_jobs(**which), timeout)

    def cancel(
        self, job_id: str, *, reason: str = "", etag: str = "", timeout: float | None = None
    ) -> Job:
        """Cancel a job that waits, so that its mail is not sent; return it.

        With an *etag*, the one of the job as it was read, only that version of the job is changed.
        Raises FailedPrecondition if it is too late, Aborted if the job has changed, CallFailed.

        >>> job = next(gcsched.list_jobs(empid="E2"))
        >>> gcsched.cancel(job.job_id, reason="moved", etag=job.etag).state
        'CANCELLED'
        """
        return self._run(calls.cancel(job_id, etag=etag, reason=reason), timeout)

    def reschedule(
        self, job_id: str, *, at: ScheduleTime, etag: str = "", timeout: float | None = None
    ) -> Job:
        """Change the time of a job that waits; return it. Raises what cancel raises.

        >>> job = gcsched.schedule(empid="E3", email="cy@example.org", message="Hi", at=DAILY)
        >>> noon = datetime(2035, 1, 5, 12, tzinfo=UTC)
        >>> gcsched.reschedule(job.job_id, at=noon).due_time == noon
        True
        """
        return self._run(calls.reschedule(job_id, at=at, etag=etag), timeout)

    def retry(self, job_id: str, *, etag: str = "", timeout: float | None = None) -> Job:
        """Make a job due now that is FAILED, EXPIRED, UNCERTAIN or SUPPRESSED; return it.

        Raises AlreadyExists if another job was created for the same request meanwhile, and what
        cancel raises.

        >>> job = next(gcsched.list_jobs(empid="E2"))
        >>> try:
        ...     gcsched.retry(job.job_id)
        ... except FailedPrecondition as error:
        ...     print(error.reason, error.metadata["state"])
        ILLEGAL_TRANSITION CANCELLED
        """
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
        """End an UNCERTAIN job as SENT or FAILED; return it. Raises what cancel raises.

        >>> for job in gcsched.list_jobs(state=State.UNCERTAIN):
        ...     job = gcsched.resolve(job.job_id, state=State.SENT, reason="the relay has it")
        """
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
        """Cancel every job of a filter that cancel would cancel; return their number.

        Without a filter it takes `all=True`. With *validate_only* the jobs are counted only. Raises
        DeadlineExceeded if the time was too short for all of them, and CallFailed; call again.

        >>> gcsched.cancel_jobs(empid="E3", validate_only=True)
        1
        >>> gcsched.cancel_jobs(empid="E3", reason="has left")
        1
        """
        call = calls.cancel_jobs(reason=reason, validate_only=validate_only, **which)
        return self._run(call, timeout)

    def retry_jobs(
        self,
        *,
        validate_only: bool = False,
        timeout: float | None = BULK_TIMEOUT_SECONDS,
        **which: Unpack[BulkFilter],
    ) -> int:
        """Retry every job of a filter that retry would retry; return their number.

        The rest is as in cancel_jobs.

        >>> gcsched.retry_jobs(state=State.FAILED)
        0
        """
        return self._run(calls.retry_jobs(validate_only=validate_only, **which), timeout)
