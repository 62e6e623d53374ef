"""A real browser: Debian's Chromium, driven by Playwright; it downloads none of its own."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.support.wait import until

PACKAGE = "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")
VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation of ${event.violatedDirective} by ${event.blockedURI}`);
});
"""
FLAGS = (
    "--headless",
    "--remote-debugging-port=0",
    # Nothing but the pages of the tests: no GPU, no sound, no services of its maker, no timers that
    # slow down where no one looks.
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-field-trial-config",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
)
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


@contextmanager
def run_chromium() -> Iterator[Path]:
    """Run a Chromium, and yield its profile, where it writes the port of its developer tools."""
    path = find_chromium()
    # A container has no namespaces for Chromium's own sandbox.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    # Its helpers end a moment after it, and write into the profile until then.
    with TemporaryDirectory(prefix="gcsched-test-", ignore_cleanup_errors=True) as folder:
        command = [path, *FLAGS, *sandbox, f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield Path(folder)
        finally:
            process.terminate()
            process.wait()


@asynccontextmanager
async def connect(profile: Path) -> AsyncIterator[Browser]:
    """Yield the Chromium that uses *profile*, for the loop that runs."""
    file = profile / "DevToolsActivePort"
    lines = await until(lambda: file.read_text().split() if file.exists() else [], within=60)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{lines[0]}")
        yield browser
        await browser.close()


@asynccontextmanager
async def open_tab(browser: Browser, **options: Any) -> AsyncIterator[Tab]:
    """Yield a tab with cookies of its own; *options* are those of Playwright's `new_context`.

    At the end no page may have violated the policy, or have logged an error.
    """
    context: BrowserContext = await browser.new_context(**options)
    try:
        await context.add_init_script(VIOLATIONS)
        tab = Tab(page=await context.new_page())
        tab.page.on("console", tab.note)
        tab.page.on("pageerror", lambda error: tab.complaints.append(f"exception: {error}"))
        yield tab
    finally:
        await context.close()
    assert tab.complaints == [], tab.complaints
