"""Recipients: what is known about an employee, their jobs, and how to erase it all."""

from urllib.parse import quote

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.job_list import JobFilter, JobListQuery, JobOrder
from gcsched.domain.recipient import Recipient
from gcsched.domain.validation import empid_violations
from gcsched.errors import UnknownRecipient
from gcsched.usecases.management.recipients import ErasurePreview, ForgetResult
from gcsched.web.console.call import Call
from gcsched.web.console.pages.jobs import make_row, read_page
from gcsched.web.console.routing import CHANGE_MANY_WITHIN, Kind, Route

PAGE = "/recipients/{empid}"
ERASE = "/recipients/{empid}/erase"
JOBS_SHOWN = 20
NOT_THE_SAME = "must be the employee id, exactly as it stands above"


async def show(call: Call) -> web.StreamResponse:
    empid = find_empid(call)
    query = JobListQuery(filter=JobFilter(empid=empid), order=JobOrder.CREATE_TIME_DESC)
    recipient = await read_details(call, empid)
    async with call.services.slots.listing.slot(call.within):
        found = await read_page(call, query, None, most=JOBS_SHOWN)
    return call.page(
        "recipient.html",
        empid=empid,
        page=find_page(call, empid),
        recipient=recipient,
        rows=[make_row(call, job) for job in found.jobs],
        has_more=found.next_cursor is not None,
    )


def find_empid(call: Call) -> str:
    """Return the employee of the address. Raises InvalidRequest."""
    empid = call.request.match_info["empid"]
    require_valid(empid_violations(empid))
    return empid


def find_page(call: Call, empid: str) -> str:
    return call.link(f"/recipients/{quote(empid, safe='')}")


async def read_details(call: Call, empid: str) -> Recipient | None:
    try:
        async with call.services.slots.reading.slot(call.within):
            return await call.services.recipients.get(empid)
    except UnknownRecipient:
        return None


async def show_erasure(call: Call) -> web.StreamResponse:
    """Show how much would be erased, with the form that does it."""
    return await show_counts(call, find_empid(call))


async def show_counts(call: Call, empid: str, *, problem: str = "") -> web.Response:
    async with call.services.slots.reading.slot(call.within):
        counts = await call.services.recipients.preview_erasure(empid)
    return show_form(call, empid, counts=counts, problem=problem)


def show_form(
    call: Call,
    empid: str,
    *,
    counts: ErasurePreview | None = None,
    result: ForgetResult | None = None,
    problem: str = "",
) -> web.Response:
    return call.page(
        "recipient_erase.html",
        status=400 if problem else 200,
        empid=empid,
        page=find_page(call, empid),
        counts=counts,
        result=result,
        problem=problem,
    )


async def erase(call: Call) -> web.StreamResponse:
    """Erase the employee, as ForgetRecipient does, if their id was typed."""
    empid, fields = find_empid(call), await call.form()
    if fields.get("typed", "").strip() != empid.strip():
        return await show_counts(call, empid, problem=NOT_THE_SAME)
    async with call.services.slots.changing_many.slot(call.within):
        result = await call.services.erase_recipients.forget(
            empid, actor=call.actor("ForgetRecipient"), within=call.within
        )
    return show_form(call, empid, result=result)


ROUTES = (
    Route(method="GET", path=PAGE, act="GetRecipient", handler=show),
    Route(method="GET", path=ERASE, act="ForgetRecipient", handler=show_erasure),
    Route(
        method="POST",
        path=ERASE,
        act="ForgetRecipient",
        handler=erase,
        kind=Kind.ACT,
        page=ERASE,
        within=CHANGE_MANY_WITHIN,
    ),
)
