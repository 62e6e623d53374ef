"""The list of jobs: its filters, its pages, its count."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import Cursor, JobListQuery, JobOrder
from gcsched.errors import InvalidRequest
from gcsched.usecases.management.read_jobs import CappedCount
from gcsched.usecases.ports import Page
from gcsched.web.console import job_filters
from gcsched.web.console.call import Call
from gcsched.web.console.many_acts import (
    MANY_ACTS,
    format_bulk_query,
    format_tick,
    list_bulk_acts,
)
from gcsched.web.console.masked import find_code, show_address
from gcsched.web.console.view import may

PAGE_SIZE = 50
MAX_NEWER = 50
AFTER_ALL_IDS = "~"
"""Behind an id: greater than that id, and less than the next one."""
MAX_ID_LENGTH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A job in the list; its address is masked unless the client may read its content.

    *tick* is the value of its box.
    """

    job: Job
    address: str
    code: str
    tick: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of the list. *newer* counts the jobs that came since it was opened."""

    jobs: Page
    newer: CappedCount
    first_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list as it was asked for: its query, and the token of its page; "" for the first one."""

    query: JobListQuery
    token: str

    @property
    def grows_at_its_top(self) -> bool:
        """Whether new jobs come before those that are shown."""
        return not self.token and self.query.order is JobOrder.CREATE_TIME_DESC


async def show(call: Call) -> web.StreamResponse:
    given = {name: call.request.query.get(name, "") for name in job_filters.FIELDS}
    given["email"] = ""  # an address has no place in the address of a page
    try:
        query = parse(call, given)
    except InvalidRequest as error:
        return show_problems(call, given, error)
    return await show_list(call, Listing(query=query, token=call.request.query.get("page", "")))


async def choose(call: Call, form: Mapping[str, str]) -> web.StreamResponse:
    """Open the list that the form asks for; one of an address is the answer itself."""
    given = {name: form.get(name, "") for name in job_filters.FIELDS}
    try:
        query = parse(call, given)
    except InvalidRequest as error:
        return show_problems(call, given, error)
    if not query.filter.email:
        return call.redirect(build_path("/jobs", query))
    return await show_list(call, Listing(query=query, token=form.get("page", "")))


async def count(call: Call) -> web.StreamResponse:
    """Answer with how many jobs the list has, a part of its page."""
    query = parse(call, dict(call.request.query))
    return call.fragment("jobs_count.html", count=await count_jobs(call, query))


def parse(call: Call, given: Mapping[str, str]) -> JobListQuery:
    return require_valid(job_filters.parse_filter(given, zone=call.times().zone))


def build_path(path: str, query: JobListQuery, **more: str) -> str:
    fields = job_filters.format_query(query) | {n: v for n, v in more.items() if v}
    return f"{path}?{urlencode(fields)}" if fields else path


async def show_list(call: Call, listing: Listing) -> web.Response:
    found = await read(call, listing)
    query, is_searched = listing.query, bool(listing.query.filter.email)
    counted = await count_jobs(call, query) if is_searched else None
    token = query.encode_cursor(found.jobs.next_cursor)
    return call.page(
        "jobs_found.html" if is_searched else "jobs.html",
        status=200,
        rows=[make_row(call, job) for job in found.jobs.jobs],
        newer=found.newer,
        here=call.link(build_path("/jobs", query)),
        source=call.link(build_path("/jobs", query, page=listing.token, seen=found.first_id)),
        next_page=call.link(build_path("/jobs", query, page=token)) if token else "",
        count_link=call.link(build_path("/jobs-count", query)),
        token=token,
        is_first=not listing.token,
        is_searched=is_searched,
        count=counted,
        order_words=job_filters.ORDER_NAMES[query.order],
        described=job_filters.describe(query.filter),
        due_times=(query.filter.due_time_from, query.filter.due_time_before),
        **list_acts(call, query),
        **form_values(job_filters.fill_form(query, call.times().zone)),
    )


def list_acts(call: Call, query: JobListQuery) -> dict[str, object]:
    """Return the acts on ticked rows and on all jobs of the list that the client may do."""
    client = call.client
    return {
        "ticked_acts": [each for each in MANY_ACTS if may(client, each.method)],
        "bulk_acts": [
            each for each in list_bulk_acts(query.filter) if may(client, each.method_of_many)
        ],
        "filter_fields": format_bulk_query(query),
    }


def show_problems(call: Call, given: Mapping[str, str], error: InvalidRequest) -> web.Response:
    return call.page(
        "jobs_filter.html",
        status=400,
        **form_values(given, {each.field: each.problem for each in error.violations}),
    )


def form_values(
    given: Mapping[str, str], problems: Mapping[str, str] | None = None
) -> dict[str, object]:
    """Return what the forms of the page need."""
    fields = {name: given.get(name, "") for name in job_filters.FIELDS}
    return {
        "given": fields,
        "problems": dict.fromkeys((*fields, "filter"), "") | dict(problems or {}),
        "states": [("", "any state"), *((each.value, each.value) for each in State)],
        "orders": [("", "as usual"), *job_filters.ORDER_NAMES.items()],
    }


def make_row(call: Call, job: Job) -> Row:
    is_full = call.client.may_read_content(job.client)
    return Row(
        job=job,
        address=show_address(job, is_full=is_full),
        code=find_code(job.reason),
        tick=format_tick(job),
    )


async def read(call: Call, listing: Listing) -> Found:
    """Read the page; its refresh begins with the same job, whatever has come since."""
    query = listing.query
    after = require_valid(query.parse_cursor(listing.token))
    seen = find_seen(call) if listing.grows_at_its_top else ""
    newer = CappedCount(jobs=0, is_more=False)
    async with call.services.slots.listing.slot(call.within):
        if seen:
            after = Cursor(id=seen + AFTER_ALL_IDS)
            newer = await count_newer(call, query, seen)
        jobs = await read_page(call, query, after)
    first_id = seen or (jobs.jobs[0].id if listing.grows_at_its_top and jobs.jobs else "")
    return Found(jobs=jobs, newer=newer, first_id=first_id)


def find_seen(call: Call) -> str:
    """Return the id of the first job that the page shows which is refreshed."""
    seen = call.request.query.get("seen", "")
    return seen if call.is_refresh and len(seen) <= MAX_ID_LENGTH else ""


async def count_newer(call: Call, query: JobListQuery, seen: str) -> CappedCount:
    upwards = JobListQuery(filter=query.filter, order=JobOrder.CREATE_TIME_ASC)
    found = await read_page(call, upwards, Cursor(id=seen), most=MAX_NEWER)
    return CappedCount(jobs=len(found.jobs), is_more=found.next_cursor is not None)


async def read_page(
    call: Call, query: JobListQuery, after: Cursor | None, *, most: int = PAGE_SIZE
) -> Page:
    return await call.services.read_jobs.read_page(
        query, after, most=most, is_full=False, client=call.client
    )


async def count_jobs(call: Call, query: JobListQuery) -> CappedCount:
    async with call.services.slots.listing.slot(call.within):
        return await call.services.read_jobs.count(query.filter, call.client)
