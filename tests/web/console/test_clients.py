"""Clients: what the page says of each client, its limits, its use and its token."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.console import Answer, Browser, ConsoleClients
from tests.support.in_process_app import RunningApp
from tests.support.wait import until

HOSTILE = "<b>monthly</b> slips"


@pytest.fixture
async def admin(stranger: Browser, clients: ConsoleClients) -> Browser:
    await stranger.log_in(clients.tokens["admin"])
    return stranger


@pytest.fixture
def clients(clients: ConsoleClients) -> ConsoleClients:
    """Return the clients with one more that has limits."""
    limits = 'jobs_per_day = 200, jobs_waiting = 10, calls_per_second = 5, templates = ["doc"]'
    lines = (f'note = "{HOSTILE}"', f"limits = {{ {limits} }}")
    clients.add("schedule", name="payroll", lines=lines)
    return clients


def rows_of(page: Answer) -> dict[str, list[str]]:
    """Return the cells by the name of their client."""
    rows = [
        [" ".join(cell.text_content().split()) for cell in row]
        for row in page.find("table[data-rows=clients] tbody tr")
    ]
    return {row[0].partition(" ")[0]: row[1:] for row in rows}


async def test_each_client_has_its_scopes_its_limits_and_its_use(
    admin: Browser, closed_console: RunningApp
) -> None:
    today = datetime.now(UTC).date().isoformat()
    usage = closed_console.resources.mongo.usage
    await usage.insert_one({"_id": f"payroll:{today}", "jobs": 190})

    page = await admin.open("/clients")

    rows = rows_of(page)
    assert set(rows) == {"admin", "payroll", "read", "schedule"}
    scopes, limits, allowed, last_call, end = rows["payroll"]
    assert (scopes, allowed) == ("schedule", "templates doc")
    assert "calls a second 5" in limits
    assert "jobs today (UTC) 190 of 200" in limits
    assert "jobs waiting ? of 10" in limits
    assert (last_call, end) == ("not since the start", "never")
    assert rows["read"][1:3] == ["no limit", "everything"]
    [bar] = page.find("progress")
    assert (bar.get("value"), bar.get("class")) == ("0.950", "retrying")
    assert not page.find("main th b")


async def test_a_client_that_has_called_shows_when(admin: Browser) -> None:
    page = await admin.open("/clients")

    row = rows_of(page)["admin"]
    assert row[3] != "not since the start"
    [cell] = [each for each in page.find("td time") if each.get("datetime")]
    seen = datetime.fromisoformat(cell.get("datetime"))
    assert datetime.now(UTC) - seen < timedelta(seconds=30)


async def test_a_client_that_is_new_in_the_file_is_shown(
    admin: Browser, clients: ConsoleClients
) -> None:
    clients.add("read", name="eva")

    async def is_shown() -> bool:
        return "eva" in rows_of(await admin.open("/clients"))

    await until(is_shown)


async def test_where_access_is_not_controlled_the_page_says_so(browser: Browser) -> None:
    page = await browser.open("/clients")

    assert "Access is not controlled" in page.words
    assert "gcsched token new payroll --scope schedule" in page.words


async def test_without_the_scope_the_page_is_not_shown(
    stranger: Browser, clients: ConsoleClients
) -> None:
    await stranger.log_in(clients.tokens["read"])

    assert (await stranger.open("/clients")).status == 403
