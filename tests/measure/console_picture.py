"""Draw the first page of the console: that of `gcsched dev --demo`, shown by Chromium.

    python -m tests.measure.console_picture [PICTURE]

PICTURE is ``docs/images/console.png`` unless another file is named. Needs the Debian package
``chromium``.
"""

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import async_playwright

from tests.support.chromium import find_chromium
from tests.support.dev_program import run_dev
from tests.support.ports import free_port

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "console.png"
WIDTH, HEIGHT, SCALE = 960, 640, 2
LATER_SECONDS = (600, 1200, 1800, 86_400)


async def draw(address: str, picture: Path) -> None:
    """Write *picture* of the page at *address* once what it loads for itself is there."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"]
        )
        page = await browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE
        )
        await page.goto(address)
        await page.locator(".tile [data-part] a[href*=due]").wait_for(state="detached")
        await page.screenshot(path=picture)
        await browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, nargs="?", default=PICTURE)
    options = parser.parse_args()
    listen = f"127.0.0.1:{free_port()}"
    settings = {"GCSCHED_CONSOLE_LISTEN": listen, "GCSCHED_CONSOLE_LABEL": "staging"}
    with (
        TemporaryDirectory() as folder,
        run_dev(Path(folder), "--demo", environment=settings) as dev,
    ):
        dev.wait_for("demo done")
        for number, seconds in enumerate(LATER_SECONDS):
            dev.schedule(in_seconds=seconds, empid=f"E{number}")
        asyncio.run(draw(f"http://{listen}/", options.picture))
        dev.stop()
    print(f"wrote {options.picture} ({options.picture.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
