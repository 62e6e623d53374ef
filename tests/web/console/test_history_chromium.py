"""Lateness, Audit and Clients in a real browser: no violation of the policy or of accessibility."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser as Chromium

from tests.support.chromium import find_violations, open_tab
from tests.support.console import ConsoleClients, find_base
from tests.support.in_process_app import RunningApp
from tests.web.console import test_audit, test_lateness

LIMITS = 'limits = { jobs_per_day = 200, jobs_waiting = 10, templates = ["doc"] }'


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_pages_with_hostile_words_have_no_violation(
    closed_console: RunningApp, clients: ConsoleClients, own_chromium: Chromium, theme: str
) -> None:
    hostile = test_audit.HOSTILE
    await test_lateness.add_minutes(
        closed_console,
        {
            "attempts": {"ACCEPTED": 90, "POLICY": 1, test_lateness.HOSTILE: 2},
            "admissions": {"created": 90, "limited": 4},
            "lateness": test_lateness.late(s1=88, s20=2),
            "oldest_due": timedelta(seconds=45),
        },
        {"attempts": {"ACCEPTED": 7}, "lateness": test_lateness.late(s1=7)},
    )
    await test_audit.add(closed_console, 1, details=hostile, method="RetryJobs")
    clients.add("schedule", name="payroll", lines=(f'note = "{hostile}"', LIMITS))
    async with open_tab(
        own_chromium, base_url=find_base(closed_console), color_scheme=theme
    ) as tab:
        page = tab.page
        await page.goto("/")
        await page.get_by_label("Token").fill(clients.tokens["admin"].text)
        await page.locator("main").get_by_role("button", name="Log in").click()
        for path in ("/lateness", "/lateness?span=7d", "/audit", "/audit?client=no", "/clients"):
            for width in (1280, 400):
                await page.set_viewport_size({"width": width, "height": 800})
                await page.goto(path)
                for summary in await page.locator("details.numbers > summary").all():
                    await summary.click()
                assert await find_violations(page) == [], path
                overflow = "document.documentElement.scrollWidth - innerWidth"
                assert await page.evaluate(overflow) <= 0, (path, width)
                assert await page.locator("main img, main script").count() == 0
