"""The inbox of dev in the console: lists, one mail, its sandbox, and what suites of tests ask."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gcsched.dev.inbox import MailFolder
from tests.support.console import Browser, find_base, open_browser
from tests.support.in_process_app import RunningApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOSTILE = '<img src=x onerror=alert(1)> "quoted" & more'
JOB = "01a2309a6a5b73cf9dc4eda7c2716f1f"
MAIL = f"""Subject: {HOSTILE}
From: gcsched <no-reply@example.org>
To: Ada <ada@example.org>
Message-ID: <{JOB}@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=cut

--cut
Content-Type: text/html; charset=utf-8

<p>Hello <script>alert(1)</script><a href="https://example.org/x">more</a></p>
--cut
Content-Type: application/ics; name="invite.ics"
Content-Disposition: attachment; filename="invite.ics"

BEGIN:VCALENDAR
--cut--
"""
FIRST, SECOND = "20260701T120000.000000Z", "20260701T120001.000000Z"


@pytest.fixture
def folder(tmp_path: Path) -> MailFolder:
    (tmp_path / f"{FIRST}-ada@example.org.eml").write_text(MAIL)
    plain = f"Subject: Plain\nTo: bob@example.org\n\n{HOSTILE}\n"
    (tmp_path / f"{SECOND}-bob@example.org.eml").write_text(plain)
    return MailFolder(folder=tmp_path)


@pytest_asyncio.fixture(loop_scope="module")
async def inbox(console: RunningApp, folder: MailFolder) -> AsyncIterator[Browser]:
    """Yield a browser of a console that has the inbox of *folder*."""
    console.resources.console.show_inbox(folder)
    async with open_browser(find_base(console)) as visitor:
        yield visitor


async def test_without_an_inbox_there_is_no_such_page(visitor: Browser) -> None:
    assert (await visitor.open("/inbox")).status == 404
    assert (await visitor.open("/inbox/messages")).status == 404
    assert "Inbox" not in (await visitor.open("/")).find("nav")[0].text_content()


async def test_mails_are_listed_newest_first_and_searched(inbox: Browser) -> None:
    page, found = await inbox.open("/inbox"), await inbox.open(f"/inbox?q={JOB}")
    nothing = await inbox.open("/inbox?q=%3Cb%3Enothing")

    assert [each.text_content() for each in page.find("tbody th a bdi")] == ["Plain", HOSTILE]
    assert [each.text_content() for each in found.find("tbody th a bdi")] == [HOSTILE]
    assert found.find(f"td a[href='./jobs/{JOB}']")
    assert "No caught mail has <b>nothing" in nothing.words
    assert not page.find("main img")


async def test_a_mail_has_its_tabs_its_job_and_its_files(inbox: Browser) -> None:
    page = await inbox.open(f"/inbox/{FIRST}")
    headers = await inbox.open(f"/inbox/{FIRST}?tab=headers")
    plain = await inbox.open(f"/inbox/{SECOND}")
    file = await inbox.open(f"/inbox/{FIRST}/parts/0")

    assert [each.text_content() for each in page.find(".tabs a")] == ["HTML", "Headers", "Source"]
    assert page.find("iframe[sandbox]")[0].get("src") == f"../inbox/{FIRST}/html"
    assert page.find(f"a[href='../jobs/{JOB}']")
    assert page.find("a[download='invite.ics']")
    assert "Message-ID" in headers.words
    assert HOSTILE in plain.find("pre")[0].text_content()
    assert file.headers["Content-Type"] == "application/octet-stream"
    assert file.headers["Content-Disposition"] == "attachment"
    assert "BEGIN:VCALENDAR" in file.text


async def test_the_html_of_a_mail_is_in_its_own_sandbox(inbox: Browser) -> None:
    answer = await inbox.open(f"/inbox/{FIRST}/html")

    assert answer.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "<p>Hello" in answer.text
    for path in (f"/inbox/{SECOND}/html", f"/inbox/{FIRST}/parts/9", "/inbox/..%2f..%2fx"):
        assert (await inbox.open(path)).status == 404


async def test_suites_of_tests_wait_for_a_mail_and_delete_it(
    inbox: Browser, folder: MailFolder
) -> None:
    known = json.loads((await inbox.open("/inbox/messages?to=ADA@example.org")).text)
    none = json.loads((await inbox.open("/inbox/messages?to=eve@example.org")).text)
    waiting = asyncio.create_task(inbox.open("/inbox/messages?to=eve@example.org&wait=20"))
    mail = folder.folder / "20260701T120002.000000Z-eve@example.org.eml"
    mail.write_text("Subject: Late\nTo: eve@example.org\n\nx\n")
    while not waiting.done():
        folder.notify()
        await asyncio.wait([waiting], timeout=0.05)
    late = json.loads(waiting.result().text)
    deleted = await inbox.request("DELETE", "/inbox/messages?to=ada@example.org")
    left = json.loads((await inbox.open("/inbox/messages")).text)

    assert [(each["subject"], each["job_id"]) for each in known["messages"]] == [(HOSTILE, JOB)]
    assert none == {"messages": []}
    assert [each["subject"] for each in late["messages"]] == ["Late"]
    assert json.loads(deleted.text) == {"deleted": 1}
    assert [each["subject"] for each in left["messages"]] == ["Late", "Plain"]


async def test_delete_all_leaves_an_empty_inbox(inbox: Browser, folder: MailFolder) -> None:
    answer = await inbox.send("/inbox")
    page = await inbox.open(inbox.follow(answer, "/inbox"))

    assert "No mail was caught yet." in page.words
    assert list(folder.folder.iterdir()) == []
