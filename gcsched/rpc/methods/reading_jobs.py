"""GetJob, ListJobs and CountJobs: convert, call the use case, convert."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gcsched.domain.checks import Checks
from gcsched.domain.job import Job
from gcsched.domain.job_list import Listing, Place
from gcsched.domain.page_token import page_size
from gcsched.domain.validation import text_violations
from gcsched.errors import Violation
from gcsched.pb import task_pb2
from gcsched.rpc.call import LONGEST_ID, Context, answering
from gcsched.rpc.messages import View, job_message
from gcsched.rpc.requests import filter_from, listing_from
from gcsched.usecases.loop_share import LoopShare
from gcsched.usecases.management.read_jobs import ReadJobs

LARGEST_PAGE_BYTES = 3 * 1024 * 1024  # gRPC's own clients take 4 MiB
VIEWS = task_pb2.Job.View.values()


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
            checks = Checks()
            checks.add(job_id_violations(request.job_id))
            checks.finish()
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
            checks = Checks()
            wanted = filter_from(request.filter, checks)
            checks.finish()
            counted = await self.read.count(wanted)
            return task_pb2.CountJobsResponse(count=counted.jobs, more_than=counted.is_more)


def job_id_violations(job_id: str) -> Iterable[Violation]:
    return text_violations("job_id", job_id, at_least=1, at_most=LONGEST_ID)


def asked_from(request: task_pb2.ListJobsRequest) -> Asked:
    checks = Checks()
    listing = listing_from(request, checks)
    most = checks.taken(page_size(request.page_size), otherwise=0)
    if request.view not in VIEWS:
        checks.add([Violation("view", f"must be BASIC or FULL; {request.view} is neither")])
    checks.finish()
    after = checks.taken(listing.place(request.page_token), otherwise=None)
    checks.finish()
    is_full = request.view == task_pb2.Job.FULL
    return Asked(listing=listing, after=after, most=most, is_full=is_full)


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
