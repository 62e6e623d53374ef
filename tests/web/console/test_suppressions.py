"""Suppressions: the list, the exact search, blocking and unblocking, and what an operator sees."""

from datetime import UTC, datetime, timedelta

import pytest

from gcsched.domain.suppression import Suppression
from tests.support.console import Browser, ConsoleClients
from tests.support.console_jobs import HOSTILE
from tests.support.console_suppressions import block, read_addresses
from tests.support.in_process_app import RunningApp
from tests.support.wait import until

NOW = datetime.now(UTC).replace(microsecond=0)
ADA = "ada@example.org"


async def test_an_empty_list_says_when_it_will_not_be(browser: Browser) -> None:
    page = await browser.open("/suppressions")

    assert "No address is blocked." in page.words
    assert "for 30 days, when a relay refuses it because it does not exist" in page.words


async def test_a_row_says_why_by_which_job_and_until_when(
    browser: Browser, open_console: RunningApp
) -> None:
    refusal = "550 5.1.1 at RCPT: User unknown"
    job_id = "0197a3a1b2c34d5e8f9012345678abcd"
    await block(open_console, "gone@example.org", reason=refusal, job_id=job_id)
    await block(open_console, ADA, reason="asked for it")

    page = await browser.open("/suppressions")

    first, second = (" ".join(each.text_content().split()) for each in page.find("main tbody tr"))
    assert first.startswith(f"{ADA} asked for it by hand")
    assert second.startswith(f"gone@example.org {refusal} 0197a3a1…78abcd")
    assert page.find(f"a[href='./jobs/{job_id}']")
    assert "in 10 d" in second


async def test_a_page_has_fifty_and_no_address_of_a_page_has_an_address(
    browser: Browser, open_console: RunningApp
) -> None:
    names = [f"a{number:03}@example.org" for number in range(120)]
    for each in names:
        await block(open_console, each)
    shown, page = list[str](), await browser.open("/suppressions")
    while True:
        shown += [each.text_content().strip() for each in page.find("tbody button")]
        tokens = page.find("input[name=page]")
        if not tokens:
            break
        page = await browser.send("/suppressions/pages", {"page": tokens[0].get("value")})

    assert shown == names
    assert not page.find("[href*='@'], [action*='@']")


@pytest.mark.parametrize("spelling", [ADA, "ADA@Example.ORG", " ada@example.org "])
async def test_a_search_finds_the_address_in_any_spelling(
    browser: Browser, open_console: RunningApp, spelling: str
) -> None:
    await block(open_console, ADA, reason="left in May")

    page = await browser.send("/suppressions/find", {"q": spelling})

    assert "blocked gets no mail until" in page.words
    assert "Why left in May By an operator or a client" in page.words


async def test_a_search_for_another_says_that_mails_are_sent(browser: Browser) -> None:
    page = await browser.send("/suppressions/find", {"q": ADA})

    assert page.status == 200
    assert "This address is not blocked." in page.words


async def test_what_is_no_address_is_marked_at_the_field(browser: Browser) -> None:
    page = await browser.send("/suppressions/find", {"q": "ada at example"})

    assert page.status == 400
    assert page.find("#q[aria-invalid]")
    assert "must be one e-mail address" in page.find("#q-problem")[0].text_content()


async def test_an_address_is_blocked_until_the_time_in_the_zone_of_the_form(
    browser: Browser, open_console: RunningApp
) -> None:
    until = (NOW + timedelta(days=3)).replace(hour=12, minute=0, second=0)
    fields = {
        "email": ADA,
        "reason": " on leave ",
        "until": f"{until:%Y-%m-%dT%H:%M}",
        "zone": "Asia/Kolkata",
    }

    page = await browser.send("/suppressions/add", fields)

    document = await open_console.resources.mongo.suppressions.find_one({"_id": ADA})
    assert document is not None
    assert document["until"].replace(tzinfo=UTC) == until - timedelta(hours=5, minutes=30)
    assert (document["reason"], document["job_id"]) == ("on leave", "")
    assert "The address is blocked: it gets no mail." in page.words


async def test_a_form_that_is_refused_is_open_with_what_was_filled_in(browser: Browser) -> None:
    fields = {"email": ADA, "reason": "", "until": "2020-01-01T00:00", "zone": "UTC"}

    page = await browser.send("/suppressions/add", fields)

    assert page.status == 400
    [form] = page.find("details[open] form")
    assert [each.get("value") for each in form.cssselect("input")][1:] == [
        *(ADA, "", "2020-01-01T00:00"),
    ]
    assert "must have 1 to 256 characters" in form.text_content()
    assert "must be in the future" in form.text_content()


async def test_unblocking_removes_what_the_page_showed_and_nothing_newer(
    browser: Browser, open_console: RunningApp
) -> None:
    await block(open_console, ADA)
    shown = await browser.send("/suppressions/find", {"q": ADA})
    form = {name: shown.find(f".acts input[name={name}]")[0].get("value") for name in FIELDS}
    await block(open_console, ADA, until=NOW + timedelta(days=100))

    changed = await browser.send("/suppressions/remove", form)
    shown = await browser.send("/suppressions/find", {"q": ADA})
    form = {name: shown.find(f".acts input[name={name}]")[0].get("value") for name in FIELDS}
    removed = await browser.send("/suppressions/remove", form)
    again = await browser.send("/suppressions/remove", form)

    assert "It has changed since this form was opened" in changed.words
    assert "The address is not blocked any more." in removed.words
    assert "It was not blocked any more." in again.words
    assert await read_addresses(open_console) == []


FIELDS = ("email", "seen")


@pytest.fixture
def clients(clients: ConsoleClients) -> ConsoleClients:
    clients.add("read", "operate", name="eva")
    return clients


async def test_each_act_is_in_the_audit_with_its_client(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients
) -> None:
    await stranger.log_in(clients.tokens["eva"])
    await stranger.send("/suppressions/add", {"email": ADA, "reason": "no", "zone": "UTC"})
    shown = await stranger.send("/suppressions/find", {"q": ADA})
    form = {name: shown.find(f".acts input[name={name}]")[0].get("value") for name in FIELDS}
    await stranger.send("/suppressions/remove", form)

    entries = await closed_console.resources.mongo.audit.find({}).to_list(None)

    found = [(each["who"], each["via"], each["act"], each["changed"]) for each in entries]
    assert found == [
        ("eva", "console", "AddSuppression", 1),
        ("eva", "console", "RemoveSuppression", 1),
    ]


async def test_hostile_texts_are_text(browser: Browser, open_console: RunningApp) -> None:
    hostile = '"<img/src=x>"@example.org'
    await block(open_console, hostile, reason=HOSTILE, job_id="x")

    page = await browser.open("/suppressions")
    one = await browser.send("/suppressions/find", {"q": hostile})

    for each in (page, one):
        assert not each.find("main img, main script, main [hx-get='/x']")
        assert hostile in each.words


async def test_the_page_refreshes_its_list(browser: Browser, open_console: RunningApp) -> None:
    async def find_unchanged() -> str:
        """Return the ETag once the page stays the same: after a start a band may come and go."""
        etag = (await browser.refresh("/suppressions")).headers["ETag"]
        return etag if (await browser.refresh("/suppressions", etag)).status == 304 else ""

    etag = await until(find_unchanged)
    await block(open_console, ADA)
    other = await browser.refresh("/suppressions", etag)

    assert other.status == 200
    assert ADA in other.text


async def test_a_block_that_is_over_is_not_shown(
    browser: Browser, open_console: RunningApp
) -> None:
    over = Suppression(
        address=ADA,
        reason="",
        job_id="",
        create_time=NOW - timedelta(days=2),
        expire_time=NOW - timedelta(seconds=1),
    )
    await block(open_console, over.address, until=over.expire_time)

    assert "No address is blocked." in (await browser.open("/suppressions")).words
