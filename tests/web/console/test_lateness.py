"""Lateness: what the page makes of the history, and of its absence."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pymongo

from tests.support.console import Answer, Browser, find_base, open_browser, running_console
from tests.support.console_history import add_minutes, late
from tests.support.in_process_app import RunningApp, schedule_mails
from tests.support.relay.script import Answer as Reply
from tests.support.relay.script import At
from tests.support.relay.server import Relay
from tests.support.stores import own_mongod
from tests.support.wait import until

HOSTILE = "<script>alert(1)</script>"


def rows_of(page: Answer, name: str) -> list[list[str]]:
    """Return the cells of the table below a chart, its title first."""
    [panel] = page.find(f"section[aria-labelledby=panel-{name}]")
    rows = [*panel.cssselect("thead tr"), *panel.cssselect("tbody tr")]
    return [[" ".join(cell.text_content().split()) for cell in row] for row in rows]


def row_at(rows: Sequence[Sequence[str]], clock: str) -> Sequence[str]:
    [found] = [row for row in rows if row[0].endswith(clock)]
    return found[1:]


async def test_without_figures_the_page_says_when_there_will_be_some(browser: Browser) -> None:
    page = await browser.open("/lateness")

    assert "No figures of the last 1 hour yet." in page.words
    assert not page.find("svg.chart")


async def test_charts_have_the_same_numbers_as_their_tables(
    browser: Browser, open_console: RunningApp
) -> None:
    first, second = await add_minutes(
        open_console,
        {
            "attempts": {"ACCEPTED": 100, "POLICY": 3},
            "admissions": {"created": 90, "invalid": 2},
            "lateness": late(s1=98, s20=2),
            "oldest_due": timedelta(seconds=45),
        },
        {"oldest_due": timedelta(0)},
    )

    page = await browser.open("/lateness?span=1h")

    lateness, mails = rows_of(page, "lateness"), rows_of(page, "mails")
    assert lateness[0] == ["From", "p50", "p99", "Mails"]
    assert row_at(lateness, first) == ["1 s", "21 s", "100"]
    assert row_at(lateness, second) == ["\u2013", "\u2013", "0"]
    assert mails[0] == ["From", "ACCEPTED", "POLICY"]
    assert row_at(mails, first) == ["100", "3"]
    assert row_at(rows_of(page, "admissions"), first) == ["90", "2"]
    assert row_at(rows_of(page, "oldest-due"), first) == ["45 s"]
    assert row_at(rows_of(page, "oldest-due"), second) == ["none due"]
    titles = [each.text_content() for each in page.find("svg.chart rect title")]
    assert f"{first}: p50 1 s, p99 21 s, Mails 100" in titles
    assert len(page.find("svg.chart")) == 4
    assert "promised: at most 30 s" in page.words


async def test_ten_minutes_and_hours_add_the_minutes_up(
    browser: Browser, open_console: RunningApp
) -> None:
    await add_minutes(open_console, *[{"attempts": {"ACCEPTED": 60}, "lateness": late(s1=60)}] * 5)

    for span, step in (("24h", "ten minutes"), ("7d", "one hour")):
        page = await browser.open(f"/lateness?span={span}")
        mails = sum(int(row[3]) for row in rows_of(page, "lateness")[1:])
        assert mails == 300
        assert f"each point stands for {step}" in page.words


async def test_times_are_of_the_chosen_zone_in_charts_and_tables(
    browser: Browser, open_console: RunningApp
) -> None:
    await add_minutes(open_console, {"attempts": {"ACCEPTED": 1}})
    utc = rows_of(await browser.open("/lateness"), "mails")[1][0]

    await browser.send("/view", {"zone": "browser", "browser_zone": "Asia/Kathmandu"})
    page = await browser.open("/lateness")

    [row] = [row for row in rows_of(page, "mails")[1:] if row[1] == "1"]
    hours, minutes, _ = map(int, utc[-8:].split(":"))
    there = (hours * 60 + minutes + 345) % 1440  # Nepal is 5:45 h ahead of UTC
    assert row[0].endswith(f"{there // 60:02}:{there % 60:02}:00")
    [spot, *_] = [
        each.text_content()
        for each in page.find("rect title")
        if "ACCEPTED 1" in each.text_content()
    ]
    assert row[0] in spot
    assert "Times are in Asia/Kathmandu" in page.words


async def test_names_of_a_newer_version_are_shown_and_never_markup(
    browser: Browser, open_console: RunningApp
) -> None:
    await add_minutes(open_console, {"attempts": {"POSTPONED": 4, HOSTILE: 1}})

    page = await browser.open("/lateness")

    assert rows_of(page, "mails")[0] == ["From", HOSTILE, "POSTPONED"]
    assert not page.find("main script")


async def test_an_unknown_span_is_the_hour(browser: Browser) -> None:
    page = await browser.open("/lateness?span=%3Cb%3E")

    [tab] = page.find(".tabs [aria-current]")
    assert (page.status, tab.text_content()) == (200, "1 hour")


async def test_a_page_needs_one_statement_and_reads_only_what_it_shows(
    browser: Browser, open_console: RunningApp
) -> None:
    await add_minutes(open_console, *[{"attempts": {"ACCEPTED": 60}}] * 9)
    database = open_console.resources.mongo.database
    await database.command("profile", 2)

    for _ in range(5):
        await browser.open("/lateness?span=24h")

    await database.command("profile", 0)
    found = database["system.profile"].find({"ns": f"{database.name}.history", "op": "query"})
    profiles = await found.to_list(None)
    assert len(profiles) == 1
    assert profiles[0]["docsExamined"] == profiles[0]["nreturned"] <= 2


async def test_a_refresh_without_news_is_304(browser: Browser, open_console: RunningApp) -> None:
    await add_minutes(open_console, {"attempts": {"ACCEPTED": 60}})
    first = await browser.refresh("/lateness?span=7d")

    again = await browser.refresh("/lateness?span=7d", first.headers["ETag"])

    assert (first.status, again.status) == (200, 304)


async def run_and_send(mongo: str, redis: str, relay: Relay, count: int, *, first: int) -> None:
    """Run a process that sends *count* mails, and stop it in order."""
    async with running_console(mongo=mongo, redis=redis, relay_port=relay.port) as app:
        await schedule_mails(app, count, first=first)
        events = app.resources.metrics.events
        await until(lambda: sum(events.attempts.values()) == count)


async def test_what_processes_did_is_in_the_history_after_their_end(
    mongo_uri: str, redis_url: str, relay: Relay
) -> None:
    await run_and_send(mongo_uri, redis_url, relay, 4, first=0)
    relay.script(At.RCPT, Reply(550, "5.7.1 no"))
    await run_and_send(mongo_uri, redis_url, relay, 1, first=10)

    with pymongo.MongoClient[dict[str, Any]](mongo_uri) as client:
        found = [*client.get_default_database()["history"].find({"_id": {"$regex": "^hour:"}})]
    added = {
        name: sum((Counter(each.get(name, {})) for each in found), Counter[str]())
        for name in ("attempts", "admissions", "lateness")
    }
    assert added["attempts"] == {"ACCEPTED": 4, "POLICY": 1}
    assert added["admissions"] == {"created": 5}
    assert added["lateness"].total() == 4
    assert len({process for each in found for process in each["shares"]}) == 2


async def test_while_mongodb_is_away_the_page_shows_what_it_knew(
    tmp_path: Path, redis_url: str, relay: Relay
) -> None:
    async with (
        own_mongod(tmp_path) as mongod,
        running_console(mongo=mongod.uri, redis=redis_url, relay_port=relay.port) as app,
        open_browser(find_base(app)) as browser,
    ):
        await add_minutes(app, {"attempts": {"ACCEPTED": 60}})
        await browser.open("/lateness")
        mongod.freeze()
        try:

            async def find() -> Answer | None:
                page = await browser.open("/lateness")
                return page if "which has the history, cannot be used" in page.words else None

            known = await until(find)
            unknown = await browser.open("/lateness?span=7d")
        finally:
            mongod.resume()

        assert isinstance(known, Answer)
        assert "What you see was read at" in known.words
        assert len(known.find("svg.chart")) == 1
        assert not unknown.find("svg.chart")
        assert "Processes go on counting" in unknown.words
