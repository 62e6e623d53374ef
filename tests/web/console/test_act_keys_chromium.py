"""The keys that lead to the form of an act, and where the focus is then, in a real browser."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from tests.support.chromium import Tab
from tests.support.console_pages import (
    FAILED,
    PLAIN_WORDS,
    UNCERTAIN,
    WAITING,
    Installed,
    ShownPage,
    open_page,
    open_tab_of,
    running_installation,
)
from tests.support.in_process_app import read_jobs
from tests.support.relay.server import Relay


class KeyOfAct(NamedTuple):
    """A key on a page; *sees* is the selector of what has the focus then."""

    page: ShownPage
    key: str
    sees: str


def on(path: str, key: str, sees: str, **fields: str) -> KeyOfAct:
    return KeyOfAct(ShownPage(path=path, fields=fields), key, sees)


def in_form(title: str) -> str:
    return f"details.act[open]:has(summary:text-is('{title}')) form :focus"


KEYS = (
    on(f"/jobs/{FAILED}", "s", "#email:focus"),
    on(f"/jobs/{FAILED}", "b", in_form("Block address…")),
    on(f"/jobs/{UNCERTAIN}", "v", in_form("Resolve…")),
    on(f"/jobs/{WAITING}", "e", "#typed:focus"),
    on("/recipients/{plain}", "e", "#typed:focus"),
    on("/suppressions", "b", in_form("Block an address…")),
    on("/suppressions/find", "u", in_form("Unblock…"), q="{email}"),
    on("/jobs", "f", "details.filter[open] form :focus"),
    on("/jobs?state=FAILED", "R", "main button:text('Retry'):focus"),
    on("/jobs?state=SCHEDULED", "C", "#reason:focus"),
    on("/", "/", "#q:focus"),
    on("/", "p", "button:text-is('Resume'):focus"),
)


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


async def test_keys_lead_to_acts_and_do_nothing(tab: Tab, installation: Installed) -> None:
    page, resources = tab.page, installation.app.resources
    before = await read_jobs(resources)

    for each in KEYS:
        await open_page(page, each.page)
        await page.keyboard.press(each.key)
        await expect(page.locator(each.sees), f"{each.page} {each.key}").to_have_count(1)

    assert await read_jobs(resources) == before
    assert await resources.mongo.runs.find_one({"_id": "pause"})  # nothing was resumed either
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Pause sending…")).to_be_visible()
    await page.keyboard.press("p")
    await expect(page.locator(in_form("Pause sending…"))).to_have_count(1)


async def test_keys_lead_to_the_employee_and_to_what_needs_someone(tab: Tab) -> None:
    page = tab.page
    await page.goto(f"/jobs/{WAITING}")
    await page.keyboard.press("o")
    await expect(page.locator("main h1")).to_contain_text("Employee")
    await page.goto("/")
    links = page.locator(".needs a")
    count = await links.count()
    for number in [*range(count), 0]:
        await page.keyboard.press("n")
        await expect(links.nth(number)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main h1")).to_have_text("Jobs")


async def test_by_mouse_forms_have_the_focus_and_a_client_filters(tab: Tab) -> None:
    page = tab.page
    await page.goto(f"/jobs/{WAITING}")
    await page.get_by_text("Cancel…").click()
    await expect(page.locator(in_form("Cancel…"))).to_have_count(1)
    await page.goto(f"/jobs/{FAILED}/again")
    await page.keyboard.type("new@example.org")  # over the address that is proposed
    await expect(page.get_by_label("Address")).to_have_value("new@example.org")
    await page.goto("/jobs?state=SCHEDULED")
    await page.locator("[data-rows]").get_by_role("link", name=PLAIN_WORDS.plain).click()
    await expect(page.locator("main")).to_contain_text("client some words")
    assert parse_qs(urlsplit(page.url).query) == {"state": ["SCHEDULED"], "client": ["some words"]}
