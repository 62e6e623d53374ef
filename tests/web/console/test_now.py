"""Now: tiles, what needs an operator, the acts, and what is left while both stores are away."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gcsched.pb import task_pb2
from tests.support.console import (
    Answer,
    Browser,
    ConsoleClients,
    find_base,
    open_browser,
    running_console,
)
from tests.support.in_process_app import RunningApp
from tests.support.relay.script import Answer as Reply
from tests.support.relay.script import At
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, a_meet, scheduler_stub
from tests.support.stores import own_mongod, own_valkey
from tests.support.wait import until

HOSTILE = '5.7.1 <img src=x onerror=alert(1)> "no" & never'
DAILY = 0


@pytest.fixture
async def stub(open_console: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(open_console.target) as stub:
        yield stub


def tile(page: Answer, title: str) -> str:
    [found] = [each for each in page.find(".tile") if each[0].text_content() == title]
    return " ".join(found.text_content().split()).removeprefix(title).strip()


def needs(page: Answer) -> list[str]:
    return [" ".join(each.text_content().split()) for each in page.find(".needs li")]


async def open_until(browser: Browser, words: str, path: str = "/") -> Answer:
    """Open the page until it has *words*."""

    async def find() -> Answer | None:
        page = await browser.open(path)
        return page if words in page.words else None

    found = await until(find)
    assert isinstance(found, Answer)
    return found


async def test_without_a_job_the_page_says_how_to_make_one(browser: Browser) -> None:
    page = await open_until(browser, "Nothing needs you.")

    assert "No job yet." in page.words
    assert tile(page, "Sending") == "yes"
    assert tile(page, "Oldest due") == "none due"
    assert tile(page, "Lateness, five minutes").startswith("no mail")
    assert "gcsched schedule --to" in page.find(".empty code")[0].text_content()


async def test_the_count_of_the_hour_comes_for_itself_and_then_stays(
    browser: Browser, stub: Stub
) -> None:
    await stub.ScheduleMeet(a_meet(timestamp=DAILY))
    before = await open_until(browser, "QUEUED 1")
    part = await browser.open("/now-due")
    after = await browser.open("/")

    [place] = before.find("[hx-get=now-due][data-part]")
    assert place.get("hx-trigger") == "load"
    assert part.find("p.value")[0].text_content() in {"0", "1"}  # the daily run may be near
    assert not part.find("html head")
    assert not after.find("[hx-get]:not(#live)")
    assert (await browser.open("/?due=1")).status == 200


async def test_what_failed_needs_someone_and_links_to_it(
    browser: Browser, stub: Stub, relay: Relay
) -> None:
    relay.script(At.RCPT, Reply(550, HOSTILE))
    await stub.ScheduleMeet(a_meet())

    page = await open_until(browser, "FAILED that were due")

    [line] = [each for each in needs(page) if "FAILED" in each]
    assert line == "✕ 1 FAILED that were due in the last hour"
    [link] = page.find(".needs a[href='./jobs?state=FAILED']")
    assert link.text_content() == "1 FAILED"


async def test_lateness_is_shown_once_a_mail_was_sent(browser: Browser, stub: Stub) -> None:
    await stub.ScheduleMeet(a_meet())

    page = await open_until(browser, "p50 / p99 of 1 mails here")

    value = tile(page, "Lateness, five minutes").split()
    assert re.fullmatch(r"[0-9.e-]+", value[0])
    assert page.find("a[href='./jobs?state=SENT'] .state.sent")


async def test_pausing_needs_a_reason_and_is_in_the_audit(browser: Browser, stub: Stub) -> None:
    empty = await browser.send("/pause", {"by": "eva", "reason": ""})
    paused = await browser.send("/pause", {"by": "eva", "reason": HOSTILE})
    page = await browser.open(browser.follow(paused, "/pause"))

    assert empty.status == 400
    assert empty.find("details.act[open] #pause-reason-problem")
    assert "Sending is paused." in page.words
    assert tile(page, "Sending") == "no it is paused"
    assert not page.find("form[action='./pause']")
    assert not page.find("#bands img")
    entries = (await stub.ListAudit(task_pb2.ListAuditRequest())).entries
    assert [(each.method, each.via) for each in entries] == [("PauseSending", "console")]


async def test_the_daily_queue_runs_after_its_number_was_shown(
    browser: Browser, stub: Stub
) -> None:
    await stub.ScheduleMeet(a_meet(timestamp=DAILY))
    asked = await browser.open("/daily")
    answer = await browser.send("/daily")
    done = await browser.open(browser.follow(answer, "/daily"))

    assert "1 job waits for the daily run." in asked.words
    assert "1 job is due now." in done.words
    assert "No job waits for the daily run." in done.words
    entries = (await stub.ListAudit(task_pb2.ListAuditRequest())).entries
    assert [(each.method, each.via, each.count) for each in entries] == [
        ("RunDailyQueue", "console", 1)
    ]
    assert "are due now" not in (await browser.open("/daily?moved=1e9")).words


async def test_acts_are_shown_only_to_those_who_may_do_them(
    stranger: Browser, clients: ConsoleClients
) -> None:
    await stranger.log_in(clients.tokens["read"])
    reader = await stranger.open("/")
    await stranger.log_in(clients.tokens["admin"])
    admin = await stranger.open("/")

    assert not reader.find(".acts form, .acts a")
    assert len(admin.find("form[action='./pause']")) == len(admin.find(".acts a")) == 1
    assert not admin.find("#pause-by")  # the login says who
    assert "access is not controlled" not in admin.find("header")[0].text_content()


async def test_a_token_that_expires_soon_needs_someone(
    stranger: Browser, clients: ConsoleClients
) -> None:
    await stranger.log_in(clients.tokens["read"])
    before = await stranger.open("/")
    soon = datetime.now(UTC) + timedelta(days=3)
    clients.tokens["read"] = replace(
        clients.tokens["read"], lines=(f"expires = {soon:%Y-%m-%dT%H:%M:%SZ}",)
    )
    clients.give("read", ["read"])

    page = await open_until(stranger, "The last token of read expires soon")

    assert not [each for each in needs(before) if "token" in each]
    assert "gcsched token new read" in page.words


async def test_a_relay_that_is_down_needs_someone(mongo_uri: str, redis_url: str) -> None:
    async with (
        running_console(mongo=mongo_uri, redis=redis_url, relay_port=9) as app,
        open_browser(find_base(app)) as browser,
    ):
        page = await open_until(browser, "Relay 127.0.0.1:9")

        assert page.find(".needs a[href='./relays']")
        relays = await browser.open("/relays")
        assert "127.0.0.1:9 ✕" in relays.words
        assert "refused" in relays.find("dd")[1].text_content()


async def test_the_page_tells_the_truth_while_both_stores_are_away(
    tmp_path: Path, relay: Relay
) -> None:
    async with (
        own_mongod(tmp_path) as mongod,
        own_valkey(tmp_path) as valkey,
        running_console(mongo=mongod.uri, redis=valkey.uri, relay_port=relay.port) as app,
        open_browser(find_base(app)) as browser,
    ):
        before = await open_until(browser, "Nothing needs you.")
        assert "cannot be used" not in before.words
        mongod.freeze()
        valkey.freeze()
        try:
            page = await open_until(browser, "Redis cannot be used")
            page = await open_until(browser, "MongoDB cannot be used")

            assert tile(page, "Sending") == "no MongoDB cannot be used"
            assert tile(page, "Due within the hour") == "not known MongoDB cannot be used"
            assert len(needs(page)) >= 2
            assert "Not known now: FAILED jobs of the last hour." in page.words
            assert "Nothing needs you." not in page.words
            assert (await browser.open("/relays")).status == 200
            assert (await browser.open("/daily")).status == 503
        finally:
            mongod.resume()
            valkey.resume()
