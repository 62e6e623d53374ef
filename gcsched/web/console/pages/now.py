"""Now: what an operator needs in the first ten seconds."""

from datetime import timedelta

from aiohttp import web

from gcsched.domain.checks import require_valid
from gcsched.domain.job import State
from gcsched.domain.job_list import JobFilter
from gcsched.domain.pause import parse_pause
from gcsched.errors import InvalidRequest
from gcsched.usecases.monitoring.status import StatusReport
from gcsched.web.console.call import Call
from gcsched.web.console.needs import list_needs
from gcsched.web.console.sparkline import draw

MONGODB = "mongodb"
SHORT_WITHIN = timedelta(seconds=1)
"""For a count that the page can do without."""
OLD_COUNTS = timedelta(seconds=65)
"""Counts that are younger are as of now: they are made at least once a minute."""
MAX_MOVED_DIGITS = 12


async def show(call: Call) -> web.StreamResponse:
    return await show_with(call)


async def show_with(call: Call, *, status: int = 200, **values: object) -> web.StreamResponse:
    """Answer with the page, from memory while MongoDB is away."""
    services = call.services
    report = await read_report(call)
    is_away = is_mongodb_away(report)
    failed = due = None
    if not is_away:
        failed = await services.figures.count_failed(call.client, within=SHORT_WITHIN)
        due = services.figures.known_due
        if due is None and "due" in call.request.query:
            due = await services.figures.count_due(call.client, within=SHORT_WITHIN)
    return call.page(
        "now.html",
        status=status,
        report=report,
        is_away=is_away,
        sending=describe_sending(report),
        is_empty=has_no_jobs(report),
        has_old_counts=are_old(report),
        needs=list_needs(report, services.process, failed),
        failed=failed,
        due=due,
        chart=draw(services.status.lateness.list_p99()),
        process=services.process,
        **{"problems": {}, "reason": "", "by": "", **values},
    )


async def read_report(call: Call) -> StatusReport:
    """Return the status, with new counts unless MongoDB is away."""
    status = call.services.status
    report = status.read()
    return report if is_mongodb_away(report) else await status.read_with_fresh_counts()


def is_mongodb_away(report: StatusReport) -> bool:
    return any(each.name == MONGODB and each.is_away for each in report.stores)


def describe_sending(report: StatusReport) -> str:
    """Return why no mail is sent now; "" if mails are sent."""
    if report.pause is not None:
        return "it is paused"
    if is_mongodb_away(report):
        return "MongoDB cannot be used"
    if report.relays and all(each.is_down for each in report.relays):
        return "the relay is down" if len(report.relays) == 1 else "all relays are down"
    return ""


def has_no_jobs(report: StatusReport) -> bool:
    """Return whether the service surely has no job at all."""
    counts = report.counts
    return (
        counts is not None
        and counts.by_state.keys() >= set(State)
        and not any(counts.by_state.values())
        and not counts.unreadable
    )


def are_old(report: StatusReport) -> bool:
    return report.count_time is not None and report.report_time - report.count_time > OLD_COUNTS


async def show_due(call: Call) -> web.StreamResponse:
    """Answer with how many jobs are due within the hour, for their tile."""
    due = await call.services.figures.count_due(call.client, within=call.within)
    return call.fragment("now_due.html", due=due)


async def pause_sending(call: Call) -> web.StreamResponse:
    """Pause sending, as PauseSending does."""
    form, services = await call.form(), call.services
    by, reason = call.client.name or form.get("by", ""), form.get("reason", "")
    try:
        pause = require_valid(parse_pause(by, reason, start_time=services.status.now()))
    except InvalidRequest as error:
        problems = {each.field: each.problem for each in error.violations}
        return await show_with(call, status=400, problems=problems, reason=reason, by=by)
    await services.sending.pause(pause, actor=call.actor("PauseSending"), within=call.within)
    return call.redirect("/", done="paused")


async def show_daily(call: Call) -> web.StreamResponse:
    """Show how many jobs wait for the daily run, and the button that sends them now."""
    services = call.services
    moved = call.request.query.get("moved", "")
    async with services.slots.listing.slot(call.within):
        queued = await services.read_jobs.count(JobFilter(state=State.QUEUED), call.client)
    is_number = moved.isdecimal() and moved.isascii() and len(moved) <= MAX_MOVED_DIGITS
    return call.page("daily.html", queued=queued, moved=int(moved) if is_number else None)


async def run_daily_queue(call: Call) -> web.StreamResponse:
    """Make all queued jobs due now, as RunDailyQueue does."""
    services = call.services
    async with services.slots.changing_many.slot(call.within):
        moved = await services.sending.run_daily_queue(
            actor=call.actor("RunDailyQueue"), within=call.within
        )
    return call.redirect(f"/daily?moved={moved}", done="daily")
