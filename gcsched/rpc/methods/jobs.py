"""CancelJob, RescheduleJob, RetryJob, ResolveJob, CancelJobs, RetryJobs: convert, call, convert."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from gcsched.domain import commands as wishes
from gcsched.domain.checks import Checked, checked, sound
from gcsched.domain.commands import Cancel, Reopen, Resolve, Wish, bulk_violations
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import State
from gcsched.domain.validation import job_id_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import LONGEST_OF_MANY, Context, working
from gcsched.rpc.messages import job_message
from gcsched.rpc.requests import filter_from, state_from
from gcsched.usecases.management.change_job import Steer
from gcsched.usecases.management.change_jobs import ChangeJobs, Lot
from gcsched.usecases.ports import Clock


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
            return await self._steered(request, wishes.cancel(request.reason), within)

    async def RescheduleJob(
        self, request: task_pb2.RescheduleJobRequest, context: Context
    ) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(
                request,
                wishes.reschedule(
                    request.timestamp, plan=self.plan, keep_trying=self.keep_trying, now=self.now()
                ),
                within,
            )

    async def RetryJob(self, request: task_pb2.RetryJobRequest, context: Context) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(request, self._reopen(), within)

    async def ResolveJob(
        self, request: task_pb2.ResolveJobRequest, context: Context
    ) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(request, resolution(request), within)

    async def CancelJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with working(request, context, longest=LONGEST_OF_MANY) as within:
            return await self._changed(request, wishes.cancel(request.reason), within)

    async def RetryJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with working(request, context, longest=LONGEST_OF_MANY) as within:
            return await self._changed(request, self._reopen(), within)

    def _reopen(self) -> Checked[Reopen]:
        return sound(Reopen(keep_trying=self.keep_trying, window=self.window))

    async def _steered(
        self, request: OfOneJob, wanted: Checked[Wish], within: timedelta
    ) -> task_pb2.Job:
        wish = checked(of_one_job(request, wanted))
        job = await self.steer(request.job_id, wish, etag=request.etag, within=within)
        return job_message(job, task_pb2.Job.BASIC)

    async def _changed(
        self,
        request: task_pb2.ChangeJobsRequest,
        wanted: Checked[Cancel | Reopen],
        within: timedelta,
    ) -> task_pb2.ChangeJobsResponse:
        lot = checked(lot_from(request, wanted))
        return task_pb2.ChangeJobsResponse(count=await self.change(lot, within=within))


def of_one_job(request: OfOneJob, wanted: Checked[Wish]) -> Checked[Wish]:
    yield from job_id_violations(request.job_id)
    return (yield from wanted)


def lot_from(request: task_pb2.ChangeJobsRequest, wanted: Checked[Cancel | Reopen]) -> Checked[Lot]:
    wish = yield from wanted
    jobs = yield from filter_from(request.filter)
    yield from bulk_violations(jobs, is_all=request.all)
    return Lot(filter=jobs, wish=wish, only_count=request.validate_only)


def resolution(request: task_pb2.ResolveJobRequest) -> Checked[Resolve]:
    state = yield from state_from(request.state, "state", otherwise=State.SENT)
    return (yield from wishes.resolve(state, request.reason))
