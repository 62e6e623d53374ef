"""Relays: what the page says of a relay that takes mails, refuses them, and of its certificate."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.console import Answer, Browser, find_base, open_browser, running_console
from tests.support.in_process_app import RunningApp
from tests.support.ports import free_port
from tests.support.relay.script import Answer as Reply
from tests.support.relay.script import At
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.wait import until

HOSTILE = '5.7.1 <script>alert(1)</script> "\u202eno" & <b>never</b>'


@pytest.fixture
async def stub(open_console: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(open_console.target) as stub:
        yield stub


async def open_until(browser: Browser, words: str) -> Answer:
    async def find() -> Answer | None:
        page = await browser.open("/relays")
        return page if words in page.words else None

    found = await until(find)
    assert isinstance(found, Answer)
    return found


async def test_a_relay_is_shown_with_its_sessions_its_extensions_and_its_attempts(
    browser: Browser, stub: Stub, relay: Relay
) -> None:
    await stub.ScheduleMeet(a_meet())

    page = await open_until(browser, "ACCEPTED taken 1")

    assert f"127.0.0.1:{relay.port} ✓ up" in page.words
    assert "none: sessions are not encrypted" in page.words
    assert {each.text_content() for each in page.find("dd code")} >= {"PIPELINING", "SMTPUTF8"}
    assert "no limit set" in page.words
    assert "process" in page.words


async def test_refusals_are_counted_by_their_words_which_are_never_markup(
    browser: Browser, stub: Stub, relay: Relay
) -> None:
    relay.script(At.RCPT, Reply(550, HOSTILE))
    for number in range(2):
        await stub.ScheduleMeet(a_meet(number))

    page = await open_until(browser, "POLICY refused by a rule 2")

    table = page.find("main table")[-1]
    [row] = table.cssselect("tbody tr")
    cells = [" ".join(each.text_content().split()) for each in row]
    assert cells[0].startswith("550 5.7.1 at RCPT: <script>alert(1)</script>")
    assert (cells[1], cells[2]) == ("POLICY", "2")
    assert not page.find("main script, main b bdi, main bdi b")


async def test_a_relay_that_cannot_be_reached_says_when_it_is_checked_next(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    closed = free_port()
    async with (
        running_console(
            mongo=mongo_uri,
            redis=redis_url,
            relay_port=closed,
            fallback_smtp_host="127.0.0.1",
            fallback_smtp_port=str(relay.port),
            fallback_smtp_security="none",
        ) as app,
        open_browser(find_base(app)) as browser,
    ):
        page = await open_until(browser, "Next check")
        sections = {each.cssselect("h2")[0].text_content(): each for each in page.find(".relay")}

    [failing] = [each for name, each in sections.items() if f":{closed} " in name]
    [working] = [each for name, each in sections.items() if f":{relay.port} " in name]
    facts = dict(
        zip(
            (each.text_content() for each in failing.cssselect("dt")),
            failing.cssselect("dd"),
            strict=True,
        )
    )
    [time] = facts["Next check"].cssselect("time")
    ahead = datetime.fromisoformat(time.get("datetime")) - datetime.now(UTC)
    assert timedelta(minutes=-1) < ahead < timedelta(minutes=10)
    assert "Next check" not in working.text_content()


async def test_the_certificate_of_a_relay_is_shown_with_its_end(
    mongo_uri: str, redis_url: str
) -> None:
    async with (
        Relay(security="tls") as relay,
        running_console(
            mongo=mongo_uri,
            redis=redis_url,
            relay_port=relay.port,
            smtp_security="tls",
            smtp_ca_file=str(relay.ca_file),
        ) as app,
        open_browser(find_base(app)) as browser,
    ):
        page = await open_until(browser, "Certificate until")

        assert page.find("dd time[datetime$='+00:00']")
