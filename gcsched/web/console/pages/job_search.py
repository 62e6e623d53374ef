"""One search field: it finds a job by whatever was pasted into it."""

import re
from collections.abc import Iterator

from aiohttp import web

from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import find_valid
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.validation import (
    MAX_EMPID_LENGTH,
    MAX_ID_LENGTH,
    MAX_REQUEST_ID_LENGTH,
    has_controls,
)
from gcsched.errors import UnknownJob
from gcsched.usecases.ports import Page
from gcsched.web.console.call import Call
from gcsched.web.console.pages import jobs

ID = re.compile(r"[0-9a-f]{32}")
ID_BEGIN = re.compile(r"[0-9a-f]{6,31}")


async def act(call: Call) -> web.StreamResponse:
    """Search for one thing, or open the list that the other form asks for."""
    form = await call.form()
    if "q" not in form:
        return await jobs.choose(call, form)
    text = form["q"].strip()
    if not text:
        return call.redirect("/jobs")
    return await find(call, text)


async def find(call: Call, text: str) -> web.StreamResponse:
    """Open the one job that *text* means, or the list of those."""
    if (job_id := find_id(text)) and await is_job(call, job_id):
        return call.redirect(f"/jobs/{job_id}")
    for job_filter in list_meanings(text):
        query = JobListQuery(filter=job_filter, order=JobOrder.CREATE_TIME_DESC)
        found = await read_two(call, query)
        if len(found.jobs) == 1 and found.next_cursor is None:
            return call.redirect(f"/jobs/{found.jobs[0].id}")
        if found.jobs and job_filter.email:
            return await jobs.show_list(call, jobs.Listing(query=query, token=""))
        if found.jobs:
            return call.redirect(jobs.build_path("/jobs", query))
    return call.page("jobs_not_found.html", status=200, text=text, **jobs.form_values({}))


def find_id(text: str) -> str:
    """Return the job id in *text*: alone, or in a Message-ID, which begins with it; else ""."""
    begin = text.strip("<>").partition("@")[0].lower()
    return begin if ID.fullmatch(begin) else ""


async def is_job(call: Call, job_id: str) -> bool:
    try:
        async with call.services.slots.reading.slot(call.within):
            await call.services.read_jobs.get(job_id, call.client)
    except UnknownJob:
        return False
    return True


def list_meanings(text: str) -> Iterator[JobFilter]:
    """Yield the filters by which *text* may be found, the likeliest first."""
    if has_controls(text):
        return
    if "@" in text:
        address = find_valid(parse_stored_address(text.strip("<>"), field="q"))
        if address is not None:
            yield JobFilter(email=address)
    if ID.fullmatch(text.lower()) and len(text) <= MAX_ID_LENGTH:
        yield JobFilter(meeting_id=text.lower())
    if len(text) <= MAX_REQUEST_ID_LENGTH and text.isascii():
        yield JobFilter(request_id=text)
    if len(text) <= MAX_EMPID_LENGTH:
        yield JobFilter(empid=text)
    if ID_BEGIN.fullmatch(text.lower()):
        yield JobFilter(id_prefix=text.lower())


async def read_two(call: Call, query: JobListQuery) -> Page:
    async with call.services.slots.listing.slot(call.within):
        return await jobs.read_page(call, query, None, most=2)
