"""The keys in a real browser: on each page, in lists, and for the forms of acts."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from tests.support.chromium import Tab
from tests.support.console_pages import (
    FAILED,
    PAGES,
    PLAIN_WORDS,
    UNCERTAIN,
    WAITING,
    Installed,
    keep_many,
    open_page,
    open_tab_of,
    running_installation,
)
from tests.support.relay.server import Relay

SHOWN = [each for each in PAGES if each.status == 200 and "tab=" not in each.path]
ROWS = "[data-rows] tbody tr"


@pytest.fixture
async def installation(
    mongo_uri: str, redis_url: str, relay: Relay, tmp_path: Path
) -> AsyncIterator[Installed]:
    async with running_installation(
        PLAIN_WORDS, mongo=mongo_uri, redis=redis_url, relay=relay, folder=tmp_path / "mails"
    ) as installed:
        yield installed


@pytest.fixture
async def tab(installation: Installed, own_chromium: Chromium) -> AsyncIterator[Tab]:
    async with open_tab_of(installation, own_chromium) as tab:
        yield tab


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def leave_fields(page: Page) -> None:
    """Leave what has the focus: keys are silent in fields and dialogs."""
    await page.evaluate("document.activeElement.blur()")


async def test_each_page_has_the_keys_of_all_pages(tab: Tab) -> None:
    page = tab.page
    for shown in SHOWN:
        await open_page(page, shown)
        await leave_fields(page)
        await press(page, "?")
        await expect(page.locator("#help"), str(shown)).to_be_visible()
        await press(page, "g", "j", "Escape")
        await expect(page.locator("#help"), str(shown)).to_be_hidden()
        await leave_fields(page)  # the closed list keeps the focus until the next frame
        if await page.locator(ROWS).count():
            await check_rows(page)
        has_search = await page.locator("[data-search]").count()
        await press(page, "/")
        if has_search:
            await expect(page.locator("[data-search]"), str(shown)).to_be_focused()
        else:
            await expect(page.locator("main h1"), str(shown)).to_have_text("Jobs")


async def check_rows(page: Page) -> None:
    """Walk over the rows of the page's list, and back to the first one."""
    rows = page.locator(ROWS)
    last = await rows.count() - 1
    await press(page, "j")
    await expect(rows.first).to_have_class("chosen")
    await expect(rows.first.locator("a, button").first).to_be_focused()
    await press(page, *["j"] * (last + 1))
    await expect(rows.last).to_have_class("chosen")
    await press(page, *["k"] * last)
    await expect(rows.first).to_have_class("chosen")


async def test_g_leads_to_each_page_of_the_navigation(tab: Tab) -> None:
    page = tab.page
    await page.goto("/keys")
    links = await page.locator("header nav a").evaluate_all(
        "found => found.map(each => [each.dataset.key, each.href])"
    )
    assert len(links) >= 4
    assert len({key for key, _ in links}) == len(links)
    for key, address in links:
        await page.goto("/keys")
        await press(page, "g", key)
        await expect(page).to_have_url(address)


async def test_a_row_is_opened_with_enter(tab: Tab) -> None:
    page = tab.page
    for path in ("/jobs", "/inbox", "/"):
        await page.goto(path)
        link = await page.locator(f"{ROWS} a").first.evaluate("each => each.href")
        await press(page, "j", "Enter")
        await expect(page).to_have_url(link)


async def test_brackets_turn_the_pages_of_a_list(tab: Tab, installation: Installed) -> None:
    page = tab.page
    await keep_many(installation.app, 60, email="many@example.org", empid="many")
    await page.goto("/jobs?empid=many")
    await turn_pages(page)
    await page.get_by_label("Find a job").fill("many@example.org")
    await press(page, "Enter")
    await expect(page.locator("main")).to_contain_text("60 jobs in all")
    await leave_fields(page)
    await turn_pages(page)


async def turn_pages(page: Page) -> None:
    rows = page.locator(ROWS)
    await expect(rows).to_have_count(50)
    await press(page, "]")
    await expect(rows).to_have_count(10)
    await press(page, "[")
    await expect(rows).to_have_count(50)


async def test_x_ticks_rows_and_c_opens_the_form_for_them(
    tab: Tab, installation: Installed
) -> None:
    page = tab.page
    await page.goto("/jobs")
    await press(page, "x", "c", "r")
    await expect(page.locator("main h1")).to_have_text("Jobs")  # nothing is chosen or ticked
    await press(page, "j", "x", "j", "x", "x", "j", "x")
    await expect(page.locator("[data-tick-count]")).to_have_text("2 ticked")
    await press(page, "c")
    await expect(page.locator("main h1")).to_have_text("Cancel 2 jobs")
    assert urlsplit(page.url).path == "/jobs-ticked/cancel"
    await page.goto("/jobs")
    await press(page, "j", "x", "r")
    await expect(page.locator("main h1")).to_have_text("Retry 1 job")
    assert await installation.app.resources.mongo.jobs.count_documents({"version": {"$gt": 5}}) == 0


async def test_all_rows_of_a_page_are_ticked_and_stay_while_the_page_refreshes(
    tab: Tab, installation: Installed
) -> None:
    page = tab.page
    await keep_many(installation.app, 50, empid="many")
    await page.goto("/jobs?empid=many")
    await page.get_by_label("All rows of this page").check()
    await expect(page.locator("[data-tick-count]")).to_have_text("50 ticked")
    await page.locator(f"{ROWS} input").first.uncheck()
    await expect(page.get_by_label("All rows of this page")).not_to_be_checked()
    await page.get_by_role("button", name="Cancel ticked…").click()
    await expect(page.locator("main h1")).to_have_text("Cancel 49 jobs")


@pytest.mark.parametrize(
    ("key", "job_id", "title"),
    [
        *(("r", FAILED, "Retry…"), ("r", UNCERTAIN, "Retry…")),
        *(("c", WAITING, "Cancel…"), ("m", WAITING, "Move…")),
    ],
)
async def test_a_key_opens_the_form_of_an_act_and_does_nothing(
    tab: Tab, installation: Installed, key: str, job_id: str, title: str
) -> None:
    page = tab.page
    before = await installation.app.resources.mongo.jobs.find_one({"_id": job_id})
    await page.goto(f"/jobs/{job_id}")
    await press(page, key)
    opened = page.locator("details.act[open]")
    await expect(opened.locator("summary")).to_have_text(title)
    await expect(opened.locator(":focus")).to_have_count(1)
    await press(page, "Escape")
    await expect(opened).to_have_count(0)
    assert await installation.app.resources.mongo.jobs.find_one({"_id": job_id}) == before
