"""The markup of gcsched's own template, parsed as a mail client does.

`python -m tests.measure.mail_rendering` shows it in a browser.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from tests.support.template_folders import sample_variables

VOID = {"meta", "br", "img", "hr", "link", "input"}
VALUES = {
    "username": "שם",
    "message": "רשת",
    "empid": "עובד",
    "email": "דואר@example.org",
    "job_id": "0123456789abcdef",
}


@dataclass(eq=False)
class Page(HTMLParser):
    """The texts of a page, each with the elements around it, outermost first."""

    around: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[tuple[str, list[tuple[str, dict[str, str]]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.around.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.around.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((data, list(self.around)))

    def around_text(self, text: str) -> list[tuple[str, dict[str, str]]]:
        in_body = [(data, around) for data, around in self.texts if "body" in dict(around)]
        (found,) = [around for data, around in in_body if text in data]
        return found


@pytest.fixture(scope="module")
def page() -> Page:
    parsed = Page()
    parsed.feed(Templates.load(default_folder()).render("doc", sample_variables(**VALUES)).html)
    return parsed


def styles(attributes: dict[str, str]) -> dict[str, str]:
    pairs = (each.partition(":") for each in attributes.get("style", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


@pytest.mark.parametrize("name", ["username", "message", "empid", "email"])
def test_texts_of_a_caller_have_the_direction_of_their_first_character(
    page: Page, name: str
) -> None:
    _, attributes = page.around_text(VALUES[name])[-1]

    assert attributes["dir"] == "auto"


@pytest.mark.parametrize("name", VALUES)
def test_a_text_without_a_space_is_broken_and_widens_no_table(page: Page, name: str) -> None:
    around = page.around_text(VALUES[name])

    innermost_table = [attributes for tag, attributes in around if tag == "table"][-1]
    inherited: dict[str, str] = {}
    for _, attributes in around:
        inherited |= styles(attributes)
    assert styles(innermost_table)["table-layout"] == "fixed"
    # Each client supports another one of these properties.
    assert inherited["overflow-wrap"] == "anywhere"
    assert inherited["word-wrap"] == inherited["word-break"] == "break-word"


def test_the_page_itself_is_english_and_left_to_right(page: Page) -> None:
    _, attributes = page.around_text("This message was sent automatically")[0]

    assert (attributes["lang"], attributes["dir"]) == ("en", "ltr")
