"""Every page in a real browser: hostile words, accessibility, width.

The oracle for hostile words is the same page with harmless ones: it must have the same elements.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser as Chromium

from gcsched.web.console.routes import ROUTES
from tests.support.chromium import Tab
from tests.support.console_pages import (
    HOSTILE_WORDS,
    PAGES,
    PLAIN_WORDS,
    ShownPage,
    Words,
    is_like,
    open_page,
    open_tab_of,
    running_installation,
)
from tests.support.relay.server import Relay
from tests.support.stores import Databases, flush, with_number

PARTS = 2
"""So many tests share the pages, which workers do at the same time."""
TITLES = ("1", "2", "3")
"""What the scripts in hostile texts would make of the title of a page."""
AXE = Axe().axe_script
SKELETON = """() => [...document.querySelectorAll("*")].map(
  (each) => `${each.localName} ${each.getAttributeNames().filter(
    (name) => !["class", "data-etag"].includes(name)).sort()}`)"""
"""The two names that are left out come and go with each refresh."""
REFRESH = """async () => {
  const live = document.querySelector("[data-live]");
  if (live !== null) {
    const settled = new Promise((done) => live.addEventListener("htmx:afterRequest", done));
    htmx.trigger(live, "refresh");
    await settled;
  }
  for (const each of document.querySelectorAll("details")) each.open = true;
}"""
OVERFLOW = "document.documentElement.scrollWidth - innerWidth"
DARK = "document.documentElement.dataset.theme = 'dark'"
RUN = """([colours]) => axe.run({
  resultTypes: ["violations"], iframes: false, ...(colours ? {runOnly: colours} : {}),
}).then(({violations}) => violations.flatMap(
  (each) => each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 200)}`)))"""
"""Frames are left out: they show mails, which are not ours to mend."""
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe that look at colours: the only ones for which the theme makes a difference."""


def take_complaints(tab: Tab, status: int) -> list[str]:
    """Return what the page has complained about; Chromium notes each page that is an error."""
    found = [each for each in tab.complaints if f"status of {status}" not in each]
    tab.complaints.clear()
    return found


async def read_skeletons(
    tab: Tab, pages: Sequence[ShownPage], words: Words
) -> dict[str, list[str]]:
    """Return the elements of each page, after its refresh, with their attributes' names."""
    found = {}
    for shown in pages:
        response = await open_page(tab.page, shown, words)
        await tab.page.evaluate(REFRESH)
        found[str(shown)] = [f"status {response.status}", *await tab.page.evaluate(SKELETON)]
        take_complaints(tab, response.status)
    return found


def compare(shown: ShownPage, found: list[str], harmless: list[str]) -> list[str]:
    """Return a problem with what differs, if the elements are others than with harmless words."""
    if shown.moves:
        found, harmless = sorted(set(found)), sorted(set(harmless))
    more, fewer = Counter(found) - Counter(harmless), Counter(harmless) - Counter(found)
    return [] if found == harmless else [f"more elements {more}, fewer {fewer}, or another order"]


async def find_problems(
    tab: Tab, pages: Sequence[ShownPage], words: Words, skeletons: dict[str, list[str]]
) -> list[str]:
    """Open each page, light, dark and narrow; return all that is wrong with them."""
    page, problems = tab.page, list[str]()
    for shown in pages:
        response = await open_page(page, shown, words)
        await page.evaluate(REFRESH)
        found = [f"status {response.status}"] if response.status != shown.status else []
        skeleton = [f"status {response.status}", *await page.evaluate(SKELETON)]
        found += compare(shown, skeleton, skeletons[str(shown)])
        if await page.title() in TITLES:
            found.append("ran a hostile script")
        await page.evaluate(AXE)
        found += await page.evaluate(RUN, [None])
        await page.evaluate(DARK)
        found += [f"dark: {each}" for each in await page.evaluate(RUN, [COLOURS])]
        await page.set_viewport_size({"width": 400, "height": 800})
        if await page.evaluate(OVERFLOW) > 0:
            found.append("is wider than 400 px")
        await page.set_viewport_size({"width": 1280, "height": 800})
        found += take_complaints(tab, response.status)
        problems += [f"{shown}: {each}" for each in found]
    return problems


@pytest.fixture
def stores(
    databases: Databases, redis_server: str, redis_numbers: Iterator[int]
) -> Iterator[list[dict[str, str]]]:
    """Return the stores of two installations."""
    with databases.lend() as first, databases.lend() as second:
        numbers = [with_number(redis_server, next(redis_numbers)) for _ in range(2)]
        for each in numbers:
            flush(each)
        yield [
            {"mongo": mongo, "redis": redis}
            for mongo, redis in zip((first, second), numbers, strict=True)
        ]


@pytest.mark.parametrize("part", range(PARTS))
async def test_no_page_has_a_violation_or_an_element_of_a_hostile_text(
    stores: list[dict[str, str]], relay: Relay, own_chromium: Chromium, tmp_path: Path, part: int
) -> None:
    pages, folder = PAGES[part::PARTS], tmp_path / "mails"
    plain, hostile = stores
    async with (
        running_installation(PLAIN_WORDS, **plain, relay=relay, folder=folder) as one,
        open_tab_of(one, own_chromium) as tab,
    ):
        skeletons = await read_skeletons(tab, pages, PLAIN_WORDS)
    async with (
        running_installation(HOSTILE_WORDS, **hostile, relay=relay, folder=folder) as other,
        open_tab_of(other, own_chromium, color_scheme="light") as tab,
    ):
        problems = await find_problems(tab, pages, HOSTILE_WORDS, skeletons)

    assert not problems, "\n".join(problems)


def test_each_page_of_the_table_is_in_the_list() -> None:
    """Fragments and files are parts of pages, and what is for suites of tests is none."""
    others = {"/static/{name}", "/jobs-count", "/now-due", "/inbox/messages", "/jobs/{id}/mail"}
    others |= {"/inbox/{id}/html", "/inbox/{id}/parts/{number}"}
    others |= {"/suppressions/export", "/meetings/{id}/calendar", "/templates/{name}/mail"}
    shown = {each.path.partition("?")[0] for each in PAGES}
    missing = [
        route.path
        for route in ROUTES
        if route.method == "GET"
        and route.path not in others
        and not any(is_like(path, route.path) for path in shown)
    ]

    assert missing == []
