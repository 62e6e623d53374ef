"""Audit: who did what to many jobs, by time, by client and by person."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gcsched.adapters.mongo.audit import MongoAudit
from gcsched.domain.audit import AuditEntry, AuditOutcome, about_address, about_employee
from gcsched.domain.ids import new_id
from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.in_process_app import RunningApp

HOSTILE = "<script>alert(1)</script> \u202eor else"
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def admin(stranger: Browser, clients: ConsoleClients) -> Browser:
    await stranger.log_in(clients.tokens["admin"])
    return stranger


async def add(app: RunningApp, ago: int, **fields: Any) -> AuditEntry:
    moment = app.resources.clock() - ago * MINUTE
    entry = AuditEntry(
        **{
            "id": new_id(moment),
            "time": moment,
            "client": "eva",
            "via": "grpc",
            "method": "CancelJobs",
            **fields,
        }
    )
    await MongoAudit(mongo=app.resources.mongo).insert(entry)
    return entry


def rows_of(page: Answer) -> list[list[str]]:
    return [
        [" ".join(cell.text_content().split()) for cell in row] for row in page.find("tbody tr")
    ][: len(page.find("table[data-rows=audit] tbody tr"))]


def details_of(page: Answer) -> list[str]:
    return [row[3] for row in rows_of(page)]


async def test_an_act_of_the_console_is_found_with_its_name_and_its_outcome(
    admin: Browser,
) -> None:
    await admin.send("/pause", {"reason": "the relay moves"})

    [row] = rows_of(await admin.open("/audit"))
    assert row[1:4] == ["admin console", "PauseSending", 'by "admin", reason "the relay moves"']
    assert row[4].startswith("✓ done after")


async def test_entries_say_how_they_ended_and_foreign_text_is_never_markup(
    admin: Browser, closed_console: RunningApp
) -> None:
    await add(closed_console, 3, details=HOSTILE)
    failed = await add(closed_console, 2, method="RetryJobs")
    end = replace(
        failed,
        outcome=AuditOutcome.ERROR,
        count=1234,
        error="STORE_UNAVAILABLE",
        end_time=failed.time + timedelta(seconds=3),
    )
    await MongoAudit(mongo=closed_console.resources.mongo).complete([end])

    page = await admin.open("/audit")

    second, first = rows_of(page)
    assert second[2:] == ["RetryJobs", "", "✕ failed STORE_UNAVAILABLE after 3 s", "1,234"]
    assert first[3] == HOSTILE
    assert first[4].startswith("◐ began no end is recorded")
    assert not page.find("main script")


async def test_a_filter_by_client_and_time_is_in_the_address_and_pages_follow(
    admin: Browser, closed_console: RunningApp
) -> None:
    for number in range(60):
        await add(closed_console, number, details=f"act {number}")
    await add(closed_console, 5, client="rolf", details="another's")
    before = closed_console.resources.clock() - 2 * MINUTE

    chosen = await admin.send(
        "/audit", {"client": "eva", "before_time": f"{before:%Y-%m-%dT%H:%M}"}
    )
    path = admin.follow(chosen, "/audit")
    first = await admin.open(path)
    [link] = first.find("a[rel=next]")
    second = await admin.open("/" + link.get("href").removeprefix("./"))

    assert (chosen.status, "client=eva" in path) == (303, True)
    found = [int(each.removeprefix("act ")) for each in (*details_of(first), *details_of(second))]
    assert len(details_of(first)) == 50
    assert found == [*range(found[0], 60)]
    assert found[0] in {2, 3}
    assert second.find("a[rel=prev]")


async def test_acts_about_a_person_are_found_and_the_address_of_the_page_does_not_name_them(
    admin: Browser, closed_console: RunningApp
) -> None:
    for topic in (about_employee("E1815"), about_address("ada@example.org")):
        await add(closed_console, 1, details=topic.details, subjects=topic.subjects)

    by_id = await admin.send("/audit", {"subject": "E1815"})
    by_address = await admin.send("/audit", {"subject": "ADA@example.org"})

    for page, begin in ((by_id, "empid="), (by_address, "email=")):
        assert page.status == 200
        assert [each[:6] for each in details_of(page)] == [begin]
        assert not page.find("a[href*=E1815], a[href*=example]")


async def test_pages_about_a_person_follow_by_a_form(
    admin: Browser, closed_console: RunningApp
) -> None:
    topic = about_employee("E1815")
    for number in range(51):
        await add(closed_console, number, details=f"act {number}", subjects=topic.subjects)
    first = await admin.send("/audit", {"subject": "E1815"})

    [form] = first.find(".pages form")
    second = await admin.send(
        "/audit", {each.get("name"): each.get("value") for each in form.cssselect("input")}
    )

    assert details_of(second) == ["act 50"]


async def test_a_job_id_leads_to_the_job_whose_page_has_its_steps(admin: Browser) -> None:
    answer = await admin.send("/audit", {"subject": "0" * 32})

    assert admin.follow(answer, "/audit") == f"/jobs/{'0' * 32}"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"subject": "x" * 300}, "must have 0 to 254 characters, has 300"),
        ({"from_time": "soon", "subject": "E1"}, "must be a date and a time"),
    ],
)
async def test_a_filter_that_cannot_be_used_says_which_field_is_wrong(
    admin: Browser, fields: dict[str, str], words: str
) -> None:
    page = await admin.send("/audit", fields)

    assert page.status == 400
    assert words in page.words
    assert page.find("[aria-invalid=true]")


async def test_a_damaged_page_token_is_an_error_page(admin: Browser) -> None:
    page = await admin.open("/audit?page=AAAA")

    assert page.status == 400


async def test_without_acts_the_page_says_what_will_be_here(admin: Browser) -> None:
    assert "No act is recorded yet." in (await admin.open("/audit")).words
    filtered = await admin.open("/audit?client=eva")
    assert "No act matches this filter." in filtered.words


async def test_without_the_scope_the_page_is_neither_shown_nor_linked(
    stranger: Browser, clients: ConsoleClients
) -> None:
    await stranger.log_in(clients.tokens["read"])

    page = await stranger.open("/audit")

    assert page.status == 403
    assert not page.find("nav a[href*=audit], nav a[href*=clients]")
