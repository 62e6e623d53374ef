"""What operators do about one job. Each form names the version of the job that it shows."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from urllib.parse import quote

from aiohttp import web

from gcsched.domain import commands
from gcsched.domain.address import parse_stored_address
from gcsched.domain.checks import Checked, accept_value, require_valid
from gcsched.domain.commands import Cancel, JobCommand, Reschedule, Resolve, Retry
from gcsched.domain.ids import etag_of
from gcsched.domain.job import Job, State
from gcsched.domain.suppression import expire_time_violations
from gcsched.domain.validation import reason_violations
from gcsched.domain.zoned_time import zone_violations
from gcsched.errors import (
    DuplicateJob,
    EtagMismatch,
    GcschedError,
    IllegalTransition,
    InvalidRequest,
    JobContended,
    JobSuperseded,
    Violation,
)
from gcsched.web.console.call import Call
from gcsched.web.console.job_filters import parse_time
from gcsched.web.console.pages.errors import capitalize
from gcsched.web.console.pages.job import METHODS, Refused, read_job, show_job

Fields = Mapping[str, str]
AS_IT_IS = (IllegalTransition, DuplicateJob, JobContended, JobSuperseded)
"""The job does not allow the act: its page says why."""
NO_ETAG = "-"
"""Of no job: a form without an etag has shown none."""
CHANGED = (
    "The job has changed since this form was opened, so nothing was done. Look, and send again."
)


async def cancel(call: Call) -> web.StreamResponse:
    return await run(call, "cancel", make_command(parse_cancel))


async def reschedule(call: Call) -> web.StreamResponse:
    return await run(call, "reschedule", make_command(parse_reschedule))


async def retry(call: Call) -> web.StreamResponse:
    return await run(call, "retry", make_command(parse_retry))


async def resolve(call: Call) -> web.StreamResponse:
    return await run(call, "resolve", make_command(parse_resolve))


async def block(call: Call) -> web.StreamResponse:
    return await run(call, "block", block_address)


async def run(
    call: Call, act: str, do: Callable[[Call, str, Fields], Awaitable[None]]
) -> web.StreamResponse:
    """Do *act* and show the job as it is then; if it is refused, show why, with the form open."""
    fields = await call.form()
    try:
        async with call.services.slots.changing.slot(call.within):
            await do(call, act, fields)
    except InvalidRequest as error:
        problems = {each.field: each.problem for each in error.violations}
        return await show_refused(call, 400, make_refused(act, fields, problems=problems))
    except EtagMismatch:
        refused = make_refused(act, fields, sentence=CHANGED, has_changed=True)
        return await show_refused(call, 409, refused)
    except AS_IT_IS as error:
        refused = make_refused(act, fields, sentence=explain(error))
        return await show_refused(call, 409, refused)
    return call.redirect(f"/jobs/{quote(call.request.match_info['id'], safe='')}", done=act)


def explain(error: GcschedError) -> str:
    return capitalize(str(error))


def make_refused(
    act: str,
    fields: Fields,
    *,
    sentence: str = "",
    problems: Mapping[str, str] | None = None,
    has_changed: bool = False,
) -> Refused:
    state, _, entered = fields.get("seen", "").partition(" ")
    known = has_changed and state in set(State)
    return Refused(
        act=act,
        sentence=sentence,
        fields=fields,
        problems=problems or {},
        seen_state=state if known else "",
        seen_time=parse_instant(entered) if known else None,
    )


def parse_instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


async def show_refused(call: Call, status: int, refused: Refused) -> web.Response:
    return show_job(call, await read_job(call), refused=refused, status=status)


def make_command(
    parse: Callable[[Call, Fields], Checked[JobCommand]],
) -> Callable[[Call, str, Fields], Awaitable[None]]:
    """Return the act that changes the job by the command that *parse* makes of its form."""

    async def change(call: Call, act: str, fields: Fields) -> None:
        command = require_valid(parse(call, fields))
        await call.services.change_job.change(
            call.request.match_info["id"],
            command,
            etag=fields.get("etag") or NO_ETAG,
            within=call.within,
            actor=call.actor(METHODS[act]),
        )

    return change


def parse_cancel(_: Call, fields: Fields) -> Checked[Cancel]:
    return (yield from commands.parse_cancel(fields.get("reason", "").strip()))


def parse_retry(call: Call, _: Fields) -> Checked[Retry]:
    rules = call.services.rules
    return (yield from accept_value(Retry(keep_trying=rules.keep_trying, window=rules.window)))


def parse_resolve(_: Call, fields: Fields) -> Checked[JobCommand]:
    given = fields.get("state", "")
    state = State(given) if given in set(State) else None
    reason = fields.get("reason", "").strip()
    found: Resolve = yield from commands.parse_resolve(state, reason)
    yield from reason_violations(reason, at_least=1)
    return found


def parse_reschedule(call: Call, fields: Fields) -> Checked[JobCommand]:
    """Parse a time in the zone that the form has named, or the next daily run."""
    timestamp = 0
    if fields.get("when") != "daily":
        zone = yield from zone_violations(fields.get("zone", ""), "at")
        at = yield from parse_time(fields.get("at", "").strip(), "at", zone)
        if at is None:
            yield Violation("at", "must be a date and a time; choose the daily run without one")
        elif not (timestamp := int(at.timestamp())):
            yield Violation("at", "must be after 1970")
    found: Reschedule = yield from commands.parse_reschedule(
        timestamp,
        plan=call.services.rules.daily_plan,
        keep_trying=call.services.rules.keep_trying,
        now=call.times().now,
    )
    return found


async def block_address(call: Call, act: str, fields: Fields) -> None:
    """Suppress the address of the job, as AddSuppression does."""
    job = await call.services.read_jobs.get(call.request.match_info["id"], call.client)
    if fields.get("etag") != etag_of(job):
        raise EtagMismatch(job.id)
    address, reason, until = require_valid(parse_block(call, job, fields))
    await call.services.change_suppressions.add(
        address, reason=reason, until=until, actor=call.actor(METHODS[act]), within=call.within
    )


def parse_block(call: Call, job: Job, fields: Fields) -> Checked[tuple[str, str, datetime | None]]:
    address = yield from parse_stored_address(job.email, field="reason")
    reason = fields.get("reason", "").strip()
    yield from reason_violations(reason, at_least=1)
    zone = yield from zone_violations(fields.get("zone", ""), "until")
    until = yield from parse_time(fields.get("until", "").strip(), "until", zone)
    if until is not None:
        for each in expire_time_violations(until, now=call.times().now):
            yield Violation("until", each.problem)
    return address, reason, until
