"""Suppressions and templates in a real browser: keys, files, and typed values in the frame."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import FilePayload, Page, expect

from tests.support.chromium import Tab, open_tab
from tests.support.console import find_base
from tests.support.console_suppressions import block, read_addresses
from tests.support.in_process_app import RunningApp
from tests.support.template_folders import a_folder

FILE = b"address,reason\nada@example.org,left\nnobody,left\nzoe@example.org,left\n"


@pytest.fixture
def console_settings(tmp_path: Path) -> dict[str, str]:
    folder = a_folder(tmp_path, bill_html="<p>{{ username }}: <b>{{ amount }}</b></p>")
    return {"templates_dir": str(folder), "test_recipients": "example.org"}


@pytest.fixture
async def tab(open_console: RunningApp, own_chromium: Chromium) -> AsyncIterator[Tab]:
    async with open_tab(own_chromium, base_url=find_base(open_console)) as tab:
        yield tab


async def import_file(page: Page) -> None:
    await page.get_by_text("Import…").click()
    file = FilePayload(name="list.csv", mimeType="text/csv", buffer=FILE)
    await page.get_by_label("CSV file").set_input_files(file)
    await page.get_by_role("button", name="Import").click()


@pytest.mark.parametrize("has_script", [True, False])
async def test_a_file_is_imported_and_exported(
    open_console: RunningApp, own_chromium: Chromium, *, has_script: bool
) -> None:
    base = find_base(open_console)
    async with open_tab(own_chromium, base_url=base, java_script_enabled=has_script) as tab:
        await tab.page.goto("/suppressions")
        await import_file(tab.page)
        await expect(tab.page.get_by_role("row", name="3 address must be")).to_be_visible()
        await tab.page.goto("/suppressions")
        async with tab.page.expect_download() as found:
            await tab.page.get_by_role("link", name="Export as CSV").click()
        text = (await (await found.value).path()).read_text("utf-8")

    assert await read_addresses(open_console) == ["ada@example.org", "zoe@example.org"]
    assert [line.partition(",")[0] for line in text.splitlines()] == [
        *("address", "ada@example.org", "zoe@example.org"),
    ]


@pytest.mark.parametrize("has_script", [True, False])
async def test_typed_values_are_in_the_frame(
    open_console: RunningApp, own_chromium: Chromium, *, has_script: bool
) -> None:
    base = find_base(open_console)
    async with open_tab(own_chromium, base_url=base, java_script_enabled=has_script) as tab:
        page, mail = tab.page, tab.page.frame_locator("iframe[name=preview]")
        await page.goto("/templates/bill")
        await page.get_by_label("amount").fill("99 € <b>")
        await page.get_by_role("button", name="Preview", exact=True).click()
        show = page.get_by_role("button", name="Show the mail with these values")
        if has_script:
            await expect(show).to_be_hidden()
        else:
            await show.click()
        await expect(mail.locator("b")).to_have_text("99 € <b>")
        await page.get_by_role("button", name="Phone").click()
        if not has_script:
            await show.click()
        await expect(mail.locator("b")).to_have_text("99 € <b>")
        width = await page.locator("iframe").evaluate("each => each.clientWidth")

    assert width <= 380


async def test_an_address_is_unblocked_by_keyboard(tab: Tab, open_console: RunningApp) -> None:
    await block(open_console, "ada@example.org")
    await block(open_console, "zoe@example.org")
    page = tab.page
    await page.goto("/")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/suppressions")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("zoe@example.org")
    await page.get_by_text("Unblock…").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator(".notice")).to_have_text("The address is not blocked any more.")

    assert await read_addresses(open_console) == ["ada@example.org"]
