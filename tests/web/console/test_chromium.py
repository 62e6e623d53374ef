"""The frame in a real browser: keys, refreshes, and switches."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from gcsched.pb import task_pb2
from tests.support.chromium import Tab, open_tab
from tests.support.console import ConsoleClients, find_base
from tests.support.in_process_app import RunningApp
from tests.support.service_process import scheduler_stub

pytestmark = pytest.mark.asyncio(loop_scope="module")
REASON = 'the relay moves <img src=x onerror="document.title=1">'


@pytest_asyncio.fixture(loop_scope="module")
async def tab(console: RunningApp, chromium: Chromium) -> AsyncIterator[Tab]:
    """Yield a tab in front of a console without logins."""
    base = find_base(console)
    async with open_tab(chromium, base_url=base, timezone_id="Europe/Berlin") as tab:
        yield tab


async def pause(app: RunningApp) -> None:
    async with scheduler_stub(app.target) as stub:
        await stub.PauseSending(task_pb2.PauseSendingRequest(by="eva", reason=REASON))


async def open_with_still_clock(page: Page) -> None:
    """Open the first page; its timers run when the test says so."""
    await page.clock.install()
    await page.goto("/")
    await page.clock.pause_at(datetime.now(UTC) + timedelta(seconds=2))


async def test_a_page_refreshes_itself_and_keeps_what_it_shows_when_that_fails(
    tab: Tab, console: RunningApp
) -> None:
    page = tab.page
    await open_with_still_clock(page)
    await pause(console)
    await page.clock.run_for(5_000)

    await expect(page.locator(".band.paused")).to_contain_text("by eva since")
    await expect(page.locator(".band.paused")).to_contain_text(REASON)
    await expect(page.locator("#bands img")).to_have_count(0)
    await page.clock.run_for(2_000)  # so that the next refresh has not begun
    await expect(page.locator("[data-age-text]")).to_have_text(re.compile(r"^updated [2-7] s ago$"))

    await page.route("**/*", lambda route: route.abort())
    await page.clock.run_for(5_000)
    await expect(page.locator("#refresh-problem")).to_have_text(
        "Could not refresh: the service does not answer"
    )
    await expect(page.locator("#live")).to_have_class("stale")
    await page.unroute_all()
    await page.clock.run_for(5_000)
    await expect(page.locator("#refresh-problem")).to_be_hidden()
    # What Chromium and htmx note about a request that fails.
    known = ("ERR_FAILED", "htmx:")
    tab.complaints[:] = [each for each in tab.complaints if not any(map(each.__contains__, known))]


async def test_a_page_is_silent_while_refreshing_is_paused_or_its_tab_is_hidden(tab: Tab) -> None:
    page, asked = tab.page, list[str]()
    await open_with_still_clock(page)
    page.on(
        "request",
        lambda sent: asked.append(sent.url) if sent.resource_type == "xhr" else None,
    )
    await page.get_by_role("button", name="Pause refreshing").click()
    await page.clock.run_for(20_000)
    assert asked == []
    async with page.expect_response("**/"):
        await page.get_by_role("button", name="Go on refreshing").click()
    assert len(asked) == 1

    await page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    await page.clock.run_for(20_000)
    assert len(asked) == 1


IN_USE = """() => {
  const live = document.getElementById("live");
  live.innerHTML = '<table><tr><td><input type="checkbox" aria-label="x"></td></tr></table>';
}"""


async def test_a_part_that_is_about_to_be_used_is_not_replaced(tab: Tab) -> None:
    page, asked = tab.page, list[str]()
    await open_with_still_clock(page)
    await page.evaluate(IN_USE)
    page.on("request", lambda sent: asked.append(sent.resource_type))
    await page.get_by_label("x").check()
    await page.mouse.move(0, 0)
    await page.locator("h1").click()
    await page.clock.run_for(20_000)
    assert "xhr" not in asked

    await page.get_by_label("x").uncheck()
    await page.mouse.move(0, 0)
    await page.clock.run_for(5_000)
    assert "xhr" not in asked  # the box has the focus
    await page.evaluate("document.activeElement.blur()")
    await page.clock.run_for(5_000)
    await expect(page.get_by_label("x")).to_have_count(0)


async def test_keys_lead_to_pages_and_are_silent_in_fields(
    stranger_tab: Tab, shared_clients: ConsoleClients
) -> None:
    page = stranger_tab.page
    await page.goto("/keys")
    await page.keyboard.type("g?n")
    assert await page.input_value("#token") == "g?n"
    await page.fill("#token", shared_clients.tokens["read"].text)
    await page.keyboard.press("Enter")
    await expect(page.locator("main h1")).to_have_text("Keys")

    await page.keyboard.type("\"'\\][<é7xjkr")
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#help")).to_be_hidden()
    await page.keyboard.press("g")
    await page.keyboard.press("n")
    await expect(page.locator("main h1")).to_have_text("Now")


@pytest_asyncio.fixture(loop_scope="module")
async def stranger_tab(locked_console: RunningApp, chromium: Chromium) -> AsyncIterator[Tab]:
    """Yield a tab in front of a console with logins."""
    async with open_tab(chromium, base_url=find_base(locked_console)) as tab:
        yield tab


async def test_keys_that_are_switched_off_do_nothing(tab: Tab) -> None:
    page = tab.page
    await page.goto("/keys")
    await page.locator("main").get_by_role("button", name="Switch them off").click()
    await expect(page.locator("main")).to_contain_text("Keys are off in this browser")
    await page.keyboard.press("?")
    await page.keyboard.press("g")
    await page.keyboard.press("n")

    await expect(page.locator("#help")).to_be_hidden()
    await expect(page.locator("main h1")).to_have_text("Keys")


async def test_the_zone_of_the_browser_can_be_chosen(tab: Tab, console: RunningApp) -> None:
    page = tab.page
    await pause(console)
    await page.goto("/")
    await page.get_by_label("Time zone").select_option("browser")
    await expect(page.locator("#bands time")).to_have_attribute(
        "title", re.compile(r"\+0[12]:00 \(Europe/Berlin\)$")
    )
    await page.get_by_label("Theme").select_option("dark")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
