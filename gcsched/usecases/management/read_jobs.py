"""Reads jobs: one by its id, many page by page, and how many there are."""

from dataclasses import dataclass, replace

from gcsched.domain.access import Client, Scope
from gcsched.domain.job import Job
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery
from gcsched.errors import ScopeMissing
from gcsched.usecases.management.visible_job import find_visible_job
from gcsched.usecases.ports import JobList, JobReader, Page

MAX_COUNTED = 10_000
NO_JOBS = Page(jobs=(), next_cursor=None)
FULL_LIST = "ListJobs with the view FULL for jobs of other clients"


@dataclass(frozen=True, slots=True, kw_only=True)
class CappedCount:
    """A number of jobs; with *is_more* there are more than that."""

    jobs: int
    is_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadJobs:
    """Reads jobs for callers, each of whom gets only those that it may see."""

    reader: JobReader
    job_list: JobList

    async def get(self, job_id: str, client: Client) -> Job:
        """Return the job with its attempts. Raises UnknownJob, UnreadableJob, StoreUnavailable."""
        return await find_visible_job(self.reader.get, job_id, client)

    async def read_page(
        self,
        listing: JobListQuery,
        after: Cursor | None,
        *,
        most: int,
        is_full: bool,
        client: Client,
    ) -> Page:
        """Return a page of the jobs that *client* may see.

        Raises ScopeMissing if *is_full* and it may not read the content of all of them.
        """
        visible = listing.filter.visible_to(client)
        if visible is None:
            return NO_JOBS
        if is_full and not client.may_read_content(visible.client):
            raise ScopeMissing(client.name, FULL_LIST, (Scope.CONTENT,))
        seen = replace(listing, filter=visible)
        return await self.job_list.read_page(seen, after, most=most, is_full=is_full)

    async def count(self, job_filter: JobFilter, client: Client) -> CappedCount:
        """Return the exact count up to 10,000; counting more would take too long."""
        visible = job_filter.visible_to(client)
        if visible is None:
            return CappedCount(jobs=0, is_more=False)
        counted = await self.job_list.count(visible, most=MAX_COUNTED + 1)
        return CappedCount(jobs=min(counted, MAX_COUNTED), is_more=counted > MAX_COUNTED)
