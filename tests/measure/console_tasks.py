"""Do an operator's tasks at the console in a real browser, and count the steps of each.

    python -m tests.measure.console_tasks [--only NAME …] [--json FILE]

Each task is done twice, by keyboard alone and by mouse alone, in an installation of its own, from
the first page on, by somebody who is logged in. A step is a key or a chord, a click, or the text
typed into one field. What a task has done is read from MongoDB and at the relay; a task that only
looks must have on its page what is stored. Needs the Debian package ``chromium``.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from playwright.async_api import Browser, Page
from playwright.async_api import Error as PlaywrightError

from tests.measure.command_line import build_parser, run_measurement
from tests.measure.console_hands import Hand, Step
from tests.measure.console_task_list import TASKS, Task
from tests.measure.console_task_world import ZONE, World, fill
from tests.measure.delivery import Figures, run_metadata
from tests.support.chromium import connect, open_tab, run_chromium
from tests.support.console import ConsoleClients, find_base, running_console
from tests.support.relay.server import Relay
from tests.support.stores import Databases, lend_stores, session_mongod, session_valkey
from tests.support.wait import until

OPERATOR = "eva"


async def measure(folder: Path, options: argparse.Namespace) -> Figures:
    chosen = {name: task for name, task in TASKS.items() if name in options.only}
    with session_mongod() as mongod, session_valkey() as valkey, run_chromium() as profile:
        databases, numbers = Databases(mongod), count(1)
        async with connect(profile) as browser:
            tasks: dict[str, Figures] = {}
            for name, task in chosen.items():
                tasks[name] = {"task": task.title, "commit": run_metadata()["commit"]}
                for hand, steps in (("keyboard", task.keyboard), ("mouse", task.mouse)):
                    with lend_stores(databases, valkey, numbers) as stores:
                        tasks[name][hand] = await try_task(task, steps, browser, stores, folder)
                    print(f"{name} by {hand}: {tasks[name][hand]}", flush=True)
    tasks = read_earlier(options.json) | tasks
    return {"tasks": {name: tasks[name] for name in TASKS if name in tasks}}


def read_earlier(file: Path | None) -> dict[str, Figures]:
    """Return the tasks that *file* has of earlier runs: those that were not done again stay."""
    if file is None or not file.exists():
        return {}
    return dict(json.loads(file.read_text(encoding="utf-8"))["tasks"])


async def try_task(
    task: Task, steps: Sequence[Step], browser: Browser, stores: Mapping[str, str], folder: Path
) -> Figures:
    """Return the number of steps and what they were, or why the task cannot be done."""
    problem = ""
    done: list[str] = []
    try:
        done = await do_task(task, steps, browser, stores, folder)
    except* (AssertionError, PlaywrightError, TimeoutError) as problems:
        problem = repr(problems)[:800]
    return {"problem": problem} if problem else {"steps": len(done), "done": done}


async def do_task(
    task: Task, steps: Sequence[Step], browser: Browser, stores: Mapping[str, str], folder: Path
) -> list[str]:
    """Do the task in new stores; return what was done. Raises AssertionError without an effect."""
    clients = ConsoleClients(file=folder / "clients.toml")
    token = clients.add("admin", name=OPERATOR)
    now = datetime.now(UTC).replace(microsecond=0)
    settings = {"clients_file": str(clients.file), "timezone": ZONE.key}
    async with Relay() as relay:
        common = {**stores, **settings, "relay_port": str(relay.port)}
        async with running_console(**common) as app:
            await fill(app, now, token)
        # Another start counts the jobs at once.
        async with AsyncExitStack() as stack:
            app = await stack.enter_async_context(running_console(**common))
            world = World(app=app, relay=relay, now=now, token=token)
            await task.prepare(world)
            tab = await stack.enter_async_context(
                open_tab(browser, base_url=find_base(app), timezone_id=ZONE.key)
            )
            await log_in(tab.page, token.text)
            hand = Hand(page=tab.page)
            tomorrow = f"{world.local(now) + timedelta(days=1):%m%d}"
            for step in steps:
                await hand.do(step.fill_in(tomorrow=tomorrow))
            await until(lambda: task.is_done(world, tab.page))
            return hand.done


async def log_in(page: Page, token: str) -> None:
    """Log in, and wait until the first page has its counts; no step of a task."""
    await page.goto("/login")
    await page.get_by_label("Token").fill(token)
    await page.keyboard.press("Enter")
    await page.locator(".needs a").first.wait_for()


def main() -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    run_measurement("tests.measure.console_tasks", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
