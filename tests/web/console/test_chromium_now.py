"""Now, Relays and Inbox in a real browser: no violation of the policy or of accessibility."""

from pathlib import Path

import pytest

from gcsched.dev.inbox import MailFolder
from tests.support.chromium import open_tab
from tests.support.console import find_base
from tests.support.in_process_app import RunningApp
from tests.support.relay.script import Answer, At
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.web.console.test_chromium import NO_VIOLATION, find_violations
from tests.web.console.test_inbox import FIRST, HOSTILE, MAIL


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_pages_with_hostile_words_have_no_violation(
    open_console: RunningApp, relay: Relay, tmp_path: Path, theme: str
) -> None:
    (tmp_path / f"{FIRST}-ada@example.org.eml").write_text(MAIL)
    open_console.resources.console.show_inbox(MailFolder(folder=tmp_path))
    relay.script(At.RCPT, Answer(550, f"5.7.1 {HOSTILE}"))
    async with scheduler_stub(open_console.target) as stub:
        await stub.ScheduleMeet(a_meet())
    async with open_tab(base_url=find_base(open_console), color_scheme=theme) as tab:
        await tab.page.goto("/")
        await tab.page.locator(".needs a[href*=FAILED]").wait_for()
        for path in ("/", "/daily", "/relays", "/inbox", f"/inbox/{FIRST}?tab=headers"):
            for width in (1280, 400):
                await tab.page.set_viewport_size({"width": width, "height": 800})
                await tab.page.goto(path)
                assert await find_violations(tab.page) == NO_VIOLATION, path
                overflow = "document.documentElement.scrollWidth - innerWidth"
                assert await tab.page.evaluate(overflow) <= 0, (path, width)
                assert await tab.page.locator("main img, main script").count() == 0
