"""GetJob, ListJobs and CountJobs: convert, call the use case, convert."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gcsched.domain.checks import Checked, checked
from gcsched.domain.job import Job
from gcsched.domain.job_list import Listing, Place
from gcsched.domain.page_token import page_size
from gcsched.domain.validation import job_id_violations
from gcsched.pb import task_pb2
from gcsched.rpc.call import Context, answering
from gcsched.rpc.messages import View, job_message
from gcsched.rpc.requests import filter_from, is_full_from, listing_from
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.management.read_jobs import ReadJobs

LARGEST_PAGE_BYTES = 3 * 1024 * 1024  # gRPC's own clients take 4 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
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
            asked = asked_from(request)
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
            return task_pb2.CountJobsResponse(count=counted.jobs, more_than=counted.is_more)


def asked_from(request: task_pb2.ListJobsRequest) -> Asked:
    """Read what is asked for; the token, once it is known for which list."""
    listing, most, is_full = checked(page_from(request))
    after = checked(listing.place(request.page_token))
    return Asked(listing=listing, after=after, most=most, is_full=is_full)


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
