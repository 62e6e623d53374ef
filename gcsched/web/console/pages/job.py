"""One job: what it does, what happened to it, its mail, and what can be done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from gcsched.domain.access import Scope
from gcsched.domain.attempt import Attempt
from gcsched.domain.checks import require_valid
from gcsched.domain.ids import etag_of
from gcsched.domain.job import NEXT, RETRYABLE, Job, State
from gcsched.domain.validation import job_id_violations
from gcsched.errors import ScopeMissing
from gcsched.web.console.call import Call
from gcsched.web.console.job_mail import ShownMail, make_mail
from gcsched.web.console.job_words import write_headline
from gcsched.web.console.mail_view import read_facts, show_mail
from gcsched.web.console.masked import show_address, show_text
from gcsched.web.console.timeline import build_timeline, find_evidence
from gcsched.web.console.view import may

TABS = {
    "html": "HTML",
    "text": "Text",
    "headers": "Headers",
    "source": "Source",
    "json": "JSON",
    "calendar": "Calendar",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An act that was refused: its form is open again, with what was filled in.

    *seen* is the state of the job that the form showed, and when it was entered.
    """

    act: str = ""
    sentence: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    seen_state: str = ""
    seen_time: datetime | None = None


NONE_REFUSED = Refused()


async def show(call: Call) -> web.StreamResponse:
    return show_job(call, await read_job(call))


async def read_job(call: Call) -> Job:
    """Return the job of the address. Raises UnknownJob."""
    job_id = call.request.match_info["id"]
    require_valid(job_id_violations(job_id))
    async with call.services.slots.reading.slot(call.within):
        return await call.services.read_jobs.get(job_id, call.client)


def show_job(
    call: Call, job: Job, *, refused: Refused = NONE_REFUSED, status: int = 200
) -> web.Response:
    is_full = call.client.may_read_content(job.client)
    return call.page(
        "job.html",
        status=status,
        job=job,
        etag=etag_of(job),
        is_full=is_full,
        headline=write_headline(job, call.times().now),
        reason=show_text(job, job.reason, is_full=is_full),
        address=show_address(job, is_full=is_full),
        entries=build_timeline(job, is_full=is_full),
        acts=list_acts(call, job),
        evidence=find_evidence_for(job, is_full=is_full),
        refused=refused,
        zone=call.times().zone.key,
        due_local=f"{job.due_time.astimezone(call.times().zone):%Y-%m-%dT%H:%M}",
        **(build_mail_values(call, job) if is_full and not call.is_refresh else NO_MAIL),
    )


def find_evidence_for(job: Job, *, is_full: bool) -> tuple[Attempt, str] | None:
    """Return the attempt whose reply was lost, and how far it came; None without one."""
    attempt = find_evidence(job)
    return None if attempt is None else (attempt, show_text(job, attempt.text, is_full=is_full))


def list_acts(call: Call, job: Job) -> frozenset[str]:
    """Return the acts that the state of *job* and the scopes of the client allow."""
    client, found = call.client, set[str]()
    if job.is_withdrawable and State.CANCELLED in NEXT[job.state]:
        found |= {"cancel", "reschedule"}
    if job.state in RETRYABLE and State.RETRYING in NEXT[job.state] and not job.is_erased:
        found.add("retry")
    if job.state is State.UNCERTAIN:
        found.add("resolve")
    if not job.is_erased:
        if job.meeting is None and client.may_read_content(job.client):
            found.add("again")
        if job.state is not State.SUPPRESSED:
            found.add("block")
    return frozenset(each for each in found if may(client, METHODS[each]))


METHODS = {
    "cancel": "CancelJob",
    "reschedule": "RescheduleJob",
    "retry": "RetryJob",
    "resolve": "ResolveJob",
    "again": "ScheduleMeet",
    "block": "AddSuppression",
}
"""The methods of the contract that the acts are."""

NO_MAIL: dict[str, object] = {"mail": None, "tab": "", "tabs": (), "json": ""}


def build_mail_values(call: Call, job: Job) -> dict[str, object]:
    """Return what the page says about the mail, with the chosen tab."""
    mail = make_mail(call.services.mails, job)
    shown = [each for each in TABS if is_tab_shown(each, mail)]
    chosen = call.request.query.get("tab", "html")
    tab = chosen if chosen in shown else shown[0]
    has_images = "images" in call.request.query
    facts = read_facts(mail.html)
    page = call.link(f"/jobs/{job.id}")
    return {
        "mail": mail,
        "has_changed": has_template_changed(call, job),
        "tab": tab,
        "tabs": [(TABS[each], f"{page}?tab={each}#mail", each == tab) for each in shown],
        "json": call.services.write_json(job) if tab == "json" else "",
        "frame": f"{page}/mail{'?images=1' if has_images else ''}",
        "links": facts.links,
        "images": f"{page}?images=1#mail" if facts.has_remote_images and not has_images else "",
    }


def has_template_changed(call: Call, job: Job) -> bool | None:
    """Return whether the template is another one than at the latest try; None if unknown."""
    used = next((each.template_digest for each in reversed(job.attempts)), "")
    now = {each.name: each.digest for each in call.services.templates()}.get(job.template, "")
    return used != now if used and now else None


def is_tab_shown(tab: str, mail: ShownMail) -> bool:
    if mail.problem:
        return tab == "json"
    return tab != "calendar" or bool(mail.calendar)


async def show_html(call: Call) -> web.StreamResponse:
    """Answer with the bare HTML of the mail, in a document that can do nothing."""
    job = await read_job(call)
    require_content(call, job)
    mail = make_mail(call.services.mails, job)
    return show_mail(mail.html or mail.problem, has_images="images" in call.request.query)


def require_content(call: Call, job: Job) -> None:
    if not call.client.may_read_content(job.client):
        raise ScopeMissing(call.client.name, "reading the mail of a job", (Scope.CONTENT,))
