"""Take pictures of every page of the console, for people who look at them one by one.

    python -m tests.measure.console_pictures FOLDER [--only WORD] [--state STATE ...] [--quick]
    python -m tests.measure.console_pictures docs/images --chosen

The second one takes those of ``docs/console.md``. States: ``empty``, ``data``, and ``mongodb``,
``redis`` and ``relay`` while each of them is away. Each picture is ``STATE-PAGE-THEME-WIDTH.png``.
Needs the Debian package ``chromium``.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Browser, Page, async_playwright

from gcsched.dev.inbox import MailFolder
from tests.support import console_sample as sample
from tests.support.chromium import find_chromium
from tests.support.clients import TestToken
from tests.support.console import ConsoleClients, find_base, open_browser, running_console
from tests.support.console_pages import ShownPage, open_page
from tests.support.in_process_app import RunningApp
from tests.support.proxy import Proxy, a_proxy
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.support.stores import OwnServer, own_mongod, own_valkey
from tests.support.wait import until

STATES = ("empty", "data", "mongodb", "redis", "relay")
THEMES, WIDTHS = ("light", "dark"), (1280, 400)
LOOKS = tuple((theme, width) for theme in THEMES for width in WIDTHS)
HEIGHT, CHOSEN_HEIGHT = 800, 600
SLOWEST_MS = 70_000
"""An act on many jobs may take a minute."""
OPEN_ACT = ("details.act > summary",)
CANCEL = "details.act:has(form[action$=cancel])"
CHOSEN = ("jobs", "job-failed", "lateness", "meeting")
"""The pages whose pictures are in the documentation."""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A page by its name in the pictures; *clicks* lead to a form of it."""

    name: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)
    clicks: tuple[str, ...] = ()


def list_shots(meeting: str, mail: str) -> list[Shot]:
    """List the pages; without a meeting and a mail, those that exist in an empty installation."""
    addresses = {
        "now": "/",
        "jobs": "/jobs",
        "jobs-failed": "/jobs?state=FAILED",
        "job-failed": f"/jobs/{sample.FAILED}",
        "job-waiting": f"/jobs/{sample.WAITING}",
        "job-uncertain": f"/jobs/{sample.UNCERTAIN}",
        "job-sent": f"/jobs/{sample.SENT}",
        "job-retrying": f"/jobs/{sample.RETRYING}",
        "job-headers": f"/jobs/{sample.SENT}?tab=headers",
        "again": f"/jobs/{sample.FAILED}/again",
        "daily": "/daily",
        "relays": "/relays",
        "lateness": "/lateness",
        "suppressions": "/suppressions",
        "templates": "/templates",
        "template": "/templates/reminder",
        "employee": "/recipients/E1000",
        "erase": "/recipients/E1000/erase",
        "meetings": "/meetings",
        "audit": "/audit",
        "clients": "/clients",
        "keys": "/keys",
        "inbox": "/inbox",
        "nothing": "/nothing",
    }
    shots = [Shot(name=name, path=path) for name, path in addresses.items()]
    one = {"job": f"{sample.WAITING} old"}
    shots += [
        Shot(name="ticked", path="/jobs-ticked/cancel", fields=one),
        Shot(name="filtered", path="/jobs-filtered/retry", fields={"state": "FAILED"}),
        Shot(name="found-none", path="/jobs", fields={"q": "nobody@example.org"}),
        Shot(name="filter", path="/jobs", clicks=("details.filter > summary",)),
        Shot(name="job-form", path=f"/jobs/{sample.WAITING}", clicks=OPEN_ACT),
        Shot(name="pause-form", path="/", clicks=OPEN_ACT),
        Shot(name="block-form", path="/suppressions", clicks=OPEN_ACT),
    ]
    if meeting:
        shots.append(Shot(name="meeting", path=f"/meetings/{meeting}"))
        shots.append(Shot(name="meeting-form", path=f"/meetings/{meeting}", clicks=OPEN_ACT))
        cancel = (f"{CANCEL} > summary", f"{CANCEL} button")
        shots.append(Shot(name="confirm", path=f"/meetings/{meeting}", clicks=cancel))
    if mail:
        shots.append(Shot(name="mail", path=f"/inbox/{mail}"))
    return shots


@dataclass(kw_only=True)
class Studio:
    """What pictures are made of, and what has been written."""

    app: RunningApp
    browser: Browser
    token: TestToken
    folder: Path
    only: str
    is_chosen: bool = False
    meeting: str = ""
    mail: str = ""
    written: int = 0

    async def take(self, state: str, looks: tuple[tuple[str, int], ...]) -> None:
        """Take a picture of each page in each of *looks*, theme and width."""
        for theme, width in looks:
            async with self.open_tab(theme, width) as tab:
                for shot in list_shots(self.meeting, self.mail):
                    if self.is_chosen and shot.name in CHOSEN:
                        await self.take_one(tab, shot, f"console-{shot.name}")
                    elif not self.is_chosen and self.only in shot.name:
                        await self.take_one(tab, shot, f"{state}-{shot.name}-{theme}-{width}")
                if not self.is_chosen and self.only in "login":
                    await tab.context.clear_cookies()
                    login = Shot(name="login", path="/login")
                    await self.take_one(tab, login, f"{state}-login-{theme}-{width}")

    @asynccontextmanager
    async def open_tab(self, theme: str, width: int) -> AsyncIterator[Page]:
        context = await self.browser.new_context(
            base_url=find_base(self.app),
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": width, "height": CHOSEN_HEIGHT if self.is_chosen else HEIGHT},
        )
        context.set_default_navigation_timeout(SLOWEST_MS)
        tab = await context.new_page()
        await tab.goto("/login")
        await tab.fill("input[name=token]", self.token.text)
        await tab.press("input[name=token]", "Enter")
        await tab.wait_for_selector("nav[aria-label=Pages]")
        yield tab
        await context.close()

    async def take_one(self, tab: Page, shot: Shot, name: str) -> None:
        await open_page(tab, ShownPage(path=shot.path, fields=shot.fields))
        for each in shot.clicks:
            if await tab.locator(each).count():
                await tab.locator(each).first.click()
        file = self.folder / f"{name}.png"
        await tab.screenshot(path=file, full_page=not self.is_chosen)
        self.written += 1
        print(f"{file.name} ({file.stat().st_size:,} bytes)", flush=True)


@asynccontextmanager
async def silent(server: OwnServer) -> AsyncIterator[None]:
    """Freeze *server* during the block."""
    server.freeze()
    try:
        yield
    finally:
        server.resume()


@asynccontextmanager
async def cut(proxy: Proxy) -> AsyncIterator[None]:
    """Break the way to a relay during the block."""
    proxy.cut()
    try:
        yield
    finally:
        proxy.heal()


async def wait_for_words(studio: Studio, words: str, *, are_there: bool = True) -> None:
    """Wait until the first page has *words*, or has them no more."""
    async with open_browser(find_base(studio.app)) as browser:
        await browser.log_in(studio.token)

        async def has_changed() -> bool:
            return (words in (await browser.open("/")).text) is are_there

        await until(has_changed, within=60)


async def prepare(studio: Studio, relay: Relay, inbox: MailFolder) -> None:
    """Fill the installation, with a meeting that was moved."""
    studio.meeting = await sample.fill(studio.app, studio.token)
    async with scheduler_stub(studio.app.target) as stub:
        await until(lambda: len(relay.ledger) >= 6, within=30)
        await sample.move_meeting(stub, studio.token, studio.meeting)
        await until(lambda: len(relay.ledger) >= 10, within=30)
    studio.mail = sample.fill_inbox(inbox, relay)


async def send_mail(studio: Studio) -> None:
    async with scheduler_stub(studio.app.target) as stub:
        await stub.ScheduleMeet(a_meet(9), metadata=studio.token.bearer)


async def take_all(options: argparse.Namespace, folder: Path) -> int:
    """Take the pictures of all chosen states; return how many."""
    clients = ConsoleClients(file=folder / "clients.toml")
    token = clients.add("admin", name="eva")
    clients.add("schedule", name="payroll")
    inbox = MailFolder(folder=folder / "mails")
    inbox.folder.mkdir()
    async with AsyncExitStack() as stack:
        mongod = await stack.enter_async_context(own_mongod(folder))
        valkey = await stack.enter_async_context(own_valkey(folder))
        relay = await stack.enter_async_context(Relay())
        way = await stack.enter_async_context(a_proxy(relay.port))
        app = await stack.enter_async_context(
            running_console(
                mongo=mongod.uri,
                redis=valkey.uri,
                relay_port=way.port,
                clients_file=str(clients.file),
                console_label="staging",
            )
        )
        app.resources.console.show_inbox(inbox)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"]
        )
        studio = Studio(
            app=app,
            browser=browser,
            token=token,
            folder=options.folder,
            only=options.only,
            is_chosen=options.chosen,
        )
        looks = LOOKS[:1] + LOOKS[-1:] if options.quick else LOOKS
        if options.chosen:
            looks, options.state = LOOKS[:1], ["data"]
        if "empty" in options.state:
            await studio.take("empty", looks)
        await prepare(studio, relay, inbox)
        if "data" in options.state:
            await studio.take("data", looks)
        aways = {
            "mongodb": (silent(mongod), "MongoDB</b> cannot be used"),
            "redis": (silent(valkey), "Redis</b> cannot be used"),
            "relay": (cut(way), "Relay 127.0.0.1"),
        }
        for name in [each for each in options.state if each in aways]:
            trouble, words = aways[name]
            async with trouble:
                if name == "relay":
                    await send_mail(studio)  # so that someone notices
                await wait_for_words(studio, words)
                await studio.take(name, looks)
            await wait_for_words(studio, words, are_there=False)
        await browser.close()
    return studio.written


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of pages")
    parser.add_argument("--state", nargs="+", choices=STATES, default=STATES)
    parser.add_argument("--quick", action="store_true", help="light and wide, dark and narrow only")
    parser.add_argument("--chosen", action="store_true", help="those of the documentation only")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    options.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        written = asyncio.run(take_all(options, Path(folder)))
    print(f"wrote {written} pictures into {options.folder}")


if __name__ == "__main__":
    main()
