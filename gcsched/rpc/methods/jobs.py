"""The methods for one job or many: convert the request, call the use case, convert the reply."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gcsched.domain import commands
from gcsched.domain.checks import Checked, accept_value, require_valid
from gcsched.domain.commands import Cancel, JobCommand, Resolve, Retry, bulk_violations
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import Cursor, JobListQuery
from gcsched.domain.page_token import parse_page_size
from gcsched.domain.validation import job_id_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import MAX_BULK_CALL, Context, call_scope, call_timeout_scope
from gcsched.rpc.caller import current_actor, current_caller
from gcsched.rpc.messages import View, job_message
from gcsched.rpc.requests import filter_from, full_view_from, listing_from, state_from
from gcsched.usecases.audited_acts import AuditedBulkChange
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.management.bulk_change import BulkChange
from gcsched.usecases.management.change_job import ChangeJob
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.ports import Clock

MAX_PAGE_BYTES = 3 * 1024 * 1024  # gRPC clients accept 4 MiB by default


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """One page of a list: *limit* jobs *after* a cursor."""

    listing: JobListQuery
    after: Cursor | None
    limit: int
    is_full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJobMethods:
    read: ReadJobs
    share: LoopShare = field(default_factory=LoopShare)

    async def GetJob(self, request: task_pb2.GetJobRequest, context: Context) -> task_pb2.Job:
        async with call_timeout_scope(request, context, "reading a job"):
            require_valid(job_id_violations(request.job_id))
            client = current_caller()
            job = await self.read.get(request.job_id, client)
            is_full = client.may_read_content(job.client)
            return job_message(job, task_pb2.Job.FULL if is_full else task_pb2.Job.BASIC)

    async def ListJobs(
        self, request: task_pb2.ListJobsRequest, context: Context
    ) -> task_pb2.ListJobsResponse:
        async with call_timeout_scope(request, context, "listing jobs"):
            requested = page_request_from(request)
            page = await self.read.read_page(
                requested.listing,
                requested.after,
                most=requested.limit,
                is_full=requested.is_full,
                client=current_caller(),
            )
            messages = await build_fitting_messages(page.jobs, request.view, self.share)
            next_cursor = page.next_cursor
            # Some jobs did not fit: the next page starts after the last one that did.
            if len(messages) < len(page.jobs):
                next_cursor = requested.listing.cursor_after(page.jobs[len(messages) - 1])
            token = requested.listing.encode_cursor(next_cursor)
            return task_pb2.ListJobsResponse(jobs=messages, next_page_token=token)

    async def CountJobs(
        self, request: task_pb2.CountJobsRequest, context: Context
    ) -> task_pb2.CountJobsResponse:
        async with call_timeout_scope(request, context, "counting jobs"):
            job_filter = require_valid(filter_from(request.filter))
            counted = await self.read.count(job_filter, current_caller())
            return task_pb2.CountJobsResponse(count=counted.jobs, has_more=counted.is_more)


class SingleJobRequest(Protocol):
    """A request that changes one job."""

    job_id: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeJobMethods:
    change_job: ChangeJob
    change_jobs: AuditedBulkChange
    daily_plan: DailyPlan
    keep_trying: timedelta
    window: timedelta
    now: Clock

    async def CancelJob(self, request: task_pb2.CancelJobRequest, context: Context) -> task_pb2.Job:
        async with call_scope(request, context) as within:
            command = commands.parse_cancel(request.reason)
            return await self._apply_to_job("CancelJob", request, command, within)

    async def RescheduleJob(
        self, request: task_pb2.RescheduleJobRequest, context: Context
    ) -> task_pb2.Job:
        async with call_scope(request, context) as within:
            command = commands.parse_reschedule(
                request.timestamp,
                plan=self.daily_plan,
                keep_trying=self.keep_trying,
                now=self.now(),
            )
            return await self._apply_to_job("RescheduleJob", request, command, within)

    async def RetryJob(self, request: task_pb2.RetryJobRequest, context: Context) -> task_pb2.Job:
        async with call_scope(request, context) as within:
            return await self._apply_to_job("RetryJob", request, self._retry_command(), within)

    async def ResolveJob(
        self, request: task_pb2.ResolveJobRequest, context: Context
    ) -> task_pb2.Job:
        async with call_scope(request, context) as within:
            command = resolve_command_from(request)
            return await self._apply_to_job("ResolveJob", request, command, within)

    async def CancelJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with call_scope(request, context, longest=MAX_BULK_CALL) as within:
            command = commands.parse_cancel(request.reason)
            return await self._apply_to_jobs("CancelJobs", request, command, within)

    async def RetryJobs(
        self, request: task_pb2.ChangeJobsRequest, context: Context
    ) -> task_pb2.ChangeJobsResponse:
        async with call_scope(request, context, longest=MAX_BULK_CALL) as within:
            return await self._apply_to_jobs("RetryJobs", request, self._retry_command(), within)

    def _retry_command(self) -> Checked[Retry]:
        return accept_value(Retry(keep_trying=self.keep_trying, window=self.window))

    async def _apply_to_job(
        self,
        method: str,
        request: SingleJobRequest,
        checked: Checked[JobCommand],
        within: timedelta,
    ) -> task_pb2.Job:
        command = require_valid(check_job_command(request, checked))
        job = await self.change_job.change(
            request.job_id, command, etag=request.etag, within=within, actor=current_actor(method)
        )
        return job_message(job, task_pb2.Job.BASIC)

    async def _apply_to_jobs(
        self,
        method: str,
        request: task_pb2.ChangeJobsRequest,
        checked: Checked[Cancel | Retry],
        within: timedelta,
    ) -> task_pb2.ChangeJobsResponse:
        change = require_valid(bulk_change_from(request, checked))
        count = await self.change_jobs.apply(change, actor=current_actor(method), within=within)
        return task_pb2.ChangeJobsResponse(count=count)


def page_request_from(request: task_pb2.ListJobsRequest) -> PageRequest:
    """Parse the request; the token last, because it is valid for one list only."""
    listing, limit, is_full = require_valid(page_from(request))
    after = require_valid(listing.parse_cursor(request.page_token))
    return PageRequest(listing=listing, after=after, limit=limit, is_full=is_full)


def page_from(request: task_pb2.ListJobsRequest) -> Checked[tuple[JobListQuery, int, bool]]:
    listing = yield from listing_from(request)
    limit = yield from parse_page_size(request.page_size)
    is_full = yield from full_view_from(request.view)
    return listing, limit, is_full


async def build_fitting_messages(
    jobs: Iterable[Job], view: View, share: LoopShare
) -> list[task_pb2.Job]:
    """Return as many messages as fit into one reply, at least one; AIP-158 allows short pages."""
    messages: list[task_pb2.Job] = []
    left = MAX_PAGE_BYTES
    for job in jobs:
        # A large page takes long to convert: other tasks of the loop get their turn meanwhile.
        if not share.try_take():
            await share.wait()
        message = job_message(job, view)
        left -= message.ByteSize()
        if left < 0 and messages:
            break
        messages.append(message)
    return messages


def check_job_command(
    request: SingleJobRequest, checked: Checked[JobCommand]
) -> Checked[JobCommand]:
    yield from job_id_violations(request.job_id)
    return (yield from checked)


def bulk_change_from(
    request: task_pb2.ChangeJobsRequest, checked: Checked[Cancel | Retry]
) -> Checked[BulkChange]:
    command = yield from checked
    job_filter = yield from filter_from(request.filter)
    yield from bulk_violations(job_filter, is_all=request.all)
    return BulkChange(filter=job_filter, command=command, is_dry_run=request.validate_only)


def resolve_command_from(request: task_pb2.ResolveJobRequest) -> Checked[Resolve]:
    state = yield from state_from(request.state, "state", otherwise=State.SENT)
    return (yield from commands.parse_resolve(state, request.reason))
