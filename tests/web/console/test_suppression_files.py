"""Suppressions as files: what a download holds, what an import says, and that both agree."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo import MongoClient

from gcsched.dev.stores.mongod import MongodOptions
from gcsched.web.console.suppression_file import unprotect, write_row
from tests.support.console import (
    SAME_ORIGIN,
    Answer,
    Browser,
    find_base,
    open_browser,
    running_console,
)
from tests.support.console_suppressions import block, read_addresses
from tests.support.in_process_app import RunningApp
from tests.support.rows import Row
from tests.support.stores import own_mongod
from tests.support.wait import until

NOW = datetime.now(UTC).replace(microsecond=0)
INTERNAL_ERROR = 1
NEEDING_MONGODB = ("/suppressions", "/recipients/E1", "/recipients/E1/erase")
UNTIL = (NOW + timedelta(days=9)).replace(microsecond=250_000)
FORMULAS = ("=1+1", "+49 30 1", "-x", "@SUM(A1)", "'=1", "''@x", "'plain", "a=b", 'say "no", twice')


async def send_file(browser: Browser, content: str | bytes, **fields: str) -> Answer:
    form = aiohttp.FormData(fields)
    octets = content.encode() if isinstance(content, str) else content
    form.add_field("file", octets, filename="list.csv", content_type="text/csv")
    return await browser.request("POST", "/suppressions/import", data=form, **SAME_ORIGIN)


def read_counts(page: Answer) -> dict[str, int]:
    """Return the counts of the report by their titles."""
    found = {}
    for tile in page.find(".tile"):
        title, count = tile.cssselect("h2, p")
        found[title.text_content()] = int(count.text_content().replace(",", ""))
    return found


def read_refused(page: Answer) -> dict[int, str]:
    rows = [row.cssselect("th, td") for row in page.find("main tbody tr")]
    return {int(number.text_content()): why.text_content() for number, why in rows}


async def read_all(app: RunningApp) -> list[dict[str, Any]]:
    return await app.resources.mongo.suppressions.find({}, sort=[("_id", 1)]).to_list(None)


@given(cell=st.one_of(st.text(), st.text(alphabet="'=+-@\t\r\n\",;x")))
def test_any_cell_comes_back_and_none_begins_a_formula(cell: str) -> None:
    [[written, _]] = csv.reader(io.StringIO(write_row([cell, ""]), newline=""))

    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unprotect(written) == cell


async def test_an_export_has_every_address_once_and_no_cell_that_runs(
    browser: Browser, open_console: RunningApp
) -> None:
    names = sorted(f"{letter}{n:03}@example.org" for letter in "+-=a" for n in range(120))
    for name in names:
        await block(open_console, name, reason=FORMULAS[hash(name) % 4], until=UNTIL)

    answer = await browser.open("/suppressions/export")

    head, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="suppressions-')
    assert answer.headers["Cache-Control"] == "no-store"
    assert head == ["address", "reason", "until", "since", "job"]
    assert [row[0].removeprefix("'") for row in rows] == names
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@")]
    assert {row[2] for row in rows} == {UNTIL.isoformat(timespec="milliseconds")}


async def test_an_export_that_fails_does_not_end_as_if_it_were_whole(
    tmp_path: Path, redis_url: str
) -> None:
    failing = {
        "failCommands": ["find"],
        "namespace": "gcsched.suppressions",
        "errorCode": INTERNAL_ERROR,
    }
    options = MongodOptions(parameters={"enableTestCommands": "1"})
    async with (
        own_mongod(tmp_path, options) as server,
        running_console(mongo=server.uri, redis=redis_url) as app,
        open_browser(find_base(app)) as browser,
    ):
        for number in range(401):
            await block(app, f"a{number:03}@example.org")
        whole = await browser.open("/suppressions/export")
        with MongoClient[Row](server.uri) as driver:
            point = {"configureFailPoint": "failCommand", "mode": {"skip": 2}, "data": failing}
            driver.admin.command(point)
        with pytest.raises(aiohttp.ClientError):
            await browser.open("/suppressions/export")
        refused = await browser.open("/suppressions/export")

    assert len(whole.text.splitlines()) == 402
    assert refused.status == 503


async def test_while_mongodb_is_away_an_import_says_what_is_left_and_goes_on_later(
    tmp_path: Path, redis_url: str
) -> None:
    async with (
        own_mongod(tmp_path) as server,
        running_console(mongo=server.uri, redis=redis_url) as app,
        open_browser(find_base(app)) as browser,
    ):
        server.freeze()
        try:
            interrupted = await send_file(browser, "a@example.org,x\nb@example.org,x\nnobody,x\n")
            pages = [await browser.open(path) for path in NEEDING_MONGODB]
            templates = await browser.open("/templates/doc")
        finally:
            server.resume()

        async def repeat() -> Answer | None:
            page = await send_file(browser, "a@example.org,x\nb@example.org,x\n")
            return None if "Not looked at" in page.words else page

        await until(repeat)
        added = await read_addresses(app)

    assert "Import not finished" in interrupted.words
    assert read_counts(interrupted) == {
        "Lines": 3,
        "Blocked now": 0,
        "Blocked before, unchanged": 0,
        "Refused": 1,
        "Not looked at": 2,
    }
    assert [each.status for each in pages] == [503] * len(NEEDING_MONGODB)
    assert templates.status == 200
    assert added == ["a@example.org", "b@example.org"]


async def test_what_was_exported_comes_back_the_same(
    browser: Browser, open_console: RunningApp
) -> None:
    for number, reason in enumerate(FORMULAS):
        await block(open_console, f"={number}@example.org", reason=reason, until=UNTIL)
    exported = (await browser.open("/suppressions/export")).text
    before = await read_all(open_console)
    await open_console.resources.mongo.suppressions.delete_many({})

    report = await send_file(browser, exported)

    after = await read_all(open_console)
    kept = ("_id", "reason", "until")
    assert [[each[k] for k in kept] for each in after] == [[e[k] for k in kept] for e in before]
    assert read_counts(report)["Blocked now"] == len(FORMULAS)


async def test_the_words_of_a_relay_that_are_too_long_for_a_reason_come_back_shortened(
    browser: Browser, open_console: RunningApp
) -> None:
    await block(open_console, "a@example.org", reason="x" * 600)
    exported = (await browser.open("/suppressions/export")).text
    await open_console.resources.mongo.suppressions.delete_many({})

    await send_file(browser, exported)

    [found] = await read_all(open_console)
    assert found["reason"] == "x" * 255 + "…"


async def test_each_bad_line_is_named_and_the_counts_are_those_of_the_lines(
    browser: Browser, open_console: RunningApp
) -> None:
    await block(open_console, "there@example.org", reason="before", until=UNTIL)
    lines = (
        "address,reason,until",
        "new@example.org,left,2999-01-01",
        "there@example.org,other,2999-01-01",
        "",
        "nobody,left,",
        "late@example.org,left,2001-01-01T00:00:00Z",
        '"multi@example.org","two\nlines",',
        "no-reason@example.org,,",
        "when@example.org,left,soon",
        "NEW@example.org,again,",
        "",
    )

    report = await send_file(browser, "\r\n".join(lines))

    assert report.status == 200
    assert read_counts(report) == {
        "Lines": 8,
        "Blocked now": 1,
        "Blocked before, unchanged": 2,
        "Refused": 5,
    }
    refused = read_refused(report)
    assert list(refused) == [5, 6, 8, 9, 10]
    assert "address must be one e-mail address" in refused[5]
    assert "until must be in the future" in refused[6]
    assert "reason must not contain line breaks" in refused[8]
    assert "reason must have 1 to 256 characters" in refused[9]
    assert "until must be a date and a time" in refused[10]
    found = {each["_id"]: each["reason"] for each in await read_all(open_console)}
    assert found == {"new@example.org": "left", "there@example.org": "before"}


async def test_a_repeated_import_is_the_same_import(
    browser: Browser, open_console: RunningApp
) -> None:
    content = "".join(f"a{number}@example.org,left\n" for number in range(30))

    first = await send_file(browser, content)
    before = await read_all(open_console)
    second = await send_file(browser, content)

    assert read_counts(first)["Blocked now"] == 30
    assert read_counts(second) == {
        "Lines": 30,
        "Blocked now": 0,
        "Blocked before, unchanged": 30,
        "Refused": 0,
    }
    assert await read_all(open_console) == before


@pytest.mark.parametrize(
    "content",
    [
        "ada@example.org\nzoe@example.org\n",
        "\ufeffEmail;Name\r\nada@example.org;Ada\r\nzoe@example.org;Zoë, the second",
        "name,e-mail\nx,ada@example.org\ny,zoe@example.org",
    ],
)
async def test_lists_of_others_are_read_with_one_reason_for_all(
    browser: Browser, open_console: RunningApp, content: str
) -> None:
    report = await send_file(browser, content, default_reason="from the old system")

    assert read_counts(report)["Blocked now"] == 2
    assert {each["reason"] for each in await read_all(open_console)} == {"from the old system"}
    assert await read_addresses(open_console) == ["ada@example.org", "zoe@example.org"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no line with an address"),
        (b"address,reason\n\n", "has no line with an address"),
        (b"\xff\xfea", "is not UTF-8"),
        (b'"a@example.org', "is not CSV"),
        (b"a@example.org\n" * 2_001, "has 2,001 lines, at most 2,000 are imported"),
    ],
)
async def test_a_file_that_cannot_be_used_changes_nothing(
    browser: Browser, open_console: RunningApp, content: bytes, problem: str
) -> None:
    page = await send_file(browser, content)

    assert page.status == 400
    assert problem in page.find("details[open] #file-problem")[0].text_content()
    assert await read_addresses(open_console) == []


async def test_a_file_that_is_too_large_is_refused(browser: Browser) -> None:
    page = await send_file(browser, b"x" * (512 * 1024 + 1))

    assert page.status == 413


@pytest.mark.parametrize("content_type", ["text/csv", "multipart/form-data; boundary=x"])
async def test_what_is_no_form_is_refused(browser: Browser, content_type: str) -> None:
    page = await browser.request(
        "POST",
        "/suppressions/import",
        data=b"a@example.org",
        Content_Type=content_type,
        **SAME_ORIGIN,
    )

    assert page.status == 400
