from collections.abc import Mapping

import pytest

from gcsched.domain.access import ANYONE
from gcsched.domain.job import Job
from gcsched.domain.job_list import Cursor, JobFilter, JobListQuery, JobOrder
from gcsched.errors import ScopeMissing, UnknownJob, UnreadableJob
from gcsched.usecases.management.read_jobs import NO_JOBS, CappedCount, ReadJobs
from gcsched.usecases.ports import Page
from tests.support.builders import a_job
from tests.support.named_callers import CLIENTS


class FakeJobs:
    """These jobs, and a number of others that are only counted."""

    def __init__(self, jobs: Mapping[str, Job | UnreadableJob], *, others: int = 0) -> None:
        self._jobs = jobs
        self._others = others
        self.filters: list[JobFilter] = []

    async def get(self, job_id: str) -> Job | None:
        found = self._jobs.get(job_id)
        if isinstance(found, UnreadableJob):
            raise found
        return found

    async def read_page(
        self, listing: JobListQuery, _: Cursor | None, *, most: int, is_full: bool
    ) -> Page:
        self.filters.append(listing.filter)
        jobs = [each for each in self._jobs.values() if isinstance(each, Job)]
        return Page(jobs=tuple(jobs[:most]), next_cursor=Cursor(id="next") if is_full else None)

    async def count(self, job_filter: JobFilter, *, most: int) -> int:
        self.filters.append(job_filter)
        return min(most, len(self._jobs) + self._others)


def a_reader(jobs: FakeJobs) -> ReadJobs:
    return ReadJobs(reader=jobs, job_list=jobs)


async def test_a_job_is_found_by_its_id() -> None:
    read = a_reader(FakeJobs({"job-1": a_job()}))

    assert await read.get("job-1", ANYONE) == a_job()


async def test_a_missing_job_is_unknown() -> None:
    with pytest.raises(UnknownJob) as raised:
        await a_reader(FakeJobs({})).get("job-1", ANYONE)

    assert raised.value.metadata == {"job_id": "job-1"}


@pytest.mark.parametrize(
    ("jobs", "reported"), [(0, (0, False)), (10_000, (10_000, False)), (10_001, (10_000, True))]
)
async def test_it_counts_exactly_to_ten_thousand(jobs: int, reported: tuple[int, bool]) -> None:
    counted = await a_reader(FakeJobs({}, others=jobs)).count(JobFilter(), ANYONE)

    assert counted == CappedCount(jobs=reported[0], is_more=reported[1])


MINE = a_job(client="payroll")
DAMAGED = UnreadableJob("job-1", client="payroll")


@pytest.mark.parametrize("found", [MINE, DAMAGED, None], ids=["job", "unreadable", "none"])
async def test_jobs_of_other_clients_are_unknown_in_the_same_words(
    found: Job | UnreadableJob | None,
) -> None:
    read = a_reader(FakeJobs({"job-1": found} if found else {}))

    with pytest.raises(UnknownJob) as raised:
        await read.get("job-1", CLIENTS["hr"])

    assert str(raised.value) == str(UnknownJob("job-1"))
    assert raised.value.metadata == {"job_id": "job-1"}
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize("name", ["payroll", "reader", "support"])
async def test_a_job_is_seen_by_its_client_and_with_the_scope_read(name: str) -> None:
    assert await a_reader(FakeJobs({"job-1": MINE})).get("job-1", CLIENTS[name]) == MINE
    with pytest.raises(UnreadableJob):
        await a_reader(FakeJobs({"job-1": DAMAGED})).get("job-1", CLIENTS[name])


async def test_a_job_without_a_client_takes_the_scope_read() -> None:
    read = a_reader(FakeJobs({"job-1": a_job()}))

    assert await read.get("job-1", CLIENTS["reader"]) == a_job()
    with pytest.raises(UnknownJob):
        await read.get("job-1", CLIENTS["payroll"])


def a_listing(client: str = "") -> JobListQuery:
    return JobListQuery(filter=JobFilter(client=client), order=JobOrder.CREATE_TIME_DESC)


async def test_lists_and_counts_of_a_client_are_of_its_own_jobs() -> None:
    jobs = FakeJobs({"job-1": MINE})
    read, client = a_reader(jobs), CLIENTS["payroll"]

    page = await read.read_page(a_listing(), None, most=9, is_full=True, client=client)
    counted = await read.count(JobFilter(empid="E1"), client)

    assert page.jobs == (MINE,)
    assert counted.jobs == 1
    assert jobs.filters == [JobFilter(client="payroll"), JobFilter(client="payroll", empid="E1")]


async def test_a_list_or_count_of_another_client_is_empty_and_reads_nothing() -> None:
    jobs = FakeJobs({"job-1": MINE})
    read, client = a_reader(jobs), CLIENTS["hr"]

    page = await read.read_page(a_listing("payroll"), None, most=9, is_full=True, client=client)
    counted = await read.count(JobFilter(client="payroll"), client)

    assert (page, counted) == (NO_JOBS, CappedCount(jobs=0, is_more=False))
    assert jobs.filters == []


async def read_full_list(name: str, listed: str) -> Page:
    read = a_reader(FakeJobs({"job-1": MINE}))
    return await read.read_page(a_listing(listed), None, most=9, is_full=True, client=CLIENTS[name])


@pytest.mark.parametrize("listed", ["", "payroll"])
async def test_a_full_list_of_other_clients_takes_the_scope_content(listed: str) -> None:
    with pytest.raises(ScopeMissing) as raised:
        await read_full_list("reader", listed)

    assert raised.value.metadata == {"client": "reader", "scope": "content"}
    assert (await read_full_list("support", listed)).jobs == (MINE,)


@pytest.mark.parametrize("name", ["payroll", "reader"])
async def test_a_full_list_of_ones_own_jobs_takes_no_other_scope(name: str) -> None:
    assert (await read_full_list(name, name)).jobs == (MINE,)
