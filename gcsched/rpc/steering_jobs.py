"""CancelJob, RescheduleJob, RetryJob, ResolveJob, CancelJobs, RetryJobs: convert, call, convert."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import grpc
from google.protobuf.message import Message

from gcsched.domain import wishes
from gcsched.domain.checks import Checks
from gcsched.domain.due import DailyPlan
from gcsched.domain.listing import JobFilter
from gcsched.domain.wishes import Cancel, Reopen, Wish
from gcsched.errors import Violation
from gcsched.pb import task_pb2
from gcsched.rpc.answering import working
from gcsched.rpc.filters import filter_from
from gcsched.rpc.jobs_as_messages import job_message, state_from
from gcsched.rpc.reading_jobs import job_id_violations
from gcsched.usecases.change_jobs import ChangeJobs, Lot
from gcsched.usecases.ports import Clock
from gcsched.usecases.steer import Steer

Context = grpc.aio.ServicerContext[Message, Message]
NEEDS_ALL = Violation("all", "must be true where no filter is given: all jobs would be changed")


class OfOneJob(Protocol):
    """A request that changes one job."""

    job_id: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeringJobs:
    steer: Steer
    change: ChangeJobs
    plan: DailyPlan
    keep_trying: timedelta
    now: Clock

    async def CancelJob(self, request: task_pb2.CancelJobRequest, context: Context) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(request, wishes.cancel(request.reason), within)

    async def RescheduleJob(
        self, request: task_pb2.RescheduleJobRequest, context: Context
    ) -> task_pb2.Job:
        async with working(request, context) as within:
            wish = wishes.reschedule(
                request.timestamp, plan=self.plan, keep_trying=self.keep_trying, now=self.now()
            )
            return await self._steered(request, wish, within)

    async def RetryJob(self, request: task_pb2.RetryJobRequest, context: Context) -> task_pb2.Job:
        async with working(request, context) as within:
            return await self._steered(request, Reopen(keep_trying=self.keep_trying), within)

    async def ResolveJob(
        self, request: task_pb2.ResolveJobRequest, context: Context
    ) -> task_pb2.Job:
        async with working(request, context) as within:
            checks = Checks()
            state = checks.taken(state_from(request.state, "state"), otherwise=None)
            checks.finish()
            return await self._steered(request, wishes.resolve(state, request.reason), within)

    async def CancelJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with working(request, context) as within:
            return await self._changed(request, wishes.cancel(request.reason), within)

    async def RetryJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with working(request, context) as within:
            return await self._changed(request, Reopen(keep_trying=self.keep_trying), within)

    async def _steered(self, request: OfOneJob, wish: Wish, within: timedelta) -> task_pb2.Job:
        checks = Checks()
        checks.add(job_id_violations(request.job_id))
        checks.finish()
        job = await self.steer(request.job_id, wish, etag=request.etag, within=within)
        return job_message(job, task_pb2.Job.BASIC)

    async def _changed(
        self, request: task_pb2.ChangeJobsRequest, wish: Cancel | Reopen, within: timedelta
    ) -> task_pb2.ChangeJobsResponse:
        checks = Checks()
        wanted = filter_from(request.filter, checks)
        if wanted == JobFilter() and not request.all:
            checks.add([NEEDS_ALL])
        checks.finish()
        lot = Lot(filter=wanted, wish=wish, only_count=request.validate_only)
        return task_pb2.ChangeJobsResponse(count=await self.change(lot, within=within))
