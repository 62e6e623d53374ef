"""Recipients: their details and jobs, and erasing them after the counts and their typed id."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from gcsched.domain.job import State
from gcsched.pb import task_pb2
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.console_jobs import HOSTILE, a_failed_job, a_kept_job, keep
from tests.support.in_process_app import RunningApp
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until

NOW = datetime.now(UTC).replace(microsecond=0)
ODD = "E/1 ?#%é<b>"
ODD_PATH = "E%2F1%20%3F%23%25%C3%A9%3Cb%3E"


@pytest.fixture
async def stub(open_console: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(open_console.target) as stub:
        yield stub


@pytest.fixture
def clients(clients: ConsoleClients) -> ConsoleClients:
    clients.add("read", "content")
    clients.add("read", "erase")
    return clients


def read_facts(page: Answer) -> dict[str, str]:
    names, values = page.find("main dt"), page.find("main dd")
    words = [" ".join(each.text_content().split()) for each in values]
    return {name.text_content(): text for name, text in zip(names, words, strict=True)}


def read_tiles(page: Answer) -> list[str]:
    return [each.text_content() for each in page.find(".tile .value")]


async def read_job(app: RunningApp, job_id: str) -> dict[str, Any]:
    found = await app.resources.mongo.jobs.find_one({"_id": job_id})
    assert found is not None
    return dict(found)


@pytest.mark.parametrize(("empid", "path"), [("E17", "E17"), (ODD, ODD_PATH)])
async def test_a_recipient_is_shown_with_details_and_jobs(
    browser: Browser, stub: Stub, empid: str, path: str
) -> None:
    request = task_pb2.MeetRequest(
        empid=empid, emailID="ada@example.org", empName="Ada", message="Hello"
    )
    answer = await stub.ScheduleMeet(request)

    async def find() -> Answer | None:
        page = await browser.open(f"/recipients/{path}")
        return page if "Requests accepted" in page.words else None

    page = await until(find)

    assert isinstance(page, Answer)
    facts = read_facts(page)
    assert (facts["Name"], facts["Address"]) == ("Ada", "ada@example.org")
    assert facts["Requests accepted"] == "1"
    assert page.find(f"main a[href$='jobs/{answer.job_id}']")
    job_page = await browser.open(f"/jobs/{answer.job_id}")
    [link] = [each.get("href") for each in job_page.find("a[href*='recipients/']")]
    assert link == f"../recipients/{path}"


async def test_without_details_and_jobs_the_page_says_what_is_kept(browser: Browser) -> None:
    page = await browser.open("/recipients/E99")

    assert page.status == 200
    assert "No details of this employee are kept." in page.words
    assert "No job of this employee is kept." in page.words


async def test_erasing_shows_its_counts_first_and_needs_the_typed_id(
    browser: Browser, open_console: RunningApp
) -> None:
    finished = [a_failed_job(NOW, empid="E1") for _ in range(3)]
    waiting = a_kept_job(NOW, empid="E1")
    erased = a_failed_job(NOW, empid="E1", email="", name="", message="")
    other = a_failed_job(NOW, empid="E2")
    await keep(open_console, *finished, waiting, erased, other)

    counted = await browser.open("/recipients/E1/erase")
    refused = await browser.send("/recipients/E1/erase", {"typed": "e1"})

    assert read_tiles(counted) == ["3", "1"]
    assert refused.status == 400
    assert "must be the employee id" in refused.find("#typed-problem")[0].text_content()
    assert read_tiles(refused) == ["3", "1"]
    for job in (*finished, waiting, other):
        assert (await read_job(open_console, job.id))["email"] == job.email


async def test_erasing_erases_finished_jobs_and_details_and_says_what_stays(
    browser: Browser, open_console: RunningApp
) -> None:
    finished, waiting = a_failed_job(NOW, empid=ODD), a_kept_job(NOW, empid=ODD)
    await keep(open_console, finished, waiting)
    details = {"name": "Ada", "email": "ada@example.org", "first_seen": NOW, "last_seen": NOW}
    await open_console.resources.mongo.recipients.insert_one({"_id": ODD, **details})

    done = await browser.send(f"/recipients/{ODD_PATH}/erase", {"typed": f" {ODD} "})

    assert "1 job has no personal texts any more; the details are deleted." in done.words
    assert "1 job or meeting is not over" in done.words
    document = await read_job(open_console, finished.id)
    assert (document["email"], document["name"], document["message"]) == ("", "", "")
    assert document["state"] == State.FAILED
    assert (await read_job(open_console, waiting.id))["email"] == waiting.email
    assert await open_console.resources.mongo.recipients.count_documents({}) == 0
    [entry] = await open_console.resources.mongo.audit.find({}).to_list(None)
    assert (entry["act"], entry["via"], entry["changed"]) == ("ForgetRecipient", "console", 2)
    assert ODD not in str(entry)


async def test_details_need_content_and_erasing_needs_erase(
    stranger: Browser, closed_console: RunningApp, clients: ConsoleClients
) -> None:
    job = a_failed_job(NOW, empid="E1")
    await keep(closed_console, job)
    await stranger.log_in(clients.tokens["read-content"])
    shown, refused = [await stranger.open(f"/recipients/E1{p}") for p in ("", "/erase")]
    await stranger.log_in(clients.tokens["read-erase"])
    hidden, counted = [await stranger.open(f"/recipients/E1{p}") for p in ("", "/erase")]
    job_page = await stranger.open(f"/jobs/{job.id}")

    assert [each.status for each in (shown, refused, hidden, counted)] == [200, 403, 403, 200]
    assert job.email in shown.words
    assert job.email not in counted.text
    assert not shown.find("a.danger")
    assert not job_page.find("a[href*='recipients/']")


async def test_hostile_texts_are_text(browser: Browser, open_console: RunningApp) -> None:
    details = {"name": HOSTILE, "email": HOSTILE, "first_seen": NOW, "last_seen": NOW}
    await open_console.resources.mongo.recipients.insert_one({"_id": "E1", **details})

    page = await browser.open("/recipients/E1")

    assert not page.find("main img, main script, main [hx-get='/x']")
    assert "<script>" in read_facts(page)["Name"]
