"""Audit: what callers and operators did to many jobs or to the whole, the latest first."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from gcsched.domain.audit import AuditFilter, AuditOutcome, audit_text_violations, find_digests
from gcsched.domain.checks import Checked, require_valid
from gcsched.errors import InvalidRequest
from gcsched.web.console.call import Call
from gcsched.web.console.job_filters import parse_time
from gcsched.web.console.states import StateMark

PAGE_SIZE = 50
FIELDS = ("client", "subject", "from_time", "before_time")
JOB_ID = re.compile(r"[0-9a-f]{32}")
OUTCOMES: Mapping[AuditOutcome, tuple[StateMark, str]] = {
    AuditOutcome.STARTED: (StateMark("\u25d0", "sending"), "began"),
    AuditOutcome.DONE: (StateMark("\u2713", "sent"), "done"),
    AuditOutcome.ERROR: (StateMark("\u2715", "failed"), "failed"),
}


async def show(call: Call) -> web.StreamResponse:
    """Show the entries of the filter in the address, where a person is never named."""
    given = read_fields(call.request.query) | {"subject": ""}
    return await show_list(call, given, call.request.query.get("page", ""))


async def choose(call: Call) -> web.StreamResponse:
    """Open the list that the form asks for; one about a person is the answer itself."""
    form = await call.form()
    given = read_fields(form)
    if JOB_ID.fullmatch(given["subject"]):
        return call.redirect(f"/jobs/{given['subject']}")
    if given["subject"]:
        return await show_list(call, given, form.get("page", ""))
    return call.redirect(build_path(given))


def read_fields(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "").strip() for name in FIELDS}


def build_path(given: Mapping[str, str], **more: str) -> str:
    fields = {name: value for name, value in {**given, **more}.items() if value}
    return f"/audit?{urlencode(fields)}" if fields else "/audit"


def parse(call: Call, given: Mapping[str, str]) -> Checked[AuditFilter]:
    zone = call.times().zone
    yield from audit_text_violations(client=given["client"], subject=given["subject"])
    return AuditFilter(
        client=given["client"],
        subjects=find_digests(given["subject"]) if given["subject"] else (),
        from_time=(yield from parse_time(given["from_time"], "from_time", zone)),
        before_time=(yield from parse_time(given["before_time"], "before_time", zone)),
    )


async def show_list(call: Call, given: dict[str, str], token: str) -> web.Response:
    try:
        entry_filter = require_valid(parse(call, given))
    except InvalidRequest as error:
        problems = {each.field: each.problem for each in error.violations}
        return call.page("audit.html", status=400, **describe(given, problems=problems))
    after = require_valid(entry_filter.parse_cursor(token))
    async with call.services.slots.listing.slot(call.within):
        page = await call.services.audit.read_page(entry_filter, after, most=PAGE_SIZE)
    next_token = entry_filter.encode_cursor(page.next_after)
    same = given | write_times(entry_filter, lambda moment: moment.isoformat())
    return call.page(
        "audit.html",
        status=200,
        **describe(
            given | write_times(entry_filter, make_field_writer(call.times().zone)),
            entries=page.entries,
            token=next_token,
            is_first=not token,
            same=same,
            first_page=call.link(build_path(same)) if token else "",
            next_page=call.link(build_path(same, page=next_token)) if next_token else "",
        ),
    )


def write_times(entry_filter: AuditFilter, write: Callable[[datetime], str]) -> dict[str, str]:
    """Return the times of the filter as *write* writes them; those that are not set are absent."""
    times = {"from_time": entry_filter.from_time, "before_time": entry_filter.before_time}
    return {name: write(moment) for name, moment in times.items() if moment is not None}


def make_field_writer(zone: ZoneInfo) -> Callable[[datetime], str]:
    """Return what writes a time for the field of a form, which has no zone of its own."""
    return lambda moment: f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"


def describe(given: Mapping[str, str], **values: object) -> dict[str, object]:
    return {
        "given": given,
        "problems": {},
        "entries": (),
        "token": "",
        "is_first": True,
        "same": given,
        "first_page": "",
        "next_page": "",
        "outcomes": OUTCOMES,
        "is_filtered": any(given.values()),
        **values,
    }
