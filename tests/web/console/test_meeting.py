"""The page of a meeting: what it says of whom, its history, its calendar file; and its masks."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gcsched.pb import task_pb2
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.console_jobs import HOSTILE
from tests.support.console_meetings import WAITING, create_as, read_table, read_words
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import (
    ADA,
    BOB,
    a_reminder,
    an_attendee,
    create,
    wait_until_told,
)
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until

TEXTS = {
    "summary": "Interview",
    "location": "Room 5",
    "url": "https://meet.example.org/42",
    "description": "Bring notes",
}


@pytest.fixture
def console_settings() -> dict[str, str]:
    return {"timezone": "Europe/Berlin", "meeting_settle": "0"}


@pytest.fixture
def clients(tmp_path: Path) -> ConsoleClients:
    found = ConsoleClients(file=tmp_path / "clients.toml")
    for scopes in (("read", "steer"), ("schedule",), ("read", "content")):
        found.add(*scopes)
    return found


@pytest.fixture
async def stub(open_console: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(open_console.target) as stub:
        yield stub


async def update(stub: Stub, meeting_id: str, **fields: Any) -> task_pb2.Meeting:
    meeting = task_pb2.Meeting(meeting_id=meeting_id, **fields)
    return await stub.UpdateMeeting(task_pb2.UpdateMeetingRequest(meeting=meeting))


async def list_jobs(stub: Stub, meeting_id: str) -> list[task_pb2.Job]:
    request = task_pb2.ListJobsRequest(filter={"meeting_id": meeting_id})
    return list((await stub.ListJobs(request)).jobs)


def read_facts(page: Answer) -> dict[str, str]:
    """Return the facts about the meeting, by their names."""
    [facts] = page.find("#live > .facts")
    names, values = facts.cssselect("dt"), facts.cssselect("dd")
    pairs = zip(names, values, strict=True)
    return {name.text_content(): read_words(value) for name, value in pairs}


def read_history(page: Answer) -> list[str]:
    """Return what happened, without its times."""
    entries = map(read_words, page.find(".timeline li"))
    return [each.partition(" ")[2] for each in entries]


async def test_it_says_when_in_its_zone_and_in_that_of_the_pages(
    browser: Browser, stub: Stub
) -> None:
    meeting = await create(stub, time_zone="America/New_York", **TEXTS)

    page = await browser.open(f"/meetings/{meeting.meeting_id}")

    facts = read_facts(page)
    assert facts["When"] == (
        "Sat 5 Jan 2030, 09:00\u201309:30 America/New_York (-05:00) · 30 min"
        " Sat 5 Jan 2030, 15:00\u201315:30 Europe/Berlin (+01:00)"
    )
    assert {name: facts[name] for name in ("Where", "Link", "About")} == {
        "Where": "Room 5",
        "Link": "https://meet.example.org/42",
        "About": "Bring notes",
    }
    assert facts["Organizer"].endswith(meeting.organizer.email)
    [headline] = page.find(".headline")
    assert headline.text_content().startswith("○ SCHEDULED begins 2030-01-05 15:00 in ")
    assert page.find("h1")[0].text_content() == "Interview"


async def test_each_attendee_has_what_was_told_with_links_to_the_jobs_and_back(
    browser: Browser, stub: Stub
) -> None:
    attendees = [an_attendee(ADA, name="Ada Lovelace"), an_attendee(BOB, role="OPTIONAL")]
    meeting = await create(stub, attendees=attendees, reminders=[a_reminder(days=1)])
    path = f"/meetings/{meeting.meeting_id}"
    await wait_until_told(stub, meeting.meeting_id, ADA, BOB)

    async def has_reminders() -> bool:
        return len(await list_jobs(stub, meeting.meeting_id)) == 4

    await until(has_reminders)
    page = await browser.open(path)

    told = "invitation ✓ SENT reminder 1 d before ○ SCHEDULED"
    assert read_table(page, "Attendees") == [
        [f"Ada Lovelace {ADA}", "required", "✓ the latest", told],
        [BOB, "optional", "✓ the latest", told],
    ]
    assert [row[2] for row in read_table(page, "Reminders")] == ["2 ○ SCHEDULED"]
    assert read_table(page, "Reminders")[0][:2][0] == "1 d"
    assert read_table(page, "Reminders")[0][1].startswith("2030-01-04 09:00")
    linked = {each.get("href") for each in page.find(".mails a")}
    jobs = await list_jobs(stub, meeting.meeting_id)
    assert linked == {f"../jobs/{each.job_id}" for each in jobs}
    job_page = await browser.open(f"/jobs/{jobs[0].job_id}")
    assert job_page.find(f"dd a[href='../meetings/{meeting.meeting_id}']")


async def test_the_history_says_who_changed_what(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub, ADA, BOB, **TEXTS, **WAITING)
    await update(stub, meeting.meeting_id, start="2030-01-06T22:00", location="Room 6")
    await stub.RemoveAttendees(
        task_pb2.RemoveAttendeesRequest(
            meeting_id=meeting.meeting_id, emails=[BOB], reason="is away"
        )
    )
    await stub.CancelMeeting(
        task_pb2.CancelMeetingRequest(meeting_id=meeting.meeting_id, reason="no room")
    )

    page = await browser.open(f"/meetings/{meeting.meeting_id}")

    who = "by anyone (access is not controlled) (grpc) revision"
    assert read_history(page) == [
        f"created {who} 1",
        (
            f"changed {who} 2 Time Sat 5 Jan 2030, 09:00\u201309:30 Europe/Berlin"
            " → Sun 6 Jan 2030, 22:00\u201322:30 Europe/Berlin Place Room 5 → Room 6"
        ),
        f"attendees removed {who} 3 “ is away ”",
        f"cancelled {who} 4 “ no room ”",
    ]
    assert "\u2013 CANCELLED was called off," in page.words
    assert not page.find(".acts")


async def test_the_calendar_file_is_the_one_of_the_contract(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub, ADA, BOB)
    path = f"/meetings/{meeting.meeting_id}"
    files = {
        of: await stub.GetMeetingCalendar(
            task_pb2.GetMeetingCalendarRequest(meeting_id=meeting.meeting_id, email=email)
        )
        for of, email in {"": "", "1": BOB}.items()
    }

    for of, file in files.items():
        query = f"?of={of}" if of else ""
        page = await browser.open(path + query)
        [text] = page.find("pre.calendar")
        assert file.content.decode().split() == text.text_content().strip("\u2068\u2069").split()
        [link] = page.find("#calendar a[download]")
        sent = await browser.open(f"{path}/calendar{query}")
        assert sent.text.encode() == file.content
        assert link.get("href") == f"../meetings/{meeting.meeting_id}/calendar{query}"
        assert sent.headers["Content-Type"] == "text/calendar; charset=utf-8"
        assert sent.headers["Content-Disposition"] == 'attachment; filename="invite.ics"'
    assert (await browser.open(f"{path}/calendar?of=2")).status == 404
    assert "BEGIN:VCALENDAR" in (await browser.open(f"{path}?of=x")).words


async def test_without_the_scope_content_texts_and_addresses_are_hidden(
    stranger: Browser, clients: ConsoleClients, closed_console: RunningApp
) -> None:
    attendees = [an_attendee(ADA, name="Lovelace")]
    token = clients.tokens["schedule"]
    meeting = await create_as(closed_console, token, attendees=attendees, **TEXTS)
    path = f"/meetings/{meeting.meeting_id}"
    await stranger.log_in(clients.tokens["read-steer"])

    page = await stranger.open(path)
    calendar = await stranger.open(f"{path}/calendar")

    for secret in (ADA, "Lovelace", *TEXTS.values(), meeting.organizer.email):
        assert secret not in page.text, secret
    assert "a…@example.org" in page.words
    assert "need the scope content" in page.words
    assert (calendar.status, "needs the scope content" in calendar.words) == (403, True)
    names = [each.text_content() for each in page.find(".acts summary")]
    assert names == ["Move…", "Rename or place…", "Remove attendees…", "Cancel…"]


async def test_a_refresh_has_no_calendar_and_an_etag(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub)
    await wait_until_told(stub, meeting.meeting_id, ADA)
    path = f"/meetings/{meeting.meeting_id}"

    first = await browser.refresh(path)
    again = await browser.refresh(path, first.headers["ETag"])

    assert "BEGIN:VCALENDAR" not in first.text
    assert again.status == 304


@pytest.mark.parametrize("meeting_id", ["4f1c62d8", "%00", "a" * 300])
async def test_a_meeting_that_is_not_there_is_an_error(browser: Browser, meeting_id: str) -> None:
    page = await browser.open(f"/meetings/{meeting_id}")

    assert page.status in {400, 404}
    assert not page.find(".acts")


async def test_hostile_texts_are_text(browser: Browser, stub: Stub) -> None:
    hostile = HOSTILE.replace("\u202e\u2066", "").strip()
    meeting = await create(
        stub,
        attendees=[an_attendee(ADA, name="<script>1</script>")],
        summary=hostile,
        location=hostile,
        description=hostile,
    )
    await stub.CancelMeeting(
        task_pb2.CancelMeetingRequest(meeting_id=meeting.meeting_id, reason=hostile)
    )
    for path in ("/meetings", f"/meetings/{meeting.meeting_id}"):
        page = await browser.open(path)
        assert page.status == 200
        assert hostile in page.words.replace("\u2068", "").replace("\u2069", "")
        assert not page.find("main script, main img, [onerror], [hx-get='/x']"), path


async def test_one_who_was_forgotten_has_no_address(browser: Browser, stub: Stub) -> None:
    meeting = await create(
        stub,
        attendees=[an_attendee(ADA, empid="E1"), an_attendee(BOB)],
        duration=timedelta(hours=1),
    )
    path = f"/meetings/{meeting.meeting_id}"
    page = await browser.open(path)

    assert [row[0] for row in read_table(page, "Attendees")] == [ADA, BOB]
    assert page.find("#of option[value='1']")
