"""The keys that each page of the console has, pressed in a real browser."""

from playwright.async_api import Page

from tests.support.console_pages import ShownPage

ROWS = "[data-rows] tbody tr"
STATE = """() => ({
  help: document.getElementById("help").open,
  rows: [...document.querySelectorAll("[data-rows] tbody tr")].map(
    (each) => [each.className, each.contains(document.activeElement)]),
  hasSearch: document.querySelector("[data-search]") !== null,
  isSearching: document.activeElement.matches("[data-search]"),
  ledTo: window.ledTo,
})"""
"""Keys are done with when their events are, so there is nothing to wait for."""


STAY = """() => navigation.addEventListener("navigate", (event) => {
  window.ledTo = new URL(event.destination.url).pathname;
  event.preventDefault();
}, {once: true})"""
"""Keeps the next key from opening another page, which would take as long as to open this one."""


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def leave_fields(page: Page) -> None:
    """Leave what has the focus: keys are silent in fields and dialogs."""
    await page.evaluate("document.activeElement.blur()")


async def check_keys(page: Page, shown: ShownPage) -> None:
    """Open and close the list of keys, walk over the rows, and go to the search."""
    await leave_fields(page)
    await press(page, "?")
    assert (await page.evaluate(STATE))["help"], shown
    await press(page, "g", "j", "Escape")
    await leave_fields(page)  # the closed list keeps the focus until the next frame
    state = await page.evaluate(STATE)
    assert not state["help"], shown
    if state["rows"]:
        await check_rows(page, shown, len(state["rows"]))
    if not state["hasSearch"]:
        await page.evaluate(STAY)
    await press(page, "/")
    state = await page.evaluate(STATE)
    assert state["isSearching"] if state["hasSearch"] else state["ledTo"] == "/jobs", shown


async def check_rows(page: Page, shown: ShownPage, count: int) -> None:
    """Walk over the rows of the page's list, and back to the first one."""

    async def is_chosen(number: int) -> bool:
        rows = (await page.evaluate(STATE))["rows"]
        return list(rows) == [
            ["chosen", True] if n == number else ["", False] for n in range(count)
        ]

    await press(page, "j")
    assert await is_chosen(0), shown
    await press(page, *["j"] * (count + 1))
    assert await is_chosen(count - 1), shown
    await press(page, *["k"] * (count - 1))
    assert await is_chosen(0), shown
