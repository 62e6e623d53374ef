"""The keys in a real browser: between pages, in lists, and for the forms of acts.

Those that each page has are pressed where each page is opened: in test_pages_chromium.py.
"""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from tests.support.chromium import Tab
from tests.support.console_keys import ROWS, leave_fields, press
from tests.support.console_pages import (
    FAILED,
    PLAIN_WORDS,
    UNCERTAIN,
    WAITING,
    Installed,
    keep_many,
    open_tab_of,
    running_installation,
)
from tests.support.relay.server import Relay

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(
    shared_stores: dict[str, str], shared_relay: Relay, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Installed]:
    folder = tmp_path_factory.mktemp("installation") / "mails"
    async with running_installation(
        PLAIN_WORDS, **shared_stores, relay=shared_relay, folder=folder
    ) as installed:
        yield installed


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_tab(installation: Installed, chromium: Chromium) -> AsyncIterator[Tab]:
    async with open_tab_of(installation, chromium) as tab:
        yield tab


@pytest.fixture
def tab(shared_tab: Tab) -> Iterator[Tab]:
    """Yield the tab of the module; each test opens a page of its own in it."""
    yield shared_tab
    assert shared_tab.complaints == []


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
    async with keep_many(installation.app, 60, email="many@example.org", empid="many"):
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
    async with keep_many(installation.app, 50, empid="many"):
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
