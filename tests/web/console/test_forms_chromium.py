"""Each form of each page with JavaScript off: what it does, and that none is missing here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from gcsched.domain.job import Job, State
from gcsched.web.console.routes import ROUTES
from gcsched.web.console.routing import Kind
from tests.support.chromium import open_tab
from tests.support.console import ConsoleClients, find_base
from tests.support.console_jobs import a_failed_job, a_kept_job, an_uncertain_job, keep
from tests.support.console_pages import PLAIN_WORDS, is_like, make_inbox
from tests.support.in_process_app import RunningApp

NOW = datetime.now(UTC).replace(microsecond=0)
FAILED, UNCERTAIN, BLOCKED, AGAIN, MOVED, TICKED, OTHER, QUEUED = (f"{n:032}" for n in range(1, 9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form on *page*, or where the one before has led to: how it is filled in, what follows.

    *opens* is the text that unfolds it, *fill* has fields by their labels, *choose* choices, and
    *tick* boxes; *says* is on the page after *button*.
    """

    button: str
    says: str
    page: str = ""
    opens: str = ""
    fill: Mapping[str, str] = field(default_factory=dict)
    choose: Mapping[str, str] = field(default_factory=dict)
    tick: str = ""


def form(button: str, says: str, page: str = "", **others: Any) -> Form:
    return Form(button=button, says=says, page=page, **others)


REASON = {"Reason": "typed twice"}
FORMS = (
    form("Set", "Keys are on", "/keys", choose={"Theme": "dark"}),
    form("Switch them off", "Keys are off", "/keys"),
    form("Pause", "Sending is paused.", "/", opens="Pause sending…", fill=REASON),
    form("Resume", "Sending goes on."),
    form("Send it now", "1 job is due now.", "/daily"),
    form("Find", "What happened", "/jobs", fill={"Find a job": FAILED}),
    form("Show", "with employee E-7.", "/jobs", opens="Filter", fill={"Employee": "E-7"}),
    form("Show", "1 job in all", "/jobs", opens="Filter", fill={"Address": "7@example.org"}),
    form("Cancel all of this filter…", "1 of them can be cancelled now"),
    form("Back to the list", "1 job in all"),
    form("Cancel all of this filter…", "1 of them can be cancelled now", "/jobs?empid=E-7"),
    form("Cancel 1 job", "1 job is cancelled", fill=REASON),
    form("Cancel ticked…", "Cancel 1 job", "/jobs", tick=f"Tick job {TICKED}"),
    form("Cancel 1 job", "1 job is cancelled", fill=REASON),
    form("Retry ticked…", "Retry 1 job", "/jobs", tick=f"Tick job {FAILED}"),
    form("Retry 1 job", "1 job is retried"),
    form("Retry all of this filter…", "1 of them can be retried now", "/jobs?empid=E-4"),
    form("Retry 1 job", "1 job is retried"),
    form("Retry now", "is tried again.", f"/jobs/{BLOCKED}", opens="Retry…"),
    form(
        "Block the address", "is blocked", f"/jobs/{BLOCKED}", opens="Block address…", fill=REASON
    ),
    form(
        "Resolve",
        "is settled.",
        f"/jobs/{UNCERTAIN}",
        opens="Resolve…",
        choose={"The mail was": "FAILED"},
        fill={"How you know": "it is not in the log"},
    ),
    form("Move", "its new time.", f"/jobs/{MOVED}", opens="Move…", choose={"Send it": "daily"}),
    form("Cancel the job", "is cancelled.", opens="Cancel…", fill=REASON),
    form("Send as a new job", "sends the mail again", f"/jobs/{AGAIN}/again"),
    form("Search", "Subject", "/inbox", fill={"Search": "ada@"}),
    form("Delete all mails", "No mail was caught yet", opens="Delete all…"),
    form("Log out", "Log in", "/"),
)
"""In the order in which they are used."""

NO_FORMS = {("DELETE", "/inbox/messages")}
"""What is for suites of tests."""


def list_jobs() -> list[Job]:
    kinds = {FAILED: a_failed_job, BLOCKED: a_failed_job, AGAIN: a_failed_job}
    kinds |= {UNCERTAIN: an_uncertain_job, MOVED: a_kept_job, TICKED: a_kept_job}
    kinds |= {OTHER: a_kept_job, QUEUED: a_kept_job}
    return [
        build(
            NOW,
            id=job_id,
            empid=f"E-{int(job_id)}",
            email=f"{int(job_id)}@example.org",
            **({"state": State.QUEUED} if job_id == QUEUED else {}),
        )
        for job_id, build in kinds.items()
    ]


async def test_each_act_is_done_by_its_form_without_the_script(
    closed_console: RunningApp, clients: ConsoleClients, own_chromium: Chromium, tmp_path: Path
) -> None:
    closed_console.resources.console.show_inbox(make_inbox(tmp_path, PLAIN_WORDS))
    await keep(closed_console, *list_jobs())
    token = {"Token": clients.tokens["admin"].text}
    used, base = set[tuple[str, str]](), find_base(closed_console)
    async with open_tab(own_chromium, base_url=base, java_script_enabled=False) as tab:
        tab.page.on("request", lambda sent: used.add((sent.method, urlsplit(sent.url).path)))
        for each in (form("Log in", "Now", "/login", fill=token), *FORMS):
            await send(tab.page, each)

    missing = [
        (route.method, route.path)
        for route in ROUTES
        if route.kind is Kind.ACT
        and (route.method, route.path) not in NO_FORMS
        and not any(m == route.method and is_like(path, route.path) for m, path in used)
    ]
    assert missing == []


async def send(page: Page, each: Form) -> None:
    if each.page:
        await page.goto(each.page)
    if each.opens:
        await page.locator("summary").get_by_text(each.opens, exact=True).click()
    button = page.get_by_role("button", name=each.button, exact=True)
    own = page.locator("form").filter(has=button)
    for label, value in each.fill.items():
        await own.get_by_label(label, exact=True).fill(value)
    for label, value in each.choose.items():
        await own.get_by_label(label).select_option(value)
    if each.tick:
        await own.get_by_label(each.tick, exact=True).check()
    await button.click()
    await expect(page.locator("main")).to_contain_text(each.says)
