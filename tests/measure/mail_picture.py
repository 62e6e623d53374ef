"""Draw a mail as its reader sees it: made by the service's composer, shown by Chromium.

    python -m tests.measure.mail_picture [PICTURE]

PICTURE is ``docs/images/mail.png`` unless another file is named. Above the mail stand its own
headers. Needs Chromium, and Roboto for the same letters: the Debian packages ``chromium`` and
``fonts-roboto-unhinted``.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from gcsched.adapters.mail.composer import Composer
from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from tests.measure.mail_rendering import SCHEMES, run_browser
from tests.support.builders import a_job

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "images" / "mail.png"
SCALE = 2
PAGE = """<!DOCTYPE html>
<meta charset="utf-8">
<style>
  body { margin: 0; font: 14px/22px Roboto, Helvetica, Arial, sans-serif; color: #566272; }
  main { width: WIDTHpx; box-sizing: border-box; overflow: hidden; }
  main { border: 1px solid #d3dae2; border-radius: 10px; }
  header { padding: 18px 28px 16px; border-bottom: 1px solid #dbe1e8; }
  h1 { margin: 0 0 8px; font-size: 18px; line-height: 26px; }
  h1, b { font-weight: 500; color: #151b23; }
  p { margin: 0; }
  span { display: inline-block; width: 48px; }
  @media (prefers-color-scheme: dark) {
    body { background: #101317; color: #a9b4c2; }
    main, header { border-color: #2d3641; }
    h1, b { color: #f1f4f8; }
  }
  iframe { display: block; width: 100%; border: 0; }
</style>
<main>
<header><h1>SUBJECT</h1><p><span>From</span>FROM</p><p><span>To</span>TO</p></header>
<iframe srcdoc="HTML"></iframe>
</main>
<pre id="height" hidden></pre>
<script>
  const frame = document.querySelector("iframe"), main = document.querySelector("main");
  frame.addEventListener("load", () => {
    frame.height = frame.contentDocument.documentElement.scrollHeight;
    const overflow = frame.contentDocument.documentElement.scrollWidth - frame.clientWidth;
    document.getElementById("height").textContent = `${main.offsetHeight} ${overflow}`;
  });
</script>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the reader has: a color scheme, and a window of *width* pixels."""

    scheme: str = "light"
    width: int = 640


def a_mail() -> EmailMessage:
    """Compose the mail of the picture, and parse it as a mail client would."""
    composer = Composer(
        templates=Templates.load(default_folder()),
        sender_email="people@example.org",
        sender_name="People Team",
        timezone=ZoneInfo("Europe/Berlin"),
    )
    job = a_job(
        id="019b90a6e2c37d5b8a9b0c1d2e3f4a5b",
        empid="E1815",
        email="ada@example.org",
        name="Ada Lovelace",
        message="Interview on Friday at 10:00, room 4.2",
    )
    return message_from_bytes(composer.compose(job).content, EmailMessage, policy=SMTP)


def page_of(mail: EmailMessage, view: View) -> str:
    body = mail.get_body(("html",))
    if body is None:
        sys.exit("the mail has no HTML part")
    texts = {
        "SUBJECT": escape(mail["Subject"]),
        "FROM": mailbox(mail, "From"),
        "TO": mailbox(mail, "To"),
        "HTML": escape(body.get_content()),
        "WIDTH": f"{view.width}",
    }
    return re.sub("SUBJECT|FROM|TO|HTML|WIDTH", lambda found: texts[found[0]], PAGE)


def mailbox(mail: EmailMessage, header: str) -> str:
    (address,) = mail[header].addresses
    return f"<b>{escape(address.display_name)}</b> &lt;{escape(address.addr_spec)}&gt;"


def draw(mail: EmailMessage, picture: Path, view: View) -> int:
    """Write *picture*, as high as the mail; return by how many pixels it is wider than its window.

    The height depends on the fonts, so the page reports it before the picture is taken.
    """
    scheme = f"--blink-settings=preferredColorScheme={SCHEMES[view.scheme]}"
    with TemporaryDirectory() as folder:
        page = Path(folder) / "mail.html"
        page.write_text(page_of(mail, view), "utf-8")
        seen = run_browser(page, "--dump-dom", f"--window-size={view.width},800", scheme)
        found = re.search(r'id="height" hidden="">(\d+) (-?\d+)<', seen)
        if found is None:
            sys.exit("the browser did not show the page")
        picture.parent.mkdir(parents=True, exist_ok=True)
        run_browser(
            page,
            f"--screenshot={picture.resolve()}",
            f"--window-size={view.width},{found[1]}",
            f"--force-device-scale-factor={SCALE}",
            scheme,
        )
    return int(found[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, nargs="?", default=PICTURE)
    options = parser.parse_args()
    draw(a_mail(), options.picture, View())
    print(f"wrote {options.picture} ({options.picture.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
