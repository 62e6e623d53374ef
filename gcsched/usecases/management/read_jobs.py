"""Reads jobs: one by its id, many page by page, and how many there are."""

from dataclasses import dataclass

from gcsched.domain.access import ANYONE, Client
from gcsched.domain.job import Job
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery
from gcsched.errors import UnknownJob
from gcsched.usecases.ports import JobList, JobReader, Page

MAX_COUNTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CappedCount:
    """A number of jobs; with *is_more* there are more than that."""

    jobs: int
    is_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJobs:
    """Reads jobs for callers."""

    reader: JobReader
    job_list: JobList

    async def get(self, job_id: str, client: Client = ANYONE) -> Job:
        """Return the job with its attempts. Raises UnknownJob, UnreadableJob, StoreUnavailable."""
        job = await self.reader.get(job_id)
        if job is None or not client.may_see(job.client):
            raise UnknownJob(job_id)
        return job

    async def read_page(
        self, listing: JobListQuery, after: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        return await self.job_list.read_page(listing, after, most=most, is_full=is_full)

    async def count(self, job_filter: JobFilter) -> CappedCount:
        """Return the exact count up to 10,000; counting more would take too long."""
        counted = await self.job_list.count(job_filter, most=MAX_COUNTED + 1)
        return CappedCount(jobs=min(counted, MAX_COUNTED), is_more=counted > MAX_COUNTED)
