"""Suppressions and templates in a real browser: keys, files, and typed values in the frame."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import FilePayload, Page, expect

from tests.support.chromium import Tab, open_tab
from tests.support.console import find_base
from tests.support.console_suppressions import block, read_addresses
from tests.support.in_process_app import RunningApp
from tests.support.template_folders import a_folder

FILE = b"address,reason\nada@example.org,left\nnobody,left\nzoe@example.org,left\n"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def shared_settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = a_folder(
        tmp_path_factory.mktemp("settings"), bill_html="<p>{{ username }}: <b>{{ amount }}</b></p>"
    )
    return {"templates_dir": str(folder), "test_recipients": "example.org"}


@pytest_asyncio.fixture(loop_scope="module")
async def tab(console: RunningApp, chromium: Chromium) -> AsyncIterator[Tab]:
    async with open_tab(chromium, base_url=find_base(console)) as tab:
        yield tab


async def import_file(page: Page) -> None:
    await page.get_by_text("Import…").click()
    file = FilePayload(name="list.csv", mimeType="text/csv", buffer=FILE)
    await page.get_by_label("CSV file").set_input_files(file)
    await page.get_by_role("button", name="Import").click()


@pytest.mark.parametrize("has_script", [True, False])
async def test_a_file_is_imported_and_exported(
    console: RunningApp, chromium: Chromium, *, has_script: bool
) -> None:
    base = find_base(console)
    async with open_tab(chromium, base_url=base, java_script_enabled=has_script) as tab:
        await tab.page.goto("/suppressions")
        await import_file(tab.page)
        await expect(tab.page.get_by_role("row", name="3 address must be")).to_be_visible()
        await tab.page.goto("/suppressions")
        async with tab.page.expect_download() as found:
            await tab.page.get_by_role("link", name="Export as CSV").click()
        text = (await (await found.value).path()).read_text("utf-8")

    assert await read_addresses(console) == ["ada@example.org", "zoe@example.org"]
    assert [line.partition(",")[0] for line in text.splitlines()] == [
        *("address", "ada@example.org", "zoe@example.org"),
    ]


@pytest.mark.parametrize("has_script", [True, False])
async def test_typed_values_are_in_the_frame(
    console: RunningApp, chromium: Chromium, *, has_script: bool
) -> None:
    base = find_base(console)
    async with open_tab(chromium, base_url=base, java_script_enabled=has_script) as tab:
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


async def test_an_address_is_unblocked_by_keyboard(tab: Tab, console: RunningApp) -> None:
    await block(console, "ada@example.org")
    await block(console, "zoe@example.org")
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

    assert await read_addresses(console) == ["ada@example.org"]
