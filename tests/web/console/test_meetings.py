"""The list of meetings: its rows, its filters and pages, and what it shows to whom."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gcsched.pb import task_pb2
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.console_meetings import WAITING, create_as, keep_past_meeting, read_words
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import ADA, BOB, EVE, an_attendee, create, in_utc
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until


@pytest.fixture
def console_settings() -> dict[str, str]:
    return {"timezone": "Europe/Berlin", "meeting_settle": "0"}


@pytest.fixture
def clients(tmp_path: Path) -> ConsoleClients:
    found = ConsoleClients(file=tmp_path / "clients.toml")
    for scopes in (("read",), ("schedule",)):
        found.add(*scopes)
    return found


@pytest.fixture
async def stub(open_console: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(open_console.target) as stub:
        yield stub


def list_titles(page: Answer) -> list[str]:
    """Return the titles of the meetings in the table, in their order."""
    rows = page.find("[data-rows] tbody tr")
    return [row.cssselect("td")[1].text_content().strip() for row in rows]


def read_row(page: Answer) -> dict[str, str]:
    """Return the cells of the only row, by their columns."""
    titles = [each.text_content() for each in page.find("[data-rows] thead th")]
    [row] = page.find("[data-rows] tbody tr")
    cells = list(map(read_words, row))
    return dict(zip(titles, cells, strict=True))


async def test_a_row_has_the_state_the_start_and_what_its_mails_do(
    browser: Browser, stub: Stub
) -> None:
    meeting = await create(
        stub, summary="Review <b>1</b>", attendees=list(map(an_attendee, (ADA, BOB))), **WAITING
    )

    page = await browser.open("/meetings")

    assert read_row(page) == {
        "State": f"○ SCHEDULED meeting {meeting.meeting_id}",
        "Begins": read_row(page)["Begins"],
        "Title": "Review <b>1</b>",
        "Organizer": meeting.organizer.email,
        "Attendees": "2",
        "Latest mails": "2 ○ SCHEDULED",
        "Client": "",
    }
    assert read_row(page)["Begins"].startswith("2030-01-05 09:00 in ")
    [time] = page.find("[data-rows] time")
    assert time.get("title") == "Sat 2030-01-05 09:00:00 +01:00 (Europe/Berlin)"
    [link] = page.find("[data-rows] th a")
    assert link.get("href") == f"./meetings/{meeting.meeting_id}"


async def test_it_lists_what_comes_what_is_past_and_all(
    browser: Browser, stub: Stub, open_console: RunningApp
) -> None:
    for summary, hours in (("third", 30), ("first", 2), ("second", 26)):
        await create(stub, summary=summary, **in_utc(timedelta(hours=hours)))
    await keep_past_meeting(open_console, "over")

    coming = await browser.open("/meetings")
    past = await browser.open("/meetings?when=past")
    everything = await browser.open("/meetings?when=all")

    assert list_titles(coming) == ["first", "second", "third"]
    assert list_titles(past) == ["over"]
    assert "✓ SCHEDULED, over" in past.words
    assert sorted(list_titles(everything)) == ["first", "over", "second", "third"]
    for page, word in ((coming, "Coming"), (past, "Past"), (everything, "All, newest first")):
        [current] = page.find(".tabs [aria-current=page]")
        assert current.text_content() == word


async def test_the_filters_are_those_of_the_contract(browser: Browser, stub: Stub) -> None:
    await create(stub, ADA, summary="A", **in_utc(timedelta(hours=20)))
    meeting = await create(stub, BOB, summary="B", **in_utc(timedelta(hours=40)))
    middle = (
        f"{datetime.now(UTC) + timedelta(hours=31):%Y-%m-%dT%H:%M}"  # Berlin is ahead by 1 or 2
    )
    organizer = meeting.organizer.email
    cases: list[tuple[dict[str, str], list[str]]] = [
        ({"start_from": middle}, ["B"]),
        ({"start_before": middle}, ["A"]),
        ({"organizer": organizer}, ["A", "B"]),
        ({"organizer": organizer, "start_from": middle}, ["B"]),
        ({"attendee": BOB.upper()}, ["B"]),
        ({"q": f"<{ADA}>"}, ["A"]),
        ({"attendee": EVE}, []),
        ({"client": "payroll"}, []),
        ({"order": "CREATE_TIME_ASC"}, ["A", "B"]),
        ({"organizer": organizer, "order": "START_TIME_DESC"}, ["B", "A"]),
    ]
    for fields, expected in cases:
        answer = await browser.send("/meetings", fields)
        if answer.status == 303:
            answer = await browser.open(browser.follow(answer, "/meetings"))
        assert (answer.status, list_titles(answer)) == (200, expected), fields


async def test_an_address_is_in_no_address_of_a_page(browser: Browser, stub: Stub) -> None:
    for number in range(51):
        await create(stub, ADA, summary=f"M{number}", **WAITING)

    first = await browser.send("/meetings", {"q": ADA})
    fields = {each.get("name"): each.get("value") for each in first.find(".pages input")}
    second = await browser.send("/meetings", fields)
    listed = await browser.open("/meetings")
    [following] = listed.find(".pages [rel=next]")
    rest = await browser.open(f"/{following.get('href').removeprefix('./')}")

    assert [len(list_titles(each)) for each in (first, second, listed, rest)] == [50, 1, 50, 1]
    for page in (first, second):
        assert f"Meetings with attendee {ADA}" in page.words
        for each in page.find("[href], [action], [hx-get]"):
            link = each.get("href") or each.get("action") or each.get("hx-get")
            assert not any(at in link for at in ("@", "%40"))
        assert not page.find("[data-live]")
    assert not rest.find(".pages [rel=next]")


async def test_a_meeting_is_found_by_its_id(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub)

    answer = await browser.send("/meetings", {"q": f" {meeting.meeting_id} "})
    unknown = await browser.send("/meetings", {"q": "../jobs?x"})
    page = await browser.open(browser.follow(unknown, "/meetings"))

    assert browser.follow(answer, "/meetings") == f"/meetings/{meeting.meeting_id}"
    assert (page.status, page.words[:9]) == (404, "Not found")


async def test_without_the_scope_content_titles_and_addresses_are_hidden(
    stranger: Browser, clients: ConsoleClients, closed_console: RunningApp
) -> None:
    token = clients.tokens["schedule"]
    await create_as(closed_console, token, ADA, summary="Interview", **WAITING)
    await stranger.log_in(clients.tokens["read"])

    page = await stranger.open("/meetings")

    row = read_row(page)
    assert (row["Title"], row["Organizer"][1:3], row["Client"]) == (
        "needs content",
        "…@",
        "schedule",
    )
    assert "Interview" not in page.text
    assert ADA not in page.text


async def test_what_cannot_be_served_is_explained(browser: Browser) -> None:
    both = await browser.send("/meetings", {"attendee": ADA, "organizer": BOB})
    wrong = await browser.open("/meetings?start_from=soon&client=%00&order=x")
    stale = await browser.open("/meetings?page=x")

    assert "no index serves that" in both.words
    assert both.find("#attendee")[0].get("value") == ADA
    assert {each.get("id") for each in wrong.find("p.problem[id]")} == {
        *("start_from-problem", "client-problem", "order-problem")
    }
    assert [each.status for each in (both, wrong, stale)] == [400] * 3


async def test_an_empty_list_says_why(browser: Browser) -> None:
    pages = {
        path: await browser.open(f"/meetings{path}") for path in ("", "?when=past", "?when=all")
    }

    assert "No meeting is ahead." in pages[""].words
    assert "No meeting is past" in pages["?when=past"].words
    assert "No meeting yet. This makes one:" in pages["?when=all"].words


async def test_a_mail_that_failed_shows_in_the_list(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub, ADA, **WAITING)
    jobs = await stub.ListJobs(task_pb2.ListJobsRequest(filter={"meeting_id": meeting.meeting_id}))
    [job] = jobs.jobs
    await stub.CancelJob(task_pb2.CancelJobRequest(job_id=job.job_id, reason="not this one"))

    async def is_shown() -> bool:
        return "\u2013 CANCELLED" in (await browser.open("/meetings")).words

    assert await until(is_shown)
