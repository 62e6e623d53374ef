"""Meetings in a real browser: accessibility, width, keys, and hostile texts."""

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from tests.support.chromium import find_violations, open_tab
from tests.support.console import find_base
from tests.support.console_jobs import HOSTILE
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import ADA, BOB, a_reminder, an_attendee, create
from tests.support.service_process import scheduler_stub

TEXT = HOSTILE.replace("\u202e\u2066", "").strip()
LENGTH = "document.documentElement.scrollWidth - innerWidth"


async def check(page: Page) -> None:
    """Check that the page is accessible and not too wide, on a desk and on a phone."""
    for width in (1280, 400):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await find_violations(page) == [], (page.url, width)
        assert await page.evaluate(LENGTH) <= 0, (page.url, width)
        assert await page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_meeting_moves_by_keys_and_no_page_has_a_violation(
    open_console: RunningApp, own_chromium: Chromium, theme: str
) -> None:
    async with scheduler_stub(open_console.target) as stub:
        meeting = await create(
            stub,
            attendees=[an_attendee(ADA, name="A" * 60), an_attendee(BOB)],
            summary=TEXT,
            location="x" * 200,
            description=TEXT,
            reminders=[a_reminder(minutes=10), a_reminder(days=2)],
        )
    async with open_tab(own_chromium, base_url=find_base(open_console), color_scheme=theme) as tab:
        page = tab.page
        for path in ("/meetings", "/meetings?when=past", "/meetings?start_from=2030-01-01"):
            await page.goto(path)
            await check(page)
        await page.goto("/meetings")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/meetings/{meeting.meeting_id}")
        await check(page)
        for key in ("e", "a", "c", "m"):
            await page.keyboard.press("Escape")
            await page.locator("h1").click()
            await page.keyboard.press(key)
            await expect(page.locator("details.act[open]")).to_have_count(1)
            await check(page)
        await page.get_by_label("Begins").fill("2030-01-07T10:00")
        await page.locator("details.act[open] form > button").click()
        await expect(page.locator("h1")).to_have_text("Move the meeting?")
        await check(page)
        await page.get_by_role("button", name="Move the meeting").click()
        await expect(page.locator(".notice").first).to_have_text("The meeting has moved.")
        await check(page)
