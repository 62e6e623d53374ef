"""Each form of each page with JavaScript off: what it does, and that none is missing here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import FilePayload, Page, expect

from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.domain.job import Job, State
from gcsched.process.zone_data import find_zone_version
from gcsched.web.console.routes import ROUTES
from gcsched.web.console.routing import Kind
from tests.support.builders import a_revision
from tests.support.chromium import open_tab
from tests.support.console import ConsoleClients, find_base
from tests.support.console_jobs import a_failed_job, a_kept_job, an_uncertain_job, keep
from tests.support.console_pages import PLAIN_WORDS, SETTINGS, is_like, make_inbox
from tests.support.corrupt_jobs import RETENTION
from tests.support.in_process_app import RunningApp
from tests.support.stored_meetings import a_planned_meeting

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW + timedelta(days=60)
HOURS = {
    "start": START,
    "end": START + timedelta(hours=1),
    "start_wall": START.replace(tzinfo=None),
    "end_wall": START.replace(tzinfo=None) + timedelta(hours=1),
    "zone": "UTC",
}
FAILED, UNCERTAIN, BLOCKED, AGAIN, MOVED, TICKED, OTHER, QUEUED = (f"{n:032}" for n in range(1, 9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form on *page*, or where the one before has led to: how it is filled in, what follows.

    *opens* is the text that unfolds it, *fill* has fields by their labels, *choose* choices, *tick*
    boxes, and *file* the text of a file; *says* is on the page after *button*.
    """

    button: str
    says: str
    page: str = ""
    opens: str = ""
    fill: Mapping[str, str] = field(default_factory=dict)
    choose: Mapping[str, str] = field(default_factory=dict)
    tick: str = ""
    file: str = ""


def form(button: str, says: str, page: str = "", **others: Any) -> Form:
    return Form(button=button, says=says, page=page, **others)


def on_meeting(name: str, button: str, says: str, **others: Any) -> tuple[Form, Form]:
    """Return the two forms of an act on the meeting: what it would do, and that it shall do it."""
    shows = form("Show what it does", f"{button}?", MEETING_PAGE, opens=name, **others)
    return shows, form(button, says)


REASON = {"Reason": "typed twice"}
TEST, ERASED = {"To": "ada@example.org"}, {"Type the employee id": "E-1"}
MEETING_PAGE = "/meetings/meeting-1"
ROWS = "\n".join(f"{number}@blocked.example.org,left us" for number in range(60))
FORMS = (
    form("Set", "Keys are on", "/keys", choose={"Theme": "dark"}),
    form("Switch them off", "Keys are off", "/keys"),
    form("Pause", "Sending is paused.", "/", opens="Pause sending…", fill=REASON),
    form("Resume", "Sending goes on."),
    form("Send it now", "1 job is due now.", "/daily"),
    form("Find", "What happened", "/jobs", fill={"Find a job": FAILED}),
    form("Show", "with employee E-7,", "/jobs", opens="Filter", fill={"Employee": "E-7"}),
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
    form("Show", "No act matches this filter.", "/audit", fill={"Who": "nobody"}),
    form("Find", "What happened", "/meetings", fill={"Find a meeting": "meeting-1"}),
    form("Show", "Review", "/meetings", opens="Filter", fill={"Attendee": "ada@example.org"}),
    *on_meeting(
        "Move…", "Move the meeting", "The meeting has moved.", fill={"Begins": "2030-01-07T10:00"}
    ),
    *on_meeting("Rename or place…", "Change the texts", "its new texts.", fill={"Title": "Visit"}),
    *on_meeting(
        "Add attendees…", "Add the attendees", "are invited.", fill={"Attendees": "eve@example.org"}
    ),
    *on_meeting(
        "Remove attendees…", "Remove the attendees", "are removed.", tick="Ada", fill=REASON
    ),
    *on_meeting("Cancel…", "Cancel the meeting", "The meeting is cancelled.", fill=REASON),
    form(
        "Block the address",
        "it gets no mail",
        "/suppressions",
        opens="Block an address…",
        fill={"Address": "zoe@example.org", **REASON},
    ),
    form(
        "Find",
        "gets no mail until",
        "/suppressions",
        fill={"Find an address": "zoe@example.org"},
    ),
    form("Unblock the address", "is not blocked any more.", opens="Unblock…"),
    form("Import", "Blocked now", "/suppressions", opens="Import…", file=ROWS),
    form("Next page", "First page", "/suppressions"),
    form("Preview", "With these values", "/templates/doc", fill={"Name": "Zoe"}),
    form("Show the mail with these values", "With these values"),
    form("Send this mail", "The test mail is on its way.", "/templates/doc", fill=TEST),
    form("Erase for good", "no personal texts", "/recipients/E-1/erase", fill=ERASED),
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


@pytest.fixture
def console_settings() -> dict[str, str]:
    return SETTINGS


async def keep_meeting(app: RunningApp) -> None:
    """Store a meeting whose invitations are far ahead."""
    revision = a_revision(zone_version=find_zone_version(), **HOURS)
    meeting = a_planned_meeting(2, revision=revision, invite_time=NOW + timedelta(days=30))
    store = MongoMeetings(mongo=app.resources.mongo, retention=RETENTION)
    await store.insert(meeting, within=timedelta(seconds=5))


async def test_each_act_is_done_by_its_form_without_the_script(
    closed_console: RunningApp, clients: ConsoleClients, own_chromium: Chromium, tmp_path: Path
) -> None:
    closed_console.resources.console.show_inbox(make_inbox(tmp_path, PLAIN_WORDS))
    await keep(closed_console, *list_jobs())
    await keep_meeting(closed_console)
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
    if each.file:
        file = FilePayload(name="list.csv", mimeType="text/csv", buffer=each.file.encode())
        await own.get_by_label("CSV file").set_input_files(file)
    await button.click()
    await expect(page.locator("main")).to_contain_text(each.says)
