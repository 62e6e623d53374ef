"""Acts on the jobs whose rows are ticked, each as the method for one job does it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.commands import Cancel, Retry
from gcsched.errors import EtagMismatch, GcschedError, InvalidRequest, UnknownJob, UnreadableJob
from gcsched.web.console.call import Call
from gcsched.web.console.job_filters import parse_filter
from gcsched.web.console.many_acts import (
    CANCEL,
    RETRY,
    ManyAct,
    Tick,
    format_bulk_query,
    parse_ticks,
)
from gcsched.web.console.pages.bulk import parse_many_command
from gcsched.web.console.pages.errors import capitalize
from gcsched.web.console.pages.job_acts import AS_IT_IS
from gcsched.web.console.pages.jobs import build_path

ITS_OWN = (*AS_IT_IS, UnknownJob, UnreadableJob)
"""Errors of one job: the others are tried all the same."""
CHANGED = "It has changed since its row was ticked, so nothing was done."
NOT_TRIED = "Not tried."


class Result(NamedTuple):
    """What became of one job; *problem* is "" if the act was done."""

    job_id: str
    problem: str


async def cancel(call: Call) -> web.StreamResponse:
    return await run(call, CANCEL)


async def retry(call: Call) -> web.StreamResponse:
    return await run(call, RETRY)


async def run(call: Call, act: ManyAct) -> web.StreamResponse:
    """Show the form of the act for the ticked rows; do it when that form is sent."""
    fields, values = await call.form(), await call.form_values("job")
    try:
        ticks = require_valid(parse_ticks(values))
    except InvalidRequest as error:
        [problem, *_] = [each.problem for each in error.violations]
        return show_form(call, act, fields, values, problems={"job": problem})
    if "is_sure" not in fields:
        return show_form(call, act, fields, values)
    try:
        command = require_valid(parse_many_command(call, act, fields))
    except InvalidRequest as error:
        problems = {each.field: each.problem for each in error.violations}
        return show_form(call, act, fields, values, problems=problems)
    return show_results(call, act, fields, await change_all(call, act, ticks, command))


async def change_all(
    call: Call, act: ManyAct, ticks: Sequence[Tick], command: Cancel | Retry
) -> list[Result]:
    """Change one job after the other. What would fail at each of them ends it."""
    now = asyncio.get_running_loop().time
    end, results = now() + call.within.total_seconds(), list[Result]()
    for tick in ticks:
        try:
            await change(call, act, tick, command, within=timedelta(seconds=max(0.0, end - now())))
        except EtagMismatch:
            results.append(Result(tick.job_id, CHANGED))
        except ITS_OWN as error:
            results.append(Result(tick.job_id, capitalize(str(error))))
        except GcschedError as error:
            results.append(Result(tick.job_id, capitalize(str(error))))
            return results + [Result(each.job_id, NOT_TRIED) for each in ticks[len(results) :]]
        else:
            results.append(Result(tick.job_id, ""))
    return results


async def change(
    call: Call, act: ManyAct, tick: Tick, command: Cancel | Retry, *, within: timedelta
) -> None:
    async with call.services.slots.changing.slot(within):
        await call.services.change_job.change(
            tick.job_id, command, etag=tick.etag, within=within, actor=call.actor(act.method)
        )


def show_form(
    call: Call,
    act: ManyAct,
    fields: Mapping[str, str],
    values: Sequence[str],
    *,
    problems: Mapping[str, str] | None = None,
) -> web.Response:
    return call.page(
        "ticked.html",
        status=400 if problems else 200,
        act=act,
        ticks=[(each, each.partition(" ")[0]) for each in dict.fromkeys(values)],
        problems=problems or {},
        reason=fields.get("reason", ""),
        **find_way_back(call, fields),
    )


def show_results(
    call: Call, act: ManyAct, fields: Mapping[str, str], results: Sequence[Result]
) -> web.Response:
    """Answer with what was done: sent again, the form finds that the jobs have changed."""
    done = [each.job_id for each in results if not each.problem]
    return call.page(
        "ticked_changed.html",
        status=200 if done else 409,
        act=act,
        done=done,
        refused=[each for each in results if each.problem],
        **find_way_back(call, fields),
    )


def find_way_back(call: Call, fields: Mapping[str, str]) -> dict[str, object]:
    """Return the filter of the list from which the rows are; that of all jobs if it is none."""
    try:
        query = require_valid(parse_filter(fields, zone=call.times().zone))
    except InvalidRequest:
        query = require_valid(parse_filter({}, zone=call.times().zone))
    is_searched = bool(query.filter.email)
    return {
        "filter_fields": format_bulk_query(query),
        "list_link": "" if is_searched else call.link(build_path("/jobs", query)),
    }
