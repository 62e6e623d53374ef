"""Now, Relays and Inbox in a real browser: no violation of the policy or of accessibility."""

from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium

from gcsched.dev.inbox import MailFolder
from tests.support.chromium import find_violations, is_too_wide, open_tab
from tests.support.console import find_base
from tests.support.in_process_app import RunningApp
from tests.support.relay.script import Answer, At
from tests.support.relay.server import Relay
from tests.support.service_process import a_meet, scheduler_stub
from tests.web.console.test_chromium import NO_VIOLATION
from tests.web.console.test_inbox import FIRST, HOSTILE, MAIL


@pytest.mark.asyncio(loop_scope="module")
async def test_pages_with_hostile_words_have_no_violation(
    console: RunningApp, shared_relay: Relay, tmp_path: Path, chromium: Chromium
) -> None:
    (tmp_path / f"{FIRST}-ada@example.org.eml").write_text(MAIL)
    console.resources.console.show_inbox(MailFolder(folder=tmp_path))
    shared_relay.script(At.RCPT, Answer(550, f"5.7.1 {HOSTILE}"))
    async with scheduler_stub(console.target) as stub:
        await stub.ScheduleMeet(a_meet())
    async with open_tab(chromium, base_url=find_base(console)) as tab:
        await tab.page.goto("/")
        await tab.page.locator(".needs a[href*=FAILED]").wait_for()
        for path in ("/", "/daily", "/relays", "/inbox", f"/inbox/{FIRST}?tab=headers"):
            await tab.page.goto(path)
            assert await find_violations(tab.page) == NO_VIOLATION, path
            assert not await is_too_wide(tab.page), path
            assert await tab.page.locator("main img, main script").count() == 0
