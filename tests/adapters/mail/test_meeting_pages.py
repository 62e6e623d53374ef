"""The markup of the built-in templates for meetings, parsed as a mail client does.

`python -m tests.measure.meeting_pictures` shows them in a browser.
"""

import re
from typing import Any

import pytest
from msgspec import structs

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.domain.meeting import Person
from tests.support.html_pages import Element, Page, find_inherited_styles, read_styles
from tests.support.invitations import INTERVIEW
from tests.support.mail_trees import a_composer
from tests.support.meeting_mails import KINDS, a_meeting_job

SHOWN = {
    "summary": "כותרת",
    "location": "חדר",
    "description": "תיאור",
    "reason": "סיבה",
    "organizer": Person("people@example.org", "מארגן"),
}
EARLIER = {"summary": "קודם", "location": "ישן", "description": "אחר", "url": "https://x.example/a"}
TEXTS = {
    "invitation": {"כותרת", "חדר", "תיאור", "מארגן", "שם", "עובד", "דואר"},
    "update": {"כותרת", "חדר", "תיאור", "מארגן", "שם", "עובד", "דואר", "קודם", "ישן", "אחר"},
    "reminder": {"כותרת", "חדר", "תיאור", "מארגן", "שם", "עובד", "דואר"},
    "removal": {"כותרת", "סיבה", "מארגן", "שם", "עובד", "דואר"},
    "cancellation": {"כותרת", "חדר", "סיבה", "מארגן", "שם", "עובד", "דואר"},
}
LAYOUT = {"outer", "inset", "headline"}
"""Classes without a color."""


def draw_page(kind: str) -> tuple[str, Page]:
    mail: dict[str, Any] = {}
    if kind == "update":
        mail = {"earlier": structs.replace(INTERVIEW, **EARLIER)}
    job = a_meeting_job(
        kind,
        job={"name": "שם", "empid": "עובד", "email": "דואר@example.org"},
        mail=mail,
        **SHOWN,
    )
    html = a_composer().render(job).html
    page = Page()
    page.feed(html)
    return html, page


def find_texts(page: Page, word: str) -> list[list[Element]]:
    """Return the elements around each text of the body that has *word*."""
    return [around for text, around in page.texts if word in text and "body" in dict(around)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_text_has_its_direction_and_widens_no_table(kind: str) -> None:
    html, page = draw_page(kind)

    hebrew = set(re.findall(r"[\u05d0-\u05ea]+", html))
    assert hebrew == TEXTS[kind]
    for word in hebrew:
        for around in find_texts(page, word):
            assert "auto" in {each.get("dir") for _, each in around[-2:]}, word
            innermost_table = [each for tag, each in around if tag == "table"][-1]
            assert read_styles(innermost_table)["table-layout"] == "fixed"
            inherited = find_inherited_styles(around)
            assert inherited["overflow-wrap"] == "anywhere"
            assert inherited["word-wrap"] == inherited["word-break"] == "break-word"


@pytest.mark.parametrize("kind", KINDS)
def test_each_page_is_complete_english_and_for_dark_screens_too(kind: str) -> None:
    html, page = draw_page(kind)

    assert page.around == []
    (_, attributes), *_ = find_texts(page, "sent automatically")[0]
    assert (attributes["lang"], attributes["dir"]) == ("en", "ltr")
    style = html.partition("<style>\n")[2].partition("</style>")[0]
    dark = style.partition("prefers-color-scheme: dark")[2]
    for names in set(re.findall(r'class="([^"]+)"', html.partition("<body")[2])):
        for name in set(names.split()) - LAYOUT:
            assert f".{name} " in dark, name


def test_what_is_struck_out_is_what_no_longer_holds() -> None:
    found = {}
    for kind in KINDS:
        _, page = draw_page(kind)
        found[kind] = {
            text for text, around in page.texts if "s" in {tag for tag, _ in around} and text
        }

    when = "Wednesday, 6 January 2027, 14:00-14:45 (Europe/Berlin, UTC+1)"
    before = "Tuesday, 5 January 2027, 09:00-09:45 (Europe/Berlin, UTC+1)"
    assert found == {
        "invitation": set(),
        "update": {"קודם", before, "ישן", "אחר", "https://x.example/a"},
        "reminder": set(),
        "removal": set(),
        "cancellation": {when, "חדר"},
    }


def test_the_built_in_pages_have_one_look() -> None:
    heads = []
    for name in ("doc", "invitation", "update", "cancellation", "reminder"):
        source = (default_folder() / f"{name}.html").read_text("utf-8")
        head = source.partition("</head>")[0]
        lines = [line for line in head.splitlines() if not re.search(r"\.(note|link) ", line)]
        heads.append(re.sub(r"<title>.*</title>|, a(?= \{)", "", "\n".join(lines)))

    assert len(set(heads)) == 1
