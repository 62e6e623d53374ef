"""Acts on all jobs of a filter: first the count of the service, then the act as the API does it.

The filter that is sent is the one that the page prints, never what a list happens to show.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web

from gcsched.domain.checks import Checked, require_valid
from gcsched.domain.commands import Cancel, Retry
from gcsched.domain.job_list import JobListQuery
from gcsched.errors import BulkNotFinished, InvalidRequest, StoreUnavailable
from gcsched.usecases.management.bulk_change import BulkChange
from gcsched.web.console.call import Call
from gcsched.web.console.job_filters import describe
from gcsched.web.console.many_acts import (
    CANCEL,
    MAX_UNTYPED,
    RETRY,
    ManyAct,
    format_bulk_query,
    number_violations,
    parse_bulk_query,
    parse_count,
)
from gcsched.web.console.pages.job_acts import parse_cancel, parse_retry
from gcsched.web.console.pages.jobs import build_path, read_page

ANSWER_WITHIN = timedelta(seconds=5)
"""How long a silent MongoDB is waited for before jobs are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form of an act on all jobs of *query*, as it was sent.

    *count* is how many jobs the page before has shown, None before it has; *earlier* is how many
    jobs were changed by runs that did not finish.
    """

    act: ManyAct
    query: JobListQuery
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int | None:
        return parse_count(self.fields.get("count", ""))

    @property
    def earlier(self) -> int:
        return parse_count(self.fields.get("earlier", "")) or 0


async def cancel(call: Call) -> web.StreamResponse:
    return await run(call, CANCEL)


async def retry(call: Call) -> web.StreamResponse:
    return await run(call, RETRY)


async def run(call: Call, act: ManyAct) -> web.StreamResponse:
    """Show how many jobs it would be; do it once that number was seen."""
    fields = await call.form()
    query = require_valid(parse_bulk_query(fields, zone=call.times().zone))
    form = Form(act=act, query=query, fields=fields)
    try:
        command = require_valid(parse_command(call, form))
    except InvalidRequest as error:
        return show_form(call, form, form.count or 0, problems=error.by_field)
    if form.count is None:
        await check_answer(call, query)
    if form.count is None or form.count <= MAX_UNTYPED:
        # A small number needs no typing, so it must still be one. To count many takes long.
        count = await change(call, form, command, is_dry_run=True)
        if form.count is None or count > MAX_UNTYPED:
            return show_form(call, form, count)
    try:
        changed = await change(call, form, command)
    except BulkNotFinished as error:
        return show_changed(call, form, int(error.metadata["count"]), is_finished=False)
    return show_changed(call, form, changed)


def parse_many_command(
    call: Call, act: ManyAct, fields: Mapping[str, str]
) -> Checked[Cancel | Retry]:
    """Parse the command of *act*, the same for each of its jobs."""
    if act is CANCEL:
        return (yield from parse_cancel(call, fields))
    return (yield from parse_retry(call, fields))


def parse_command(call: Call, form: Form) -> Checked[Cancel | Retry]:
    command = yield from parse_many_command(call, form.act, form.fields)
    yield from number_violations(form.fields.get("typed", ""), form.count or 0)
    return command


async def check_answer(call: Call, query: JobListQuery) -> None:
    """Read one job. Raises StoreUnavailable soon if MongoDB is silent: many take long to count."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN.total_seconds()):
            async with call.services.slots.listing.slot(ANSWER_WITHIN):
                await read_page(call, query, None, most=1)
    except TimeoutError as error:
        raise StoreUnavailable("reading the jobs of the filter") from error


async def change(
    call: Call, form: Form, command: Cancel | Retry, *, is_dry_run: bool = False
) -> int:
    services = call.services
    bulk_change = BulkChange(filter=form.query.filter, command=command, is_dry_run=is_dry_run)
    async with services.slots.changing_many.slot(call.within):
        return await services.change_jobs.apply(
            bulk_change, actor=call.actor(form.act.method_of_many), within=call.within
        )


def show_form(
    call: Call, form: Form, count: int, *, problems: Mapping[str, str] | None = None
) -> web.Response:
    return call.page(
        "bulk.html",
        status=400 if problems else 200,
        count=count,
        count_before=form.count,
        is_typed=count > MAX_UNTYPED,
        problems=problems or {},
        reason=form.fields.get("reason", ""),
        **values_of(call, form),
    )


def show_changed(call: Call, form: Form, changed: int, *, is_finished: bool = True) -> web.Response:
    """Answer with what was done. A form that is sent again finds only what is still to do."""
    return call.page(
        "bulk_changed.html",
        status=200 if is_finished else 504,
        changed=changed + form.earlier,
        is_finished=is_finished,
        count=form.count,
        reason=form.fields.get("reason", ""),
        **values_of(call, form),
    )


def values_of(call: Call, form: Form) -> dict[str, object]:
    """Return what both pages show of the form: its act and its filter, in words and as fields."""
    found = form.query.filter
    return {
        "act": form.act,
        "described": describe(found),
        "due_times": (found.due_time_from, found.due_time_before),
        "filter_fields": format_bulk_query(form.query),
        "list_link": "" if found.email else call.link(build_path("/jobs", form.query)),
    }
