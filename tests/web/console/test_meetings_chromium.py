"""Meetings in a real browser: a meeting moves by keys."""

from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from tests.support.chromium import open_tab
from tests.support.console import find_base
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import ADA, BOB, create
from tests.support.service_process import scheduler_stub


async def test_a_meeting_moves_by_keys(open_console: RunningApp, own_chromium: Chromium) -> None:
    async with scheduler_stub(open_console.target) as stub:
        meeting = await create(stub, ADA, BOB)
    async with open_tab(own_chromium, base_url=find_base(open_console)) as tab:
        page = tab.page
        await page.goto("/meetings")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/meetings/{meeting.meeting_id}")
        for key in ("e", "a", "c", "m"):
            await page.keyboard.press("Escape")
            await page.locator("h1").click()
            await page.keyboard.press(key)
            await expect(page.locator("details.act[open]")).to_have_count(1)
        await page.get_by_label("Begins").fill("2030-01-07T10:00")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("Move the meeting?")
        await page.get_by_role("button", name="Move the meeting").press("Enter")
        await expect(page.locator(".notice").first).to_have_text("The meeting has moved.")
