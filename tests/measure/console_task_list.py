"""The tasks of operators by keyboard alone and by mouse alone, and what shows that each is done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from playwright.async_api import Page

from gcsched.pb import task_pb2
from tests.measure.console_hands import Step, click, press, write
from tests.measure.console_task_world import (
    BATCH,
    BLOCKED,
    EMPLOYEE,
    LATE_SECONDS,
    MOVED,
    NUISANCE,
    OLD,
    OTHERS,
    PAUSED_BY_OTTO,
    REFUSED,
    RIGHT,
    UNCERTAIN,
    WRONG,
    World,
)
from tests.support.service_process import scheduler_stub

Check = Callable[[World, Page], Awaitable[bool]]
SEARCH, FOUND = "#q:focus", "main h1:has-text('Job ')"
ON_JOBS = "main h1:text-is('Jobs')"


async def prepare_nothing(_: World) -> None:
    """Leave the world as it is filled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task; *is_done* tells whether MongoDB, the relay, or the page of a look has its effect."""

    title: str
    keyboard: tuple[Step, ...]
    mouse: tuple[Step, ...]
    is_done: Check
    prepare: Callable[[World], Awaitable[None]] = prepare_nothing


def find_by_keyboard(text: str, sees: str = FOUND) -> tuple[Step, ...]:
    return (press("/", SEARCH), write(text), press("Enter", sees))


def find_by_mouse(text: str, sees: str = FOUND) -> tuple[Step, ...]:
    return (
        click("header nav >> text=Jobs", ON_JOBS),
        click("#q"),
        write(text),
        click("role=button[name='Find']", sees),
    )


def open_by_keyboard(letter: str, title: str) -> tuple[Step, ...]:
    return (press("g"), press(letter, f"main h1:has-text('{title}')"))


def open_by_mouse(title: str) -> tuple[Step, ...]:
    return (click(f"header nav >> text={title}", f"main h1:has-text('{title}')"),)


def open_form(act: str) -> str:
    """Return the selector of the open form whose action ends in *act*, with the focus in it."""
    return f"details.act[open] form[action$='{act}'] :focus"


async def shows(page: Page, *texts: str) -> bool:
    words = await page.locator("main").inner_text()
    return all(each in words for each in texts)


async def shows_the_refusal(world: World, page: Page) -> bool:
    job = await world.app.resources.mongo.jobs.find_one({"_id": REFUSED})
    return job is not None and await shows(page, job["attempts"][-1]["text"], "FAILED")


async def is_paused(world: World, _: Page) -> bool:
    found = await world.app.resources.mongo.runs.find_one({"_id": "pause"})
    return found is not None and (found["by"], found["reason"]) == ("eva", "wrong texts")


async def is_sent_to_the_right_address(world: World, _: Page) -> bool:
    return world.recipients() == [RIGHT] and await world.states(REFUSED) == ["FAILED"]


async def is_resolved(world: World, _: Page) -> bool:
    return await world.states(UNCERTAIN) == ["SENT"] and world.recipients() == []


async def is_due_tomorrow(world: World, _: Page) -> bool:
    job = await world.app.resources.mongo.jobs.find_one({"_id": MOVED})
    assert job is not None
    due = world.local(job["due"])
    return bool(due.date() == (world.local(world.now) + timedelta(days=1)).date())


async def is_batch_cancelled(world: World, _: Page) -> bool:
    jobs = world.app.resources.mongo.jobs
    cancelled = await jobs.count_documents({"client": "payroll", "state": "CANCELLED"})
    waiting = await jobs.count_documents({"client": "rooms", "state": "SCHEDULED"})
    return (cancelled, waiting) == (BATCH, OTHERS)


async def are_retried(world: World, _: Page) -> bool:
    sent = [WRONG, *(f"f{number}@example.org" for number in range(3))]
    return world.recipients() == sorted(sent) and await world.states(OLD) == ["FAILED"]


async def pause(world: World) -> None:
    async with scheduler_stub(world.app.target) as stub:
        request = task_pb2.PauseSendingRequest(by="otto", reason="the relay moves")
        await stub.PauseSending(request, metadata=world.token.bearer)


async def is_resumed(world: World, _: Page) -> bool:
    return await world.app.resources.mongo.runs.find_one({"_id": "pause"}) is None


async def is_blocked(world: World, _: Page) -> bool:
    found = await world.app.resources.mongo.suppressions.find_one({"_id": NUISANCE})
    return found is not None and found["reason"] == "it complains"


async def is_unblocked(world: World, _: Page) -> bool:
    return await world.app.resources.mongo.suppressions.find_one({"_id": BLOCKED}) is None


async def shows_last_night(_: World, page: Page) -> bool:
    late = await page.locator(".tile:has-text('p99, ') .value").inner_text()
    # Quantiles are at most 10.25 % too high.
    return LATE_SECONDS <= float(late.removesuffix(" s")) <= LATE_SECONDS * 1.1025


async def shows_what_otto_did(_: World, page: Page) -> bool:
    return await shows(page, "PauseSending", PAUSED_BY_OTTO) and not await shows(page, "mia")


async def is_meeting_moved(world: World, _: Page) -> bool:
    meeting = await world.read_meeting()
    return bool(meeting.start.startswith("2030-02-07T09:00"))


async def is_meeting_cancelled(world: World, _: Page) -> bool:
    meeting = await world.read_meeting()
    return meeting.state == task_pb2.Meeting.CANCELLED


async def shows_a_phone(_: World, page: Page) -> bool:
    frame = page.locator("iframe.mail.phone")
    box = await frame.bounding_box() if await frame.count() else None
    return box is not None and box["width"] < 430


async def is_erased(world: World, _: Page) -> bool:
    mongo = world.app.resources.mongo
    job = await mongo.jobs.find_one({"_id": REFUSED})
    assert job is not None
    kept = await mongo.recipients.find_one({"_id": EMPLOYEE})
    return kept is None and (job["email"], job["name"], job["message"]) == ("", "", "")


TASKS: Mapping[str, Task] = {
    "why": Task(
        title="why did this person not get the mail?",
        keyboard=find_by_keyboard(WRONG),
        mouse=find_by_mouse(WRONG),
        is_done=shows_the_refusal,
    ),
    "stop": Task(
        title="stop everything, with a reason",
        keyboard=(press("p", open_form("pause")), write("wrong texts"), press("Enter", ".paused")),
        mouse=(
            click("text=Pause sending…", open_form("pause")),
            write("wrong texts"),
            click("role=button[name='Pause'] >> visible=true", ".paused"),
        ),
        is_done=is_paused,
    ),
    "resume": Task(
        title="resume",
        keyboard=(press("p", ".paused button:focus"), press("Enter", ".notice")),
        mouse=(click("role=button[name='Resume']", ".notice"),),
        is_done=is_resumed,
        prepare=pause,
    ),
    "again": Task(
        title="send it again, to the right address",
        keyboard=(
            *find_by_keyboard(WRONG),
            press("s", "#email:focus"),
            write(RIGHT),
            press("Enter", FOUND),
        ),
        mouse=(
            *find_by_mouse(WRONG),
            click("text=Send again…", "#email:focus"),
            write(RIGHT),
            click("text=Send as a new job", FOUND),
        ),
        is_done=is_sent_to_the_right_address,
    ),
    "resolve": Task(
        title="settle a mail whose fate is not known",
        keyboard=(
            press("n", ".needs a:focus"),
            press("Enter", ON_JOBS),
            press("j", "tr.chosen"),
            press("Enter", FOUND),
            press("v", open_form("resolve")),
            press("Tab", "#resolve-reason:focus"),
            write("the log of the relay has it"),
            press("Enter", ".notice"),
        ),
        mouse=(
            click(".needs a:has-text('UNCERTAIN')", ON_JOBS),
            click("[data-rows] tbody tr a", FOUND),
            click("text=Resolve…", open_form("resolve")),
            click("#resolve-reason"),
            write("the log of the relay has it"),
            click("role=button[name='Resolve']", ".notice"),
        ),
        is_done=is_resolved,
    ),
    "move": Task(
        title="move a mail to tomorrow",
        keyboard=(
            *find_by_keyboard("max@example.org"),
            press("m", open_form("reschedule")),
            press("Tab", "#move-at:focus"),
            write("{tomorrow}"),
            press("Enter", ".notice"),
        ),
        mouse=(
            *find_by_mouse("max@example.org"),
            click("text=Move…", open_form("reschedule")),
            click("#move-at"),
            write("{tomorrow}"),
            click("role=button[name='Move']", ".notice"),
        ),
        is_done=is_due_tomorrow,
    ),
    "batch": Task(
        title="cancel all waiting mails of one caller",
        keyboard=(
            press("j", "tr.chosen"),
            press("j", "tr.chosen:has-text('SCHEDULED')"),
            press("Enter", "main :text('SCHEDULED')"),
            press("f", "details.filter[open] :focus"),
            press("Tab", "#client:focus"),
            write("payroll"),
            press("Enter", "main p :text('payroll')"),
            press("C", "main h1:has-text('Cancel')"),
            press("Enter", "main h1:has-text('40 jobs')"),
        ),
        mouse=(
            click("[data-rows] a:has-text('SCHEDULED')", "main [data-rows] :text('payroll')"),
            click("[data-rows] a:text-is('payroll')", "main p :text('payroll')"),
            click("text=Cancel all of this filter…", "main h1:has-text('Cancel')"),
            click("text=Cancel 40 jobs", "main h1:has-text('40 jobs')"),
        ),
        is_done=is_batch_cancelled,
    ),
    "retry": Task(
        title="retry what failed within the last hour",
        keyboard=(
            press("n", ".needs a:focus"),
            press("n", ".needs a:focus:has-text('FAILED')"),
            press("Enter", ON_JOBS),
            press("R", "main button:focus"),
            press("Enter", "main h1:has-text('4 jobs')"),
        ),
        mouse=(
            click(".needs a:has-text('FAILED')", ON_JOBS),
            click("text=Retry all of this filter…", "main h1:has-text('Retry')"),
            click("text=Retry 4 jobs", "main h1:has-text('4 jobs')"),
        ),
        is_done=are_retried,
    ),
    "block": Task(
        title="block an address",
        keyboard=(
            *open_by_keyboard("s", "Suppressions"),
            press("b", open_form("add")),
            write(NUISANCE),
            press("Tab", "#reason:focus"),
            write("it complains"),
            press("Enter", ".notice"),
        ),
        mouse=(
            *open_by_mouse("Suppressions"),
            click("text=Block an address…", open_form("add")),
            write(NUISANCE),
            click("#reason"),
            write("it complains"),
            click("role=button[name='Block the address']", ".notice"),
        ),
        is_done=is_blocked,
    ),
    "unblock": Task(
        title="unblock an address",
        keyboard=(
            *open_by_keyboard("s", "Suppressions"),
            press("/", SEARCH),
            write(BLOCKED),
            press("Enter", f"main h1:has-text('{BLOCKED}')"),
            press("u", open_form("remove")),
            press("Enter", ".notice"),
        ),
        mouse=(
            *open_by_mouse("Suppressions"),
            click("#q"),
            write(BLOCKED),
            click("role=button[name='Find']", f"main h1:has-text('{BLOCKED}')"),
            click("text=Unblock…", open_form("remove")),
            click("role=button[name='Unblock the address']", ".notice"),
        ),
        is_done=is_unblocked,
    ),
    "night": Task(
        title="how late were the mails of last night?",
        keyboard=(*open_by_keyboard("l", "Lateness"), press("]", ".tile :text('p99, 24 hours')")),
        mouse=(*open_by_mouse("Lateness"), click("text=24 hours", ".tile :text('p99, 24 hours')")),
        is_done=shows_last_night,
    ),
    "audit": Task(
        title="what did an operator do yesterday?",
        keyboard=(
            *open_by_keyboard("a", "Audit"),
            press("/", "#client:focus"),
            write("otto"),
            press("Enter", "main >> text=Clear"),
        ),
        mouse=(
            *open_by_mouse("Audit"),
            click("[data-rows] a:has-text('otto')", "main >> text=Clear"),
        ),
        is_done=shows_what_otto_did,
    ),
    "move_meeting": Task(
        title="move a meeting",
        keyboard=(
            *open_by_keyboard("m", "Meetings"),
            press("j", "tr.chosen"),
            press("Enter", "#happened"),
            press("m", open_form("move")),
            write("0207"),
            press("Enter", "main h1:has-text('Move the meeting?')"),
            press("Enter", ".notice:has-text('moved')"),
        ),
        mouse=(
            *open_by_mouse("Meetings"),
            click("[data-rows] tbody tr a", "#happened"),
            click("text=Move…", open_form("move")),
            write("0207"),
            click(
                "text=Show what it does >> visible=true", "main h1:has-text('Move the meeting?')"
            ),
            click("role=button[name='Move the meeting']", ".notice:has-text('moved')"),
        ),
        is_done=is_meeting_moved,
    ),
    "cancel_meeting": Task(
        title="cancel a meeting, with a reason",
        keyboard=(
            *open_by_keyboard("m", "Meetings"),
            press("j", "tr.chosen"),
            press("Enter", "#happened"),
            press("c", open_form("cancel")),
            write("no room"),
            press("Enter", "main h1:has-text('Cancel the meeting?')"),
            press("Enter", ".notice:has-text('cancelled')"),
        ),
        mouse=(
            *open_by_mouse("Meetings"),
            click("[data-rows] tbody tr a", "#happened"),
            click("text=Cancel…", open_form("cancel")),
            write("no room"),
            click(
                "text=Show what it does >> visible=true", "main h1:has-text('Cancel the meeting?')"
            ),
            click("role=button[name='Cancel the meeting']", ".notice:has-text('cancelled')"),
        ),
        is_done=is_meeting_cancelled,
    ),
    "phone": Task(
        title="look at the mail of a template on a phone",
        keyboard=(
            *open_by_keyboard("t", "Templates"),
            press("j", "tr.chosen"),
            press("Enter", "iframe.mail"),
            press("]", "iframe.mail.phone"),
        ),
        mouse=(
            *open_by_mouse("Templates"),
            click("[data-rows] tbody tr a", "iframe.mail"),
            click("ul.tabs >> text=Phone", "iframe.mail.phone"),
        ),
        is_done=shows_a_phone,
    ),
    "erase": Task(
        title="erase an employee",
        keyboard=(
            *find_by_keyboard(EMPLOYEE),
            press("o", f"main h1:has-text('Employee {EMPLOYEE}')"),
            press("e", "#typed:focus"),
            write(EMPLOYEE),
            press("Enter", ".notice"),
        ),
        mouse=(
            *find_by_mouse(EMPLOYEE),
            click(f"main dd a:has-text('{EMPLOYEE}')", f"main h1:has-text('Employee {EMPLOYEE}')"),
            click("text=Erase…", "#typed:focus"),
            write(EMPLOYEE),
            click("text=Erase for good", ".notice"),
        ),
        is_done=is_erased,
    ),
}
