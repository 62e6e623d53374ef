"""Jobs in a real browser: a task by keyboard, and what a refresh leaves alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from tests.support.chromium import Tab, open_tab
from tests.support.console import find_base
from tests.support.console_jobs import (
    a_failed_job,
    a_kept_job,
    keep,
)
from tests.support.in_process_app import RunningApp

NOW = datetime.now(UTC).replace(microsecond=0)
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def tab(console: RunningApp, chromium: Chromium) -> AsyncIterator[Tab]:
    async with open_tab(chromium, base_url=find_base(console)) as tab:
        yield tab


async def test_a_job_is_found_and_cancelled_by_keyboard(tab: Tab, console: RunningApp) -> None:
    job = a_kept_job(NOW, empid="E77")
    await keep(console, a_failed_job(NOW), job)
    page = tab.page
    await page.goto("/")
    await page.keyboard.press("g")
    await page.keyboard.press("j")
    await expect(page.locator("main h1")).to_have_text("Jobs")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator(".headline")).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.locator("main h1")).to_have_text("Jobs")
    await page.keyboard.press("/")
    await page.keyboard.type("E77")
    await page.keyboard.press("Enter")
    await expect(page.locator(".headline")).to_contain_text("waits until")
    await page.keyboard.press("c")
    await page.keyboard.type("typed twice")
    await page.keyboard.press("Enter")

    await expect(page.locator("main .notice").first).to_have_text("The job is cancelled.")
    await expect(page.locator(".headline")).to_contain_text("CANCELLED")


async def test_the_mail_stays_while_the_rest_refreshes(tab: Tab, console: RunningApp) -> None:
    job = a_kept_job(NOW)
    await keep(console, job)
    page, mails = tab.page, list[str]()
    page.on("request", lambda sent: mails.append(sent.url) if "/mail" in sent.url else None)
    await page.goto(f"/jobs/{job.id}")
    await expect(page.frame_locator("iframe").locator("body")).to_contain_text("Ada")
    changed = {"$set": {"state": "CANCELLED", "reason": "typed twice"}}
    await console.resources.mongo.jobs.update_one({"_id": job.id}, changed)
    await page.evaluate("htmx.trigger('#live', 'refresh')")

    await expect(page.locator(".headline")).to_contain_text("CANCELLED")
    assert len(mails) == 1
