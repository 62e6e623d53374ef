"""Render the default template in Chromium: narrow and wide, light and dark, in both directions.

    python -m tests.measure.mail_rendering PICTURES --json docs/measurements/looks.json

Each mail is rendered in a frame as wide as a mail client's pane. No frame may scroll sideways, and
texts that begin with Arabic or Hebrew must be set right to left. One PNG per color scheme is
written to the folder PICTURES. Needs Chromium: the Debian package ``chromium``.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from tempfile import TemporaryDirectory

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.template_variables import Variables
from gcsched.adapters.mail.templates import Templates
from tests.measure.delivery import run_metadata

WIDTHS = (320, 375, 600)
HEIGHT = 560
SCHEMES = {"light": "1", "dark": "0"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MEASURE_SCRIPT = """
const measure = frame => {
  const page = frame.contentDocument, heading = page.querySelector("h1");
  const style = frame.contentWindow.getComputedStyle(heading);
  const name = page.querySelector("p span");
  return {
    name: frame.name, width: frame.clientWidth, scrolls: page.documentElement.scrollWidth,
    direction: style.direction, align: style.textAlign,
    name_direction: name && frame.contentWindow.getComputedStyle(name).direction,
  };
};
window.addEventListener("load", () => {
  document.getElementById("seen").textContent =
    JSON.stringify([...document.querySelectorAll("iframe")].map(measure));
});
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSample:
    """A person and a message, and the direction in which the message must be set."""

    username: str
    message: str
    email: str = "zoe@example.org"
    empid: str = "E-17"
    direction: str = "ltr"


MAIL_SAMPLES = {
    "plain": MailSample(username="Zoë O'Neil", message="Interview on Friday at three, room 4.2"),
    "no name": MailSample(username="", message="Interview on Friday", empid=""),
    "arabic": MailSample(
        username="سارة العلي",
        message="مقابلة يوم الجمعة في الساعة 15:00 (room 4.2)",
        direction="rtl",
    ),
    "hebrew": MailSample(
        username="דנה כהן",
        message="15:00: ראיון ביום שישי, חדר 4.2",
        empid="עובד-17",
        direction="rtl",
    ),
    "mixed": MailSample(username="דנה כהן", message="Meet דנה כהן on Friday!"),
    "unbroken": MailSample(
        username="W" * 256,
        message="https://example.org/" + "a" * 400,
        email="x" * 64 + "@" + "long." * 35 + "example",
        empid="M" * 128,
    ),
    "unbroken rtl": MailSample(
        username="ש" * 256, message="ש" * 400, empid="ש" * 128, direction="rtl"
    ),
    "cjk": MailSample(username="山田太郎" * 20, message="金曜日の面接" * 30),
}


def render_page(sample: MailSample) -> str:
    variables = Variables(
        username=sample.username,
        message=sample.message,
        email=sample.email,
        empid=sample.empid,
        due=datetime(2027, 1, 5, 9, tzinfo=UTC),
        job_id="4f1c62d89b3e4a0f8a5d7c1e2b6f9034",
    )
    return Templates.load(default_folder()).render("doc", variables).html


def page_of_frames() -> str:
    """Return a page with a frame for each sample and width."""
    shown = "".join(
        f'<iframe name="{name}" width="{width}" height="{HEIGHT}" frameborder="0"'
        f' srcdoc="{escape(render_page(sample))}"></iframe>'
        for name, sample in MAIL_SAMPLES.items()
        for width in WIDTHS
    )
    style = f"body {{ margin: 0; background: gray; width: {sum(WIDTHS) + 30}px }}"
    return (
        f'<!DOCTYPE html><meta charset="utf-8"><style>{style}</style>'
        f"<script>{MEASURE_SCRIPT}</script>{shown}<pre id=seen></pre>"
    )


def run_browser(page: Path, *options: str) -> str:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"none of {', '.join(BROWSERS)} is installed; Debian: apt-get install chromium")
    with TemporaryDirectory() as profile:
        usual = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
        where = (f"--user-data-dir={profile}", page.as_uri())
        done = subprocess.run(
            [browser, *usual, *options, *where], capture_output=True, text=True, check=True
        )
    return done.stdout


def find_faults(seen: list[dict[str, object]]) -> list[str]:
    found = [
        f"{each['name']} at {each['width']} px: scrolls to {each['scrolls']} px"
        for each in seen
        if each["scrolls"] != each["width"]
    ]
    found += [
        f"{each['name']}: is set {each['direction']}"
        for each in seen
        if each["direction"] != MAIL_SAMPLES[str(each["name"])].direction
    ]
    return found


def render_in_browser(pictures: Path) -> list[dict[str, object]]:
    pictures.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        page = Path(folder) / "looks.html"
        page.write_text(page_of_frames(), "utf-8")
        dom = run_browser(page, "--dump-dom")
        for scheme, number in SCHEMES.items():
            run_browser(
                page,
                f"--screenshot={pictures / scheme}.png",
                f"--window-size={sum(WIDTHS) + 30},{len(MAIL_SAMPLES) * (HEIGHT + 5)}",
                f"--blink-settings=preferredColorScheme={number}",
            )
    found = re.search(r'<pre id="seen">(.+?)</pre>', dom, re.DOTALL)
    if found is None:
        sys.exit("the browser did not run the page")
    seen: list[dict[str, object]] = json.loads(unescape(found[1]))
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    seen = render_in_browser(options.pictures)
    figures = {
        "surroundings": {
            **run_metadata(),
            "command": "python -m tests.measure.mail_rendering PICTURES",
        },
        "faults": find_faults(seen),
        "seen": seen,
    }
    print(json.dumps(figures, indent=1))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(1 if figures["faults"] else 0)


if __name__ == "__main__":
    main()
