"""Every page of the console, for tests in a real browser; a new page is one line of PAGES.

A page is opened in two installations of the same shape: one has harmless words wherever others can
put some, the other one has hostile words. Its elements must be the same.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Page, Response, expect

from gcsched.dev.inbox import MailFolder
from gcsched.domain.job import Job, State
from gcsched.pb import task_pb2
from tests.support.builders import an_invitation
from tests.support.console import running_console
from tests.support.console_jobs import HOSTILE, a_job_of_text, a_kept_job, keep
from tests.support.in_process_app import RunningApp
from tests.support.relay.script import Answer, At
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.wait import until

FAILED, WAITING, UNCERTAIN, INVITATION = (f"{number:032}" for number in range(1, 5))
MAIL = "20260701T120000.000000Z"
HTML = '<p>Hello <script>alert(1)</script><a href="https://example.org/x">more</a></p>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What others have put into an installation.

    *text* is in every field that takes any text, *plain* in those that take no control characters,
    *label* is that of the installation, and *email* is an address.
    """

    text: str
    plain: str
    label: str
    email: str

    def fill(self, text: str) -> str:
        """Return *text* with the words for its `{text}`, `{plain}`, `{email}`."""
        return text.format(text=self.text, plain=self.plain, email=self.email)

    def fill_path(self, path: str) -> str:
        """Return the path with the words for its `{plain}`, quoted."""
        return path.format(plain=quote(self.plain, safe=""))


HOSTILE_WORDS = Words(
    text=HOSTILE,
    plain=HOSTILE.partition(" \u202e")[0],
    label='<img src=x onerror="document.title=3">',
    email='"<img/src=x>"@example.org',
)
PLAIN_WORDS = Words(text="some text", plain="some words", label="prod", email="img@example.org")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPage:
    """A page by its *path*, or by the form that leads to it, which has *fields*."""

    path: str
    status: int = 200
    fields: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.path} {dict(self.fields)}" if self.fields else self.path


def page(path: str, status: int = 200, **fields: str) -> ShownPage:
    return ShownPage(path=path, status=status, fields=fields)


PAGES = (
    page("/"),
    page("/?due=1"),
    page("/?done=resumed"),
    page("/daily"),
    page("/pause", 400, reason="", by="{plain}"),
    page("/keys"),
    page("/nothing", 404),
    page("/login?back={plain}"),
    page("/jobs"),
    page("/jobs?state=FAILED"),
    page("/jobs?empid={plain}"),
    page("/jobs?state={plain}", 400),
    page("/jobs", email="{email}"),
    page("/jobs", q="nothing has {plain}"),
    page("/jobs", 400, state="SENT", empid="{plain}", request_id="{plain}"),
    page("/jobs-ticked/cancel", job="{plain} etag"),
    page("/jobs-ticked/cancel", 400, job="{plain} etag", is_sure="yes", reason="{plain}\x01"),
    page("/jobs-ticked/retry", job="{plain} etag"),
    page("/jobs-ticked/retry", 409, job="{plain} etag", is_sure="yes"),
    page("/jobs-filtered/cancel", empid="{plain}"),
    page("/jobs-filtered/cancel", 400, empid="{plain}", count="101", reason="{plain}"),
    page("/jobs-filtered/cancel", empid="{plain}", state="", count="0", reason="{plain}"),
    page("/jobs-filtered/retry", request_id="nothing has {plain}"),
    page(f"/jobs/{FAILED}"),
    page(f"/jobs/{FAILED}?tab=text"),
    page(f"/jobs/{FAILED}?tab=headers"),
    page(f"/jobs/{FAILED}?tab=source"),
    page(f"/jobs/{FAILED}?tab=json"),
    page(f"/jobs/{FAILED}/again"),
    page(f"/jobs/{FAILED}/again", 400, email="{plain}", request_id="{plain}"),
    page(f"/jobs/{FAILED}/retry", 409, etag="old", seen="SCHEDULED 2026-01-01T00:00:00+00:00"),
    page(f"/jobs/{WAITING}"),
    page(f"/jobs/{WAITING}/reschedule", 400, at="{plain}", zone="{plain}", etag="old"),
    page(f"/jobs/{UNCERTAIN}"),
    page(f"/jobs/{INVITATION}?tab=calendar"),
    page("/jobs/{plain}", 404),
    page("/relays"),
    page("/inbox"),
    page("/inbox?q={plain}"),
    page(f"/inbox/{MAIL}"),
    page(f"/inbox/{MAIL}?tab=text"),
    page(f"/inbox/{MAIL}?tab=headers"),
    page(f"/inbox/{MAIL}?tab=source"),
)


def list_jobs(words: Words, now: datetime) -> list[Job]:
    """Build the jobs of an installation: one of each kind that has a page of its own look."""
    revision = an_invitation().meeting
    others: dict[str, dict[str, object]] = {
        FAILED: {"state": State.FAILED},
        WAITING: {"state": State.SCHEDULED, "empid": words.plain, "client": words.plain},
        UNCERTAIN: {"state": State.UNCERTAIN},
        INVITATION: {"state": State.SENT, "meeting": revision, "template": "invitation"},
    }
    return [
        a_job_of_text(
            now,
            words.text,
            id=job_id,
            email=words.email,
            request_id=f"{number} {words.text}",
            dedup_key=f"key {number}",
            **given,
        )
        for number, (job_id, given) in enumerate(others.items())
    ]


def write_mail(words: Words) -> bytes:
    mail = EmailMessage()
    mail["Subject"] = words.text
    mail["From"] = Address(words.plain, "no-reply", "example.org")
    mail["To"] = Address(words.plain, "ada", "example.org")
    mail["Message-ID"] = f"<{FAILED}@example.org>"
    mail["X-Words"] = words.plain
    mail.set_content(words.text)
    mail.add_alternative(HTML, subtype="html")
    mail.add_attachment(b"BEGIN:VCALENDAR", "application", "ics", filename=words.plain)
    return mail.as_bytes()


def make_inbox(folder: Path, words: Words) -> MailFolder:
    folder.mkdir(exist_ok=True)
    (folder / f"{MAIL}-ada@example.org.eml").write_bytes(write_mail(words))
    return MailFolder(folder=folder)


@asynccontextmanager
async def running_installation(
    words: Words, *, mongo: str, redis: str, relay: Relay, folder: Path
) -> AsyncIterator[RunningApp]:
    """Run a console whose jobs, mails, relay and operators have used *words*."""
    async with running_console(
        mongo=mongo, redis=redis, relay_port=relay.port, console_label=words.label
    ) as app:
        app.resources.console.show_inbox(make_inbox(folder, words))
        relay.clear_rules()
        relay.script(At.RCPT, Answer(550, f"5.7.1 {words.plain}"))
        async with scheduler_stub(app.target) as stub:
            await stub.ScheduleMeet(a_meet())

            async def is_refused() -> bool:
                return await app.resources.mongo.jobs.count_documents({"state": "FAILED"}) == 1

            await until(is_refused)
            pause = task_pb2.PauseSendingRequest(by=words.plain[:60], reason=words.plain)
            await stub.PauseSending(pause)
        await keep(app, *list_jobs(words, datetime.now(UTC).replace(microsecond=0)))
        yield app


async def keep_many(app: RunningApp, count: int, **others: object) -> None:
    """Store *count* waiting jobs, to fill more than one page of the list."""
    now = datetime.now(UTC).replace(microsecond=0)
    await keep(app, *(a_kept_job(now, id=f"f{n:031x}", **others) for n in range(count)))


SEND = """([path, fields]) => {
  const form = document.createElement("form");
  Object.assign(form, {method: "post", action: path});
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, {type: "hidden", name, value});
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""


async def open_page(tab: Page, shown: ShownPage, words: Words = PLAIN_WORDS) -> Response:
    """Open the page, and wait for its parts that are loaded for themselves."""
    path = words.fill_path(shown.path)
    if not shown.fields:
        response = await tab.goto(path)
        assert response is not None, shown
    else:
        if tab.url == "about:blank":
            await tab.goto("/keys")
        fields = {name: words.fill(value) for name, value in shown.fields.items()}
        async with tab.expect_navigation() as navigation:
            await tab.evaluate(SEND, [path, fields])
        response = await navigation.value
    await expect(tab.locator(".htmx-request")).to_have_count(0)
    return response


def is_like(path: str, route: str) -> bool:
    """Return whether *path* is that of *route* with its names filled in."""
    given, named = path.split("/"), route.split("/")
    return len(given) == len(named) and all(
        each == name or name.startswith("{") for each, name in zip(given, named, strict=True)
    )
