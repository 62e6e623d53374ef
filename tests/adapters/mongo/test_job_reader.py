"""Lists of jobs. Oracle: the stored jobs, filtered and sorted by Python."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.collection import Collection

from gcsched.adapters.mongo.codec import encode
from gcsched.adapters.mongo.connection import Mongo
from gcsched.adapters.mongo.job_reader import MongoJobList
from gcsched.domain.checks import require_valid
from gcsched.domain.ids import new_id
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import ALLOWED_ORDERS, JobFilter, JobListQuery, JobOrder
from tests.support.builders import NOW, a_job, an_attempt
from tests.support.clocks import SECOND
from tests.support.rows import Row

FILTERS: dict[str, JobFilter] = {
    "nothing": JobFilter(),
    "state": JobFilter(state=State.SENT),
    "state from": JobFilter(state=State.SENT, due_time_from=NOW + 2 * SECOND),
    "state before": JobFilter(state=State.SENT, due_time_before=NOW + 3 * SECOND),
    "state due": JobFilter(
        state=State.SENT, due_time_from=NOW + SECOND, due_time_before=NOW + 4 * SECOND
    ),
    "empid": JobFilter(empid="E1"),
    "email": JobFilter(email="1@example.org"),
    "request_id": JobFilter(request_id="request-1"),
}
CLIENT_FILTERS: dict[str, JobFilter] = {
    "client": JobFilter(client="hr"),
    "state client": JobFilter(state=State.SENT, due_time_from=NOW + 2 * SECOND, client="hr"),
    "empid client": JobFilter(empid="E1", client="hr"),
    "email client": JobFilter(email="1@example.org", client="hr"),
    "request_id client": JobFilter(request_id="request-1", client="hr"),
}


def make_listings(filters: Mapping[str, JobFilter]) -> list[Any]:
    return [
        pytest.param(JobListQuery(filter=job_filter, order=order), id=f"{name} {order}")
        for name, job_filter in filters.items()
        for order in ALLOWED_ORDERS[job_filter.given_fields]
    ]


LISTINGS = make_listings(FILTERS)


def some_jobs(count: int, *, created_at_once: int = 3, due_at_once: int = 40) -> Iterator[Job]:
    """Make jobs of which several are created in one millisecond and due in one second."""
    for number in range(count):
        created = NOW + timedelta(milliseconds=number // created_at_once)
        due = NOW + number // due_at_once * SECOND
        yield a_job(
            id=new_id(created),
            state=list(State)[number % 3 + 4],
            empid=f"E{number % 4}",
            email=f"{number % 4}@example.org",
            create_time=created,
            schedule_time=due,
            due_time=due,
            request_id=f"request-{number % 4}",
            client=("", "hr", "payroll")[number // 5 % 3],
            dedup_key=f"key-{number}" if number < 4 else None,  # the others have released it
            variables={"room": "A"},
            attempts=(an_attempt(),),
        )


def select_ids(jobs: list[Job], listing: JobListQuery) -> list[str]:
    """Return the ids as Python filters and sorts them."""
    job_filter = listing.filter
    found = [
        job
        for job in jobs
        if job_filter.state in {None, job.state}
        and job_filter.empid in {"", job.empid}
        and job_filter.email in {"", job.email}
        and job_filter.request_id in {"", job.request_id}
        and job_filter.client in {"", job.client}
        and (job_filter.due_time_from is None or job_filter.due_time_from <= job.due_time)
        and (job_filter.due_time_before is None or job.due_time < job_filter.due_time_before)
    ]
    by_due = listing.order in {JobOrder.DUE_TIME_ASC, JobOrder.DUE_TIME_DESC}
    is_descending = listing.order in {JobOrder.DUE_TIME_DESC, JobOrder.CREATE_TIME_DESC}
    found.sort(
        key=lambda job: (job.due_time if by_due else job.create_time, job.id), reverse=is_descending
    )
    return [job.id for job in found]


async def read_all_pages(
    mongo: Mongo,
    listing: JobListQuery,
    *,
    most: int,
    between: Callable[[], object] = lambda: None,
) -> list[str]:
    """Read all pages by their tokens; every page but the last is full."""
    ids: list[str] = []
    token = None
    while token != "":
        after = require_valid(listing.parse_cursor(token or ""))
        page = await MongoJobList(mongo=mongo).read_page(listing, after, most=most, is_full=False)
        token = listing.encode_cursor(page.next_cursor)
        assert len(page.jobs) == most or not token
        ids += [job.id for job in page.jobs]
        between()
    return ids


@pytest.mark.parametrize("listing", [*LISTINGS, *make_listings(CLIENT_FILTERS)])
async def test_pages_contain_each_job_once_in_order(
    mongo: Mongo, jobs: Collection[Row], listing: JobListQuery
) -> None:
    stored = list(some_jobs(300))
    shuffled = sorted(stored, key=lambda job: job.id[::-1])
    jobs.insert_many([encode(job) for job in shuffled])

    expected = select_ids(stored, listing)
    ids = await read_all_pages(mongo, listing, most=7)

    assert expected
    assert ids == expected


@pytest.mark.parametrize("listing", LISTINGS)
async def test_the_last_page_has_no_next_cursor_even_if_it_is_full(
    mongo: Mongo, jobs: Collection[Row], listing: JobListQuery
) -> None:
    stored = list(some_jobs(300))
    jobs.insert_many([encode(job) for job in stored])
    count = len(select_ids(stored, listing))

    page = await MongoJobList(mongo=mongo).read_page(listing, None, most=count, is_full=False)

    assert len(page.jobs) == count
    assert page.next_cursor is None


@pytest.mark.parametrize("listing", LISTINGS)
async def test_jobs_stored_while_listing_neither_repeat_nor_hide_others(
    mongo: Mongo, jobs: Collection[Row], listing: JobListQuery
) -> None:
    stored = list(some_jobs(300))
    jobs.insert_many([encode(job) for job in stored[::2]])
    coming = iter(stored[1::2])

    def one_more() -> None:
        if (job := next(coming, None)) is not None:
            jobs.insert_one(encode(job))

    ids = await read_all_pages(mongo, listing, most=7, between=one_more)

    assert len(ids) == len(set(ids))
    assert set(select_ids(stored[::2], listing)) <= set(ids)
    assert ids == [each for each in select_ids(stored, listing) if each in set(ids)]


async def test_a_list_continues_after_its_last_job_was_deleted(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    listing = JobListQuery(filter=FILTERS["state"], order=JobOrder.DUE_TIME_ASC)
    stored = list(some_jobs(300))
    jobs.insert_many([encode(job) for job in stored])
    lists = MongoJobList(mongo=mongo)
    first = await lists.read_page(listing, None, most=10, is_full=False)
    jobs.delete_one({"_id": first.jobs[-1].id})

    second = await lists.read_page(listing, first.next_cursor, most=10, is_full=False)

    assert [job.id for job in second.jobs] == select_ids(stored, listing)[10:20]


async def test_a_basic_list_does_not_read_the_texts(mongo: Mongo, jobs: Collection[Row]) -> None:
    [job] = some_jobs(1)
    jobs.insert_one(encode(job))
    listing = JobListQuery(filter=JobFilter(), order=JobOrder.CREATE_TIME_ASC)
    lists = MongoJobList(mongo=mongo)

    full = await lists.read_page(listing, None, most=1, is_full=True)
    basic = await lists.read_page(listing, None, most=1, is_full=False)

    assert full.jobs == (job,)
    assert (basic.jobs[0].message, basic.jobs[0].variables, basic.jobs[0].attempts) == ("", {}, ())
    assert basic.jobs[0].labels == job.labels
    assert basic.jobs[0].version == job.version


async def test_a_list_continues_after_an_unreadable_job(
    mongo: Mongo, jobs: Collection[Row]
) -> None:
    stored = sorted(some_jobs(30), key=lambda job: job.id)
    jobs.insert_many([encode(job) for job in stored])
    listing = JobListQuery(filter=JobFilter(), order=JobOrder.CREATE_TIME_ASC)
    unreadable = {stored[9].id, stored[10].id}
    jobs.update_many({"_id": {"$in": list(unreadable)}}, {"$set": {"created": "yesterday"}})
    lists = MongoJobList(mongo=mongo)

    first = await lists.read_page(listing, None, most=10, is_full=False)
    second = await lists.read_page(listing, first.next_cursor, most=20, is_full=False)

    ids = [job.id for job in (*first.jobs, *second.jobs)]
    assert ids == [job.id for job in stored if job.id not in unreadable]


@pytest.mark.parametrize("listing", LISTINGS)
async def test_a_list_skips_documents_that_it_cannot_sort(
    mongo: Mongo, jobs: Collection[Row], listing: JobListQuery
) -> None:
    """An operator may have left a due time or an id of another type."""
    stored = list(some_jobs(60))
    jobs.insert_many([encode(job) for job in stored])
    invalid = encode(a_job(state=State.SENT, email="1@example.org", due_time=NOW + 2 * SECOND))
    jobs.insert_one(invalid | {"_id": ObjectId(), "dedup_key": "invalid"})
    if listing.order.is_by_due_time:
        jobs.insert_one(invalid | {"due": "tomorrow", "dedup_key": "invalid as well"})

    ids = await read_all_pages(mongo, listing, most=1)

    assert ids == select_ids(stored, listing)


@pytest.mark.parametrize(
    "job_filter",
    [pytest.param(f, id=name) for name, f in {**FILTERS, **CLIENT_FILTERS}.items()],
)
async def test_a_count_equals_the_length_of_the_list_up_to_its_limit(
    mongo: Mongo, jobs: Collection[Row], job_filter: JobFilter
) -> None:
    stored = list(some_jobs(300))
    jobs.insert_many([encode(job) for job in stored])
    expected = len(
        select_ids(stored, JobListQuery(filter=job_filter, order=JobOrder.CREATE_TIME_ASC))
    )

    lists = MongoJobList(mongo=mongo)

    assert await lists.count(job_filter, most=1000) == expected
    assert await lists.count(job_filter, most=expected - 1) == expected - 1
