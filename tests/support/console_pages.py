"""Every page of the console, for tests in a real browser; a new page is one line of PAGES.

A page is opened in two installations of the same shape: one has harmless words wherever others can
put some, the other one has hostile words. Its elements must be the same.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from json import dumps
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, Response, expect

from gcsched.adapters.mongo.meetings.store import MongoMeetings
from gcsched.dev.inbox import MailFolder
from gcsched.domain.job import Job, State
from gcsched.domain.meeting import Person
from gcsched.domain.meetings.keys import etag_of_meeting
from gcsched.domain.meetings.meeting import Meeting, MeetingStep
from gcsched.pb import task_pb2
from gcsched.process.zone_data import find_zone_version
from tests.support.builders import a_revision, an_invitation
from tests.support.chromium import Tab, open_tab
from tests.support.clients import TestToken
from tests.support.console import ConsoleClients, find_base, open_browser, running_console
from tests.support.console_history import add_minutes, late
from tests.support.console_jobs import HOSTILE, a_job_of_text, a_kept_job, keep
from tests.support.console_suppressions import block
from tests.support.corrupt_jobs import RETENTION
from tests.support.in_process_app import RunningApp
from tests.support.relay.script import Answer, At
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.stored_meetings import a_planned_meeting, an_invitee
from tests.support.wait import until

FAILED, WAITING, UNCERTAIN, INVITATION = (f"{number:032}" for number in range(1, 5))
MEETING, PAST = "meeting-1", "meeting-0"
AS_SHOWN = {"etag": etag_of_meeting(a_planned_meeting()), "seen": "2026-01-01T00:00:00+00:00"}
"""What a form about the meeting has of it, which no one changes."""
DUE = {"start": "2030-01-07T10:00", "zone": "UTC"}
SETTINGS = {"test_recipients": "example.org"}
LIMITS = 'limits = { jobs_per_day = 200, jobs_waiting = 10, templates = ["doc"] }'
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
    """A page by its *path*, or by the form that leads to it, which has *fields* and a *file*.

    *moves*: its elements come and go with time, so only their kinds are the same for all words.
    """

    path: str
    status: int = 200
    fields: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    moves: bool = False

    def __str__(self) -> str:
        return f"{self.path} {dict(self.fields)}" if self.fields else self.path


def page(path: str, status: int = 200, **fields: str) -> ShownPage:
    return ShownPage(path=path, status=status, fields=fields)


def act(name: str, status: int = 200, **fields: str) -> ShownPage:
    """Return the page to which the form of the act *name* on the meeting leads."""
    return page(f"/meetings/{MEETING}/{name}", status, **{**AS_SHOWN, **fields})


def history(path: str) -> ShownPage:
    return ShownPage(path=path, moves=True)


PAGES = (
    page("/"),
    page("/?due=1"),
    page("/?done=resumed"),
    page("/daily"),
    page("/pause", 400, reason="", by="{plain}"),
    page("/keys"),
    page("/nothing", 404),
    page("/login", 401, token="{plain}", back="{plain}"),
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
    history("/lateness"),
    history("/lateness?span=24h"),
    history("/lateness?span=7d"),
    page("/audit"),
    page("/audit?client={plain}"),
    page("/audit", subject="{plain}"),
    page("/audit", 400, subject="x", from_time="{plain}", before_time="{plain}"),
    page("/clients"),
    page("/meetings"),
    page("/meetings?when=past"),
    page("/meetings?start_from={plain}", 400),
    page("/meetings", q="{email}"),
    page("/meetings", 400, organizer="{plain}", attendee="{plain}"),
    page("/meetings/{plain}", 404),
    page(f"/meetings/{PAST}"),
    page(f"/meetings/{MEETING}"),
    act("move", 200, **DUE, minutes="45"),
    act("move", 400, start="{plain}", minutes="{plain}", end="{plain}", zone="{plain}"),
    act("edit", summary="{plain} too", location="{plain}", description="{text}"),
    act("edit", 400, summary="", url="{plain}"),
    act("add", people='"Ada" <new@example.org>', role="REQUIRED"),
    act("add", 400, people="{plain}", role="{plain}"),
    act("remove", attendee="1", reason="{plain}"),
    act("remove", 400, reason="{plain}"),
    act("cancel", reason="{plain}"),
    act("cancel", 409, reason="{plain}", etag="old"),
    page("/recipients/{plain}"),
    page("/recipients/nobody"),
    page("/recipients/{plain}/erase"),
    page("/recipients/{plain}/erase", 400, typed="{plain} too"),
    page("/recipients/nobody/erase", typed="nobody"),
    page("/suppressions"),
    page("/suppressions/pages", page=""),
    page("/suppressions/find", q="{email}"),
    page("/suppressions/find", q="no-one@example.org"),
    page("/suppressions/find", 400, q="{plain}"),
    page("/suppressions/add", 400, email="{plain}", reason="", until="{plain}", zone="UTC"),
    ShownPage(path="/suppressions/import", file="ada@example.org,{plain}\n{plain}\n"),
    page("/templates"),
    page("/templates/doc"),
    page("/templates/doc?tab=phone"),
    page("/templates/doc?tab=text"),
    page("/templates/doc?tab=headers"),
    page("/templates/doc?job={plain}", 400),
    page(f"/templates/doc?job={WAITING}"),
    page("/templates/doc", name="{plain}", message="{plain}", empid="{plain}", email="{email}"),
    page("/templates/doc", tab="text", name="{plain}", message="{text}"),
    page("/templates/invitation"),
    page("/templates/{plain}", 404),
    page("/templates/doc/send", 400, to="{plain}", request_id="{plain}"),
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


def list_meetings(words: Words, now: datetime) -> list[Meeting]:
    """Build a meeting that is ahead and one that is over, about which no mail is left to make."""
    step = MeetingStep(time=now, client=words.plain, via="grpc", method="UpdateMeeting", revision=1)
    people = (
        an_invitee(1, name=words.plain, empid=words.plain, email=words.email),
        an_invitee(2, delivery=State.FAILED, delivery_reason=words.text, job_id=FAILED),
        an_invitee(3, name=words.plain, is_removed=True, removal_reason=words.plain),
    )
    start_times = {MEETING: now + timedelta(days=40), PAST: now - timedelta(days=40)}
    return [
        a_planned_meeting(
            revision=a_revision(
                meeting_id=meeting_id,
                uid=f"{meeting_id}@example.net",
                start=start,
                end=start + timedelta(hours=1),
                start_wall=start.replace(tzinfo=None),
                end_wall=start.replace(tzinfo=None) + timedelta(hours=1),
                zone="UTC",
                zone_version=find_zone_version(),
                summary=words.plain,
                location=words.plain,
                description=words.text,
                organizer=Person(email=words.email, name=words.plain),
            ),
            attendees=people,
            client=words.plain,
            labels={words.plain[:60]: words.plain[:60]},
            steps=(replace(step, reason=words.plain),),
            check_time=None,
        )
        for meeting_id, start in start_times.items()
    ]


async def keep_others(app: RunningApp, words: Words, now: datetime) -> None:
    """Store what an installation has besides its jobs."""
    store = MongoMeetings(mongo=app.resources.mongo, retention=RETENTION)
    for meeting in list_meetings(words, now):
        await store.insert(meeting, within=timedelta(seconds=5))
    await block(app, words.email, reason=words.text, job_id=words.plain)
    await block(app, "zoe@example.org")
    details = {"name": words.text, "email": words.email, "first_seen": now, "last_seen": now}
    await app.resources.mongo.recipients.insert_one({"_id": words.plain, **details})
    await add_minutes(
        app,
        {
            "attempts": {"ACCEPTED": 90, "POLICY": 1, words.plain: 2},
            "admissions": {"created": 90, "limited": 4},
            "lateness": late(s1=88, s20=2),
            "oldest_due": timedelta(seconds=45),
        },
        {"attempts": {"ACCEPTED": 7}, "lateness": late(s1=7)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A running installation, and a token of an operator who may do everything."""

    app: RunningApp
    operator: TestToken


@asynccontextmanager
async def running_installation(
    words: Words, *, mongo: str, redis: str, relay: Relay, folder: Path
) -> AsyncIterator[Installed]:
    """Run a console whose jobs, mails, relay, clients and operators have used *words*."""
    clients = ConsoleClients(file=folder.with_name("clients.toml"))
    operator = clients.add("admin")
    clients.add("schedule", name="payroll", lines=(f"note = {dumps(words.plain)}", LIMITS))
    async with running_console(
        mongo=mongo,
        redis=redis,
        relay_port=relay.port,
        console_label=words.label,
        clients_file=str(clients.file),
        **SETTINGS,
    ) as app:
        app.resources.console.show_inbox(make_inbox(folder, words))
        relay.clear_rules()
        relay.script(At.RCPT, Answer(550, f"5.7.1 {words.plain}"))
        async with scheduler_stub(app.target) as stub:
            await stub.ScheduleMeet(a_meet(), metadata=operator.bearer)

            async def is_refused() -> bool:
                return await app.resources.mongo.jobs.count_documents({"state": "FAILED"}) == 1

            await until(is_refused)
            pause = task_pb2.PauseSendingRequest(by=words.plain[:60], reason=words.plain)
            await stub.PauseSending(pause, metadata=operator.bearer)
        now = datetime.now(UTC).replace(microsecond=0)
        await keep(app, *list_jobs(words, now))
        await keep_others(app, words, now)
        installed = Installed(app=app, operator=operator)
        await wait_until_counted(installed)
        yield installed


async def wait_until_counted(installed: Installed) -> None:
    """Wait until the first page knows of all jobs: they are counted once a second."""
    async with open_browser(find_base(installed.app)) as browser:
        await browser.log_in(installed.operator)

        async def is_counted() -> bool:
            return len((await browser.open("/")).find(".needs a[href*=UNCERTAIN]")) > 0

        await until(is_counted)


@asynccontextmanager
async def open_tab_of(
    installed: Installed, chromium: Chromium, **options: str
) -> AsyncIterator[Tab]:
    """Yield a tab in which the operator has logged in."""
    async with open_tab(chromium, base_url=find_base(installed.app), **options) as tab:
        await tab.page.goto("/login?back=/keys")
        await tab.page.get_by_label("Token").fill(installed.operator.text)
        await tab.page.get_by_label("Token").press("Enter")
        await expect(tab.page.locator("main h1")).to_have_text("Keys")
        yield tab


async def keep_many(app: RunningApp, count: int, **others: object) -> None:
    """Store *count* waiting jobs, to fill more than one page of the list."""
    now = datetime.now(UTC).replace(microsecond=0)
    await keep(app, *(a_kept_job(now, id=f"f{n:031x}", **others) for n in range(count)))


SEND = """([path, fields, file]) => {
  const form = document.createElement("form");
  Object.assign(form, {method: "post", action: path});
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, {type: "hidden", name, value});
    form.append(input);
  }
  if (file) {
    const input = document.createElement("input"), given = new DataTransfer();
    given.items.add(new File([file], "list.csv", {type: "text/csv"}));
    Object.assign(input, {type: "file", name: "file", files: given.files});
    form.enctype = "multipart/form-data";
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}"""


async def open_page(tab: Page, shown: ShownPage, words: Words = PLAIN_WORDS) -> Response:
    """Open the page, and wait for its parts that are loaded for themselves."""
    path = words.fill_path(shown.path)
    if not shown.fields and not shown.file:
        response = await tab.goto(path)
        assert response is not None, shown
    else:
        fields = {name: words.fill(value) for name, value in shown.fields.items()}
        async with tab.expect_navigation() as navigation:
            await tab.evaluate(SEND, [path, fields, words.fill(shown.file)])
        response = await navigation.value
    await expect(tab.locator(".htmx-request")).to_have_count(0)
    return response


def is_like(path: str, route: str) -> bool:
    """Return whether *path* is that of *route* with its names filled in."""
    given, named = path.split("/"), route.split("/")
    return len(given) == len(named) and all(
        each == name or name.startswith("{") for each, name in zip(given, named, strict=True)
    )
