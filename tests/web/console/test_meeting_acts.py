"""Acts on a meeting: each shows first what it will do, then does it; a conflict asks again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gcsched.pb import task_pb2
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.console_meetings import create_as, read_table, read_words
from tests.support.in_process_app import RunningApp
from tests.support.meeting_service import (
    ADA,
    BOB,
    EVE,
    a_reminder,
    create,
    mails_to,
    read,
    wait_for_mails,
    wait_until_told,
)
from tests.support.relay.script import At, Hang
from tests.support.relay.server import Relay
from tests.support.service_process import Stub, scheduler_stub
from tests.support.wait import until

ACTS = ("move", "edit", "cancel", "add", "remove")


@pytest.fixture
def console_settings() -> dict[str, str]:
    return {"timezone": "Europe/Berlin", "meeting_settle": "0"}


@pytest.fixture
def clients(tmp_path: Path) -> ConsoleClients:
    found = ConsoleClients(file=tmp_path / "clients.toml")
    for scopes in (("read", "steer"), ("schedule",)):
        found.add(*scopes)
    return found


@pytest.fixture
async def stub(open_console: RunningApp) -> AsyncIterator[Stub]:
    async with scheduler_stub(open_console.target) as stub:
        yield stub


def fill(page: Answer, act: str, **fields: str) -> dict[str, str]:
    """Return the fields of the form of *act*, filled in."""
    [form] = page.find(f"form[action$='/{act}']")
    given = {
        each.get("name"): each.get("value", "")
        for each in form.cssselect("input:not([type=checkbox])")
    }
    given |= {each.get("name"): each.text or "" for each in form.cssselect("textarea")}
    given |= {each.get("name"): each.get("value") for each in form.cssselect("button[name]")}
    given |= {
        each.get("name"): each.cssselect("option")[0].get("value")
        for each in form.cssselect("select")
    }
    return given | fields


async def preview(browser: Browser, meeting_id: str, act: str, **fields: str) -> Answer:
    """Open the page, and send the form of *act*: nothing is done yet."""
    page = await browser.open(f"/meetings/{meeting_id}")
    return await browser.send(f"/meetings/{meeting_id}/{act}", fill(page, act, **fields))


async def confirm(browser: Browser, meeting_id: str, act: str, shown: Answer) -> Answer:
    """Send the form of what was *shown*, and open the page that it leads to."""
    path = f"/meetings/{meeting_id}/{act}"
    answer = await browser.send(path, fill(shown, act))
    if answer.status != 303:
        return answer
    return await browser.open(browser.follow(answer, path))


def list_effects(page: Answer) -> dict[str, str]:
    """Return what each attendee gets, by the address."""
    return {row[0]: row[1] for row in read_table(page, "Who gets what")}


async def test_a_move_shows_who_gets_what_and_then_does_it(
    browser: Browser, stub: Stub, relay: Relay
) -> None:
    meeting = await create(stub, ADA, BOB, reminders=[a_reminder(days=1)])
    await wait_until_told(stub, meeting.meeting_id, ADA, BOB)

    async def has_reminders() -> bool:
        request = task_pb2.ListJobsRequest(filter={"meeting_id": meeting.meeting_id})
        return len((await stub.ListJobs(request)).jobs) == 4

    await until(has_reminders)
    shown = await preview(
        browser, meeting.meeting_id, "move", start="2030-01-07T10:00", minutes="45"
    )
    before = await read(stub, meeting.meeting_id)
    page = await confirm(browser, meeting.meeting_id, "move", shown)
    after = await wait_until_told(stub, meeting.meeting_id, ADA, BOB, sequence=1)

    earlier, later = "Sat 5 Jan 2030, 09:00\u201309:30", "Mon 7 Jan 2030, 10:00\u201310:45"
    assert f"{earlier} Europe/Berlin → {later} Europe/Berlin" in shown.words
    gets = "1 new update, 1 new reminder, 1 waiting reminder withdrawn"
    assert list_effects(shown) == {ADA: gets, BOB: gets}
    assert "Mails: 2 new updates, 2 new reminders, 2 waiting reminders withdrawn" in shown.words
    assert (before.start, len(before.steps)) == ("2030-01-05T09:00", 1)
    assert page.words.startswith("The meeting has moved.")
    assert (after.start, after.end) == ("2030-01-07T10:00", "2030-01-07T10:45")
    assert [(each.method, each.via) for each in after.steps][-1] == ("UpdateMeeting", "console")
    assert len(await wait_for_mails(relay, ADA, 2)) == 2


async def test_a_move_by_its_end_or_its_zone_keeps_what_was_not_named(
    browser: Browser, stub: Stub
) -> None:
    meeting = await create(stub)

    by_end = await preview(browser, meeting.meeting_id, "move", end="2030-01-05T11:00")
    page = await confirm(browser, meeting.meeting_id, "move", by_end)
    longer = await read(stub, meeting.meeting_id)
    by_zone = await preview(browser, meeting.meeting_id, "move", zone="Asia/Tokyo")
    await confirm(browser, meeting.meeting_id, "move", by_zone)
    there = await read(stub, meeting.meeting_id)

    assert page.status == 200
    assert (longer.start, longer.end) == ("2030-01-05T09:00", "2030-01-05T11:00")
    assert (there.start, there.end, there.time_zone) == (longer.start, longer.end, "Asia/Tokyo")


async def test_a_time_that_does_not_exist_is_noted_before_anything_is_done(
    browser: Browser, stub: Stub
) -> None:
    meeting = await create(stub)

    shown = await preview(browser, meeting.meeting_id, "move", start="2030-03-31T02:30")

    assert "2030-03-31T02:30 does not exist in Europe/Berlin" in shown.words
    assert "Sun 31 Mar 2030, 03:30\u201304:00" in shown.words


async def test_what_is_like_that_already_is_not_offered(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub, description="one\ntwo", location="Room 5")

    for act in ("move", "edit"):
        shown = await preview(browser, meeting.meeting_id, act)
        assert "That changes nothing" in shown.words, shown.words
        assert not shown.find("main button")


async def test_texts_change_and_can_be_removed(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub, location="Room 5", description="Bring notes")

    shown = await preview(
        browser, meeting.meeting_id, "edit", summary="Talk", location="", description="a\r\nb"
    )
    page = await confirm(browser, meeting.meeting_id, "edit", shown)
    after = await read(stub, meeting.meeting_id)

    assert "Title Review → Talk" in shown.words
    assert "Place Room 5 → none" in shown.words
    assert "Description changes" in shown.words
    assert page.words.startswith("The meeting has its new texts.")
    assert (after.summary, after.location, after.description) == ("Talk", "", "a\nb")


async def test_a_cancellation_has_its_reason_and_counts_what_is_in_flight(
    browser: Browser, stub: Stub, relay: Relay
) -> None:
    release = asyncio.Event()
    relay.script(At.BODY, Hang(release))
    meeting = await create(stub)

    async def has_begun() -> bool:
        return "SENDING" in (await browser.open(f"/meetings/{meeting.meeting_id}")).words

    await until(has_begun)

    async def show() -> Answer | None:
        shown = await preview(browser, meeting.meeting_id, "cancel", reason="no room")
        return shown if "on the way" in shown.words else None

    shown = await until(show)
    assert shown is not None
    page = await confirm(browser, meeting.meeting_id, "cancel", shown)
    release.set()
    await wait_for_mails(relay, ADA, 2)
    after = await read(stub, meeting.meeting_id)

    assert "1 mail with the old content is on the way to the relay" in shown.words
    assert "Reason “ no room ”" in read_words(shown.find("main")[0])
    assert page.words.startswith("The meeting is cancelled.")
    assert (after.state, after.reason) == (task_pb2.Meeting.CANCELLED, "no room")


async def test_attendees_come_and_go(browser: Browser, stub: Stub, relay: Relay) -> None:
    meeting = await create(stub)
    await wait_until_told(stub, meeting.meeting_id, ADA)

    people = f'{BOB}\n\n"Eve Online" <{EVE}>'
    shown = await preview(browser, meeting.meeting_id, "add", people=people, role="OPTIONAL")
    page = await confirm(browser, meeting.meeting_id, "add", shown)
    await wait_until_told(stub, meeting.meeting_id, ADA, BOB, EVE)
    added = await read(stub, meeting.meeting_id)
    removal = await preview(browser, meeting.meeting_id, "remove", attendee="2", reason="away")
    await confirm(browser, meeting.meeting_id, "remove", removal)
    await wait_for_mails(relay, EVE, 2)
    removed = await read(stub, meeting.meeting_id)

    gets = {BOB: "1 new invitation", EVE: "1 new invitation"}
    assert list_effects(shown) | gets == list_effects(shown)
    assert page.words.startswith("The attendees are invited.")
    assert [(each.email, each.name) for each in added.attendees] == [
        *((ADA, ""), (BOB, ""), (EVE, "Eve Online"))
    ]
    assert added.attendees[2].role == task_pb2.Attendee.OPTIONAL
    assert list_effects(removal)[EVE] == "1 new cancellation"
    assert [each.email for each in removed.attendees if each.removed] == [EVE]
    assert len(mails_to(relay, ADA)) == 1


async def test_wrong_entries_are_explained_at_their_fields(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub)
    cases = [
        ("move", {"start": "soon"}, "#move-start-problem"),
        ("move", {"minutes": "many"}, "#move-minutes-problem"),
        ("move", {"minutes": "0"}, "#move-minutes-problem"),
        ("move", {"end": "2029-01-01T09:00"}, "#move-end-problem"),
        ("move", {"zone": "Mars/Base"}, "#move-zone-problem"),
        ("move", {"start": "2001-01-01T09:00"}, "#move-start-problem"),
        ("edit", {"summary": " "}, "#edit-summary-problem"),
        ("edit", {"url": "ftp://x"}, "#edit-url-problem"),
        ("add", {"people": f"{BOB}\nnobody"}, "#add-people-problem"),
        ("add", {"people": ""}, "#add-people-problem"),
        ("cancel", {"reason": "x" * 2000}, "#cancel-reason-problem"),
        ("remove", {}, "form[action$=remove] .problem"),
    ]
    for act, fields, selector in cases:
        answer = await preview(browser, meeting.meeting_id, act, **fields)
        assert answer.status == 400, (act, fields)
        assert answer.find(selector), (act, fields, answer.words[:200])
        [form] = answer.find("details.act[open] form")
        assert form.get("action").endswith(f"/{act}")
    assert (
        "line 2: "
        in (await preview(browser, meeting.meeting_id, "add", people=f"{BOB}\nnobody")).words
    )
    assert len((await read(stub, meeting.meeting_id)).steps) == 1


async def test_a_change_of_another_in_between_is_shown_and_asked_again(
    browser: Browser, stub: Stub
) -> None:
    meeting = await create(stub)
    shown = await preview(browser, meeting.meeting_id, "move", start="2030-01-07T10:00")
    await stub.UpdateMeeting(
        task_pb2.UpdateMeetingRequest(
            meeting=task_pb2.Meeting(meeting_id=meeting.meeting_id, location="Room <6>")
        )
    )

    answer = await confirm(browser, meeting.meeting_id, "move", shown)

    assert answer.status == 409
    assert "The meeting has changed since this form was opened" in answer.words
    [new] = answer.find(".timeline li.new")
    assert "Room <6>" in new.text_content()
    [field] = answer.find("details.act[open] [name=start]")
    assert field.get("value") == "2030-01-07T10:00"
    again = await browser.send(f"/meetings/{meeting.meeting_id}/move", fill(answer, "move"))
    page = await confirm(browser, meeting.meeting_id, "move", again)
    after = await read(stub, meeting.meeting_id)
    assert page.words.startswith("The meeting has moved.")
    assert (after.start, after.location) == ("2030-01-07T10:00", "Room <6>")


async def test_without_an_etag_nothing_is_changed(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub)
    sent = {"start": "2030-01-07T10:00", "zone": "UTC", "summary": "x", "people": BOB}
    sent |= {"role": "REQUIRED", "attendee": "0", "confirmed": "yes"}
    for act in ACTS:
        for etag in ("", "x"):
            answer = await browser.send(
                f"/meetings/{meeting.meeting_id}/{act}", {**sent, "etag": etag}
            )
            assert answer.status == 409, act
    assert len((await read(stub, meeting.meeting_id)).steps) == 1


async def test_a_cancelled_meeting_says_that_it_stays_so(browser: Browser, stub: Stub) -> None:
    meeting = await create(stub)
    page = await browser.open(f"/meetings/{meeting.meeting_id}")
    await stub.CancelMeeting(task_pb2.CancelMeetingRequest(meeting_id=meeting.meeting_id))

    fields = fill(page, "move", start="2030-01-07T10:00")
    answer = await browser.send(f"/meetings/{meeting.meeting_id}/move", fields)

    assert answer.status == 409
    assert "was cancelled and stays so" in answer.words


async def test_who_sees_no_content_changes_only_what_they_enter(
    stranger: Browser, clients: ConsoleClients, closed_console: RunningApp
) -> None:
    token = clients.tokens["schedule"]
    meeting = await create_as(closed_console, token, ADA, summary="Interview", location="Room 5")
    await stranger.log_in(clients.tokens["read-steer"])
    shown = await preview(stranger, meeting.meeting_id, "edit", location="Room 6")
    await confirm(stranger, meeting.meeting_id, "edit", shown)
    removal = await preview(stranger, meeting.meeting_id, "remove", attendee="0")
    added = await stranger.send(f"/meetings/{meeting.meeting_id}/add", {"people": BOB})
    async with scheduler_stub(closed_console.target) as stub:
        request = task_pb2.GetMeetingRequest(meeting_id=meeting.meeting_id)
        after = await stub.GetMeeting(request, metadata=token.bearer)

    assert "Place changes" in shown.words
    for page in (shown, removal):
        assert not any(each in page.text for each in (ADA, "Interview", "Room 5"))
    assert list(list_effects(removal)) == ["a…@example.org"]
    assert added.status == 403
    assert (after.summary, after.location) == ("Interview", "Room 6")
    assert [(each.client, each.via) for each in after.steps][-1] == ("read-steer", "console")
