"""Jobs in a real browser: hostile texts, accessibility, keys, and without the script."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from gcsched.domain.job import Job
from tests.support.chromium import Tab, find_violations, is_too_wide, open_tab
from tests.support.console import find_base
from tests.support.console_jobs import (
    a_failed_job,
    a_hostile_job,
    a_kept_job,
    an_uncertain_job,
    keep,
)
from tests.support.in_process_app import RunningApp

NOW = datetime.now(UTC).replace(microsecond=0)
pytestmark = pytest.mark.asyncio(loop_scope="module")
NO_VIOLATION: list[str] = []
TITLES = ("1", "2")
"""What the scripts in hostile texts would make of the title of a page."""


@pytest_asyncio.fixture(loop_scope="module")
async def tab(console: RunningApp, chromium: Chromium) -> AsyncIterator[Tab]:
    async with open_tab(chromium, base_url=find_base(console)) as tab:
        yield tab


def list_pages(job: Job) -> list[str]:
    tabs = [f"/jobs/{job.id}?tab={each}" for each in ("html", "text", "headers", "source", "json")]
    return ["/jobs", "/jobs?state=FAILED", *tabs, f"/jobs/{job.id}/again"]


async def test_no_page_obeys_a_hostile_text_has_a_violation_of_accessibility_or_is_too_wide(
    tab: Tab, console: RunningApp
) -> None:
    hostile, uncertain = a_hostile_job(NOW), an_uncertain_job(NOW)
    failed = a_failed_job(NOW, client="payroll")
    await keep(console, failed, uncertain, hostile, a_kept_job(NOW))
    page = tab.page
    others = (f"/jobs/{failed.id}", f"/jobs/{uncertain.id}", "/jobs?empid=none")
    for path in (*list_pages(hostile), *others):
        await page.goto(path)  # until images have failed to load as well
        assert await page.title() not in TITLES, path
        await expect(page.locator("main img, main script, main [hx-get='/x']")).to_have_count(0)
        await page.evaluate(
            "document.querySelectorAll('details').forEach(each => each.open = true)"
        )
        # The views of a mail differ in this part alone; the first of them is checked as a whole.
        part = "#mail" if "tab=" in path and "tab=html" not in path else "html"
        assert await find_violations(page, part) == NO_VIOLATION, path
        assert not await is_too_wide(page), path
        assert await page.title() not in TITLES, path
    await page.goto("/jobs")
    await page.get_by_label("Find a job").fill(hostile.email)
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator(".headline")).to_contain_text("FAILED")


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


async def test_all_forms_work_without_the_script(console: RunningApp, chromium: Chromium) -> None:
    failed, waiting = a_failed_job(NOW, empid="E1"), a_kept_job(NOW, empid="E77")
    await keep(console, failed, waiting)
    base = find_base(console)
    async with open_tab(chromium, base_url=base, java_script_enabled=False) as tab:
        page = tab.page
        await page.goto("/jobs")
        await page.get_by_text("Filter", exact=True).click()
        await page.get_by_label("Employee", exact=True).fill("E77")
        await page.get_by_role("button", name="Show").click()
        await page.locator("tbody a").first.click()
        await page.get_by_text("Move…").click()
        await page.get_by_label("Send it").select_option("daily")
        await page.get_by_role("button", name="Move", exact=True).click()
        await expect(page.locator("main .notice").first).to_have_text("The job has its new time.")
        await expect(page.locator(".headline")).to_contain_text("QUEUED")
        await expect(page.frame_locator("iframe").locator("body")).to_contain_text("Ada")


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
