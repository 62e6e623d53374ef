"""The methods for jobs, one or many: convert, call the use case, convert."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from gcsched.domain import commands as wishes
from gcsched.domain.checks import Checked, checked, sound
from gcsched.domain.commands import Cancel, Reopen, Resolve, Wish, bulk_violations
from gcsched.domain.due import DailyPlan
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import Listing, Place
from gcsched.domain.page_token import page_size
from gcsched.domain.validation import job_id_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import LONGEST_OF_MANY, Context, answering, working
from gcsched.rpc.messages import View, job_message
from gcsched.rpc.requests import filter_from, is_full_from, listing_from, state_from
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.management.change_job import Steer
from gcsched.usecases.management.change_jobs import ChangeJobs, Lot
from gcsched.usecases.management.read_jobs import ReadJobs
from gcsched.usecases.ports import Clock

LARGEST_PAGE_BYTES = 3 * 1024 * 1024  # gRPC's own clients take 4 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """One page of a list: the *most* jobs *after* a place."""

    listing: Listing
    after: Place | None
    most: int
    is_full: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJobMethods:
    read: ReadJobs
    share: LoopShare = field(default_factory=LoopShare)

    async def GetJob(self, request: task_pb2.GetJobRequest, context: Context) -> task_pb2.Job:
        async with answering(request, context, "reading a job"):
            checked(job_id_violations(request.job_id))
            job = await self.read.get(request.job_id)
            return job_message(job, task_pb2.Job.FULL)

    async def ListJobs(
        self, request: task_pb2.ListJobsRequest, context: Context
    ) -> task_pb2.ListJobsResponse:
        async with answering(request, context, "listing jobs"):
            asked = page_request_from(request)
            page = await self.read.page(
                asked.listing, asked.after, most=asked.most, is_full=asked.is_full
            )
            messages = await fitting(page.jobs, request.view, self.share)
            following = page.following
            if len(messages) < len(page.jobs):
                following = asked.listing.place_of(page.jobs[len(messages) - 1])
            token = asked.listing.token(following)
            return task_pb2.ListJobsResponse(jobs=messages, next_page_token=token)

    async def CountJobs(
        self, request: task_pb2.CountJobsRequest, context: Context
    ) -> task_pb2.CountJobsResponse:
        async with answering(request, context, "counting jobs"):
            wanted = checked(filter_from(request.filter))
            counted = await self.read.count(wanted)
            return task_pb2.CountJobsResponse(count=counted.jobs, has_more=counted.is_more)


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


def page_request_from(request: task_pb2.ListJobsRequest) -> PageRequest:
    """Read what is asked for; the token, once it is known for which list."""
    listing, most, is_full = checked(page_from(request))
    after = checked(listing.place(request.page_token))
    return PageRequest(listing=listing, after=after, most=most, is_full=is_full)


def page_from(request: task_pb2.ListJobsRequest) -> Checked[tuple[Listing, int, bool]]:
    listing = yield from listing_from(request)
    most = yield from page_size(request.page_size)
    is_full = yield from is_full_from(request.view)
    return listing, most, is_full


async def fitting(jobs: Iterable[Job], view: View, share: LoopShare) -> list[task_pb2.Job]:
    """Give as many messages as fit into one answer, one at least; AIP-158 lets a page be short."""
    messages: list[task_pb2.Job] = []
    left = LARGEST_PAGE_BYTES
    for job in jobs:
        if share.is_used_up():
            await share.wait()
        message = job_message(job, view)
        left -= message.ByteSize()
        if left < 0 and messages:
            break
        messages.append(message)
    return messages


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
