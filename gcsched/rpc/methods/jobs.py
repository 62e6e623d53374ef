"""CancelJob, RescheduleJob, RetryJob, ResolveJob, CancelJobs, RetryJobs: convert, call, convert."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from gcsched.domain import commands as wishes
from gcsched.domain.checks import Checks
from gcsched.domain.commands import Cancel, Reopen, Resolve, Wish
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter
from gcsched.errors import Violation
from gcsched.pb import task_pb2
from gcsched.rpc.call import LONGEST_OF_MANY, Context, working
from gcsched.rpc.messages import job_message, state_from
from gcsched.rpc.methods.reading_jobs import job_id_violations
from gcsched.rpc.requests import filter_from
from gcsched.usecases.management.change_job import Steer
from gcsched.usecases.management.change_jobs import ChangeJobs, Lot
from gcsched.usecases.ports import Clock

NEEDS_ALL = Violation("all", "must be true where no filter is given: all jobs would be changed")
NOT_BY_ID = Violation(
    "filter.id_prefix", "must be empty here: use state, empid or email, or the methods for one job"
)


class OfOneJob(Protocol):
    """A request that changes one job."""

    job_id: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeJobMethods:
    steer: Steer
    change: ChangeJobs
    plan: DailyPlan
    keep_trying: timedelta
    window: timedelta
    now: Clock

    async def CancelJob(self, request: task_pb2.CancelJobRequest, context: Context) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(request, lambda: wishes.cancel(request.reason), within)

    async def RescheduleJob(
        self, request: task_pb2.RescheduleJobRequest, context: Context
    ) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(
                request,
                lambda: wishes.reschedule(
                    request.timestamp, plan=self.plan, keep_trying=self.keep_trying, now=self.now()
                ),
                within,
            )

    async def RetryJob(self, request: task_pb2.RetryJobRequest, context: Context) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(request, self._reopen, within)

    async def ResolveJob(
        self, request: task_pb2.ResolveJobRequest, context: Context
    ) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(request, lambda: resolution(request), within)

    async def CancelJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with working(request, context, longest=LONGEST_OF_MANY) as within:
            return await self._changed(request, lambda: wishes.cancel(request.reason), within)

    async def RetryJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with working(request, context, longest=LONGEST_OF_MANY) as within:
            return await self._changed(request, self._reopen, within)

    def _reopen(self) -> Reopen:
        return Reopen(keep_trying=self.keep_trying, window=self.window)

    async def _steered(
        self, request: OfOneJob, wanted: Callable[[], Wish], within: timedelta
    ) -> task_pb2.Job:
        checks = Checks()
        checks.add(job_id_violations(request.job_id))
        wish = checks.made(wanted, otherwise=Cancel())
        checks.finish()
        job = await self.steer(request.job_id, wish, etag=request.etag, within=within)
        return job_message(job, task_pb2.Job.BASIC)

    async def _changed(
        self,
        request: task_pb2.ChangeJobsRequest,
        wished: Callable[[], Cancel | Reopen],
        within: timedelta,
    ) -> task_pb2.ChangeJobsResponse:
        checks = Checks()
        wish = checks.made(wished, otherwise=Cancel())
        wanted = filter_from(request.filter, checks)
        if wanted == JobFilter() and not request.all:
            checks.add([NEEDS_ALL])
        if wanted.id_prefix:
            checks.add([NOT_BY_ID])
        checks.finish()
        lot = Lot(filter=wanted, wish=wish, only_count=request.validate_only)
        return task_pb2.ChangeJobsResponse(count=await self.change(lot, within=within))


def resolution(request: task_pb2.ResolveJobRequest) -> Wish:
    checks = Checks()
    state = checks.taken(state_from(request.state, "state"), otherwise=State.SENT)
    wish = checks.made(
        lambda: wishes.resolve(state, request.reason),
        otherwise=Resolve(state=State.SENT, reason=""),
    )
    checks.finish()
    return wish
