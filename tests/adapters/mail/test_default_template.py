"""The markup of gcsched's own template, parsed as a mail client does.

`python -m tests.measure.mail_rendering` shows it in a browser.
"""

import pytest

from gcsched.adapters.mail.template_folder import default_folder
from gcsched.adapters.mail.templates import Templates
from tests.support.html_pages import Page, find_inherited_styles, read_styles
from tests.support.template_folders import sample_variables

VALUES = {
    "username": "שם",
    "message": "רשת",
    "empid": "עובד",
    "email": "דואר@example.org",
    "job_id": "0123456789abcdef",
}


@pytest.fixture(scope="module")
def page() -> Page:
    parsed = Page()
    parsed.feed(Templates.load(default_folder()).render("doc", sample_variables(**VALUES)).html)
    return parsed


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
    inherited = find_inherited_styles(around)
    assert read_styles(innermost_table)["table-layout"] == "fixed"
    # Each client supports another one of these properties.
    assert inherited["overflow-wrap"] == "anywhere"
    assert inherited["word-wrap"] == inherited["word-break"] == "break-word"


def test_the_page_itself_is_english_and_left_to_right(page: Page) -> None:
    _, attributes = page.around_text("This message was sent automatically")[0]

    assert (attributes["lang"], attributes["dir"]) == ("en", "ltr")
