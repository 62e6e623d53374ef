"""A real browser: Debian's Chromium, driven by Playwright; it downloads none of its own."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright

PACKAGE = "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")
VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation of ${event.violatedDirective} by ${event.blockedURI}`);
});
"""
EXPECTED = (
    "Failed to load resource: the server responded with a status of 401",
    "Blocked script execution in",
)
"""What Chromium notes of an answer without a login, and of a mail's script in its sandbox."""


def find_chromium() -> str:
    """Return the path of Chromium; skip the test without it, or fail where CI=true."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return found
    problem = f"needs a real browser: apt-get install {PACKAGE}"
    if os.environ.get("CI") == "true":
        pytest.fail(problem)
    pytest.skip(problem)


@dataclass(kw_only=True)
class Tab:
    """A tab, and what its pages have complained about."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(EXPECTED):
            self.complaints.append(f"{message.type}: {message.text}")


@asynccontextmanager
async def open_tab(**options: Any) -> AsyncIterator[Tab]:
    """Yield a tab of a new browser; *options* are those of Playwright's `new_context`.

    At the end no page may have violated the policy, or have logged an error.
    """
    path = find_chromium()
    async with async_playwright() as playwright:
        # A container has no namespaces for Chromium's own sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = await playwright.chromium.launch(executable_path=path, args=arguments)
        try:
            context: BrowserContext = await browser.new_context(**options)
            await context.add_init_script(VIOLATIONS)
            tab = Tab(page=await context.new_page())
            tab.page.on("console", tab.note)
            tab.page.on("pageerror", lambda error: tab.complaints.append(f"exception: {error}"))
            yield tab
        finally:
            await browser.close()
    assert tab.complaints == [], tab.complaints
