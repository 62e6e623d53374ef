from collections.abc import Mapping

import pytest

from gcsched.domain.job import Job
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery
from gcsched.errors import UnknownJob
from gcsched.usecases.management.read_jobs import CappedCount, ReadJobs
from gcsched.usecases.ports import Page
from tests.support.builders import a_job


class FakeJobs:
    """These jobs, and a number of others that are only counted."""

    def __init__(self, jobs: Mapping[str, Job], *, others: int = 0) -> None:
        self._jobs = jobs
        self._others = others

    async def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    async def read_page(
        self, _: JobListQuery, __: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        raise NotImplementedError(most, is_full)

    async def count(self, _: JobFilter, *, most: int) -> int:
        return min(most, len(self._jobs) + self._others)


def a_reader(jobs: FakeJobs) -> ReadJobs:
    return ReadJobs(reader=jobs, job_list=jobs)


async def test_a_job_is_found_by_its_id() -> None:
    read = a_reader(FakeJobs({"job-1": a_job()}))

    assert await read.get("job-1") == a_job()


async def test_a_missing_job_is_unknown() -> None:
    with pytest.raises(UnknownJob) as raised:
        await a_reader(FakeJobs({})).get("job-1")

    assert raised.value.metadata == {"job_id": "job-1"}


@pytest.mark.parametrize(
    ("jobs", "reported"), [(0, (0, False)), (10_000, (10_000, False)), (10_001, (10_000, True))]
)
async def test_it_counts_exactly_to_ten_thousand(jobs: int, reported: tuple[int, bool]) -> None:
    counted = await a_reader(FakeJobs({}, others=jobs)).count(JobFilter())

    assert counted == CappedCount(jobs=reported[0], is_more=reported[1])
