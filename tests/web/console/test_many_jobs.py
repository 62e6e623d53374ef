"""Acts on ticked rows and on all jobs of a filter: their two steps, their scopes, their records."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pymongo.database import Database

from gcsched.domain.checks import require_valid
from gcsched.domain.commands import Cancel, Retry
from gcsched.domain.job import Job, State
from gcsched.domain.job_list import JobFilter
from gcsched.errors import InvalidRequest, StoreUnavailable
from gcsched.web.console import routes, server
from gcsched.web.console.call import Call
from gcsched.web.console.many_acts import (
    ManyAct,
    Tick,
    format_bulk_query,
    parse_bulk_query,
    parse_count,
)
from gcsched.web.console.pages import ticked
from gcsched.wiring.console import ServedConsole
from tests.support.audits import read_entries
from tests.support.bulk_changes import HangingStore
from tests.support.console import (
    Answer,
    Browser,
    ConsoleClients,
    find_base,
    open_browser,
    read_form,
    running_console,
)
from tests.support.console_jobs import a_failed_job, a_kept_job, keep
from tests.support.in_process_app import RunningApp, read_jobs
from tests.support.rows import Row

NOW = datetime.now(UTC).replace(microsecond=0)
CANCEL_TICKED, CANCEL_ALL = "/jobs-ticked/cancel", "/jobs-filtered/cancel"
RETRY_TICKED, RETRY_ALL = "/jobs-ticked/retry", "/jobs-filtered/retry"
SCOPES = (("read",), ("read", "steer"), ("read", "bulk"))


def number_jobs(count: int, **others: object) -> list[Job]:
    return [
        a_kept_job(NOW, id=f"{number:032x}", empid=f"N{number}", **others)
        for number in range(count)
    ]


@pytest.fixture
def clients(tmp_path: Path) -> ConsoleClients:
    """Return the clients of a console with logins: eva may do everything, others less."""
    found = ConsoleClients(file=tmp_path / "clients.toml")
    found.add("admin", name="eva")
    for scopes in SCOPES:
        found.add(*scopes)
    return found


@pytest.fixture
async def eva(stranger: Browser, clients: ConsoleClients) -> Browser:
    """Return the browser of eva."""
    await stranger.log_in(clients.tokens["eva"])
    return stranger


async def find_ticks(browser: Browser, *empids: str) -> list[tuple[str, str]]:
    """Return the boxes of the rows of *empids*, as a browser sends them."""
    page = await browser.open("/jobs")
    return [
        ("job", row.cssselect("td.tick input")[0].get("value"))
        for row in page.find("[data-rows] tbody tr")
        if row.cssselect("td")[3].text_content() in empids
    ]


async def read_states(app: RunningApp) -> dict[str, str]:
    return {each["empid"]: each["state"] for each in await read_jobs(app.resources)}


def heading(page: Answer) -> str:
    [found] = page.find("main h1")
    return " ".join(found.text_content().split())


async def test_ticked_jobs_are_cancelled_after_a_form_that_names_them(
    eva: Browser, closed_console: RunningApp
) -> None:
    await keep(closed_console, *number_jobs(3))

    form = await eva.send(CANCEL_TICKED, await find_ticks(eva, "N0", "N2"))
    before = await read_states(closed_console)
    done = await eva.send(CANCEL_TICKED, [*read_form(form, CANCEL_TICKED[1:]), ("reason", "twice")])

    assert (form.status, heading(form)) == (200, "Cancel 2 jobs")
    assert [each.text_content() for each in form.find(".ids a")] == [f"{2:032x}", f"{0:032x}"]
    assert set(before.values()) == {"SCHEDULED"}
    assert (done.status, heading(done)) == (200, "2 jobs are cancelled")
    states = await read_states(closed_console)
    assert states == {"N0": "CANCELLED", "N1": "SCHEDULED", "N2": "CANCELLED"}
    for job in await read_jobs(closed_console.resources):
        if job["empid"] != "N1":
            [step] = job["steps"]
            assert (step["who"], step["via"], step["act"]) == ("eva", "console", "CancelJob")
            assert step["reason"] == "twice"


async def test_ticked_jobs_are_retried(eva: Browser, closed_console: RunningApp) -> None:
    await keep(closed_console, a_failed_job(NOW, empid="E1"), a_failed_job(NOW, empid="E2"))

    form = await eva.send(RETRY_TICKED, await find_ticks(eva, "E1"))
    done = await eva.send(RETRY_TICKED, read_form(form, RETRY_TICKED[1:]))

    assert "1 job is retried" in done.words
    states = await read_states(closed_console)
    assert states["E2"] == "FAILED"
    assert states["E1"] != "FAILED"


async def test_a_job_that_has_changed_or_does_not_allow_it_is_named_and_the_others_are_done(
    eva: Browser, closed_console: RunningApp
) -> None:
    await keep(closed_console, *number_jobs(2), a_failed_job(NOW, empid="F"))
    ticks = await find_ticks(eva, "N0", "N1", "F")
    jobs = closed_console.resources.mongo.jobs
    await jobs.update_one({"empid": "N0"}, {"$set": {"reason": "other"}, "$inc": {"version": 1}})

    done = await eva.send(CANCEL_TICKED, [*ticks, ("is_sure", "yes")])

    assert (done.status, heading(done)) == (200, "1 job is cancelled")
    problems = {
        row.cssselect("th")[0].text_content(): row.cssselect("td")[0].text_content()
        for row in done.find("main tbody tr")
    }
    assert problems.pop(f"{0:032x}").startswith("It has changed since its row was ticked")
    assert [each for each in problems.values() if "FAILED" in each]
    assert (await read_states(closed_console))["N0"] == "SCHEDULED"


async def test_a_form_of_ticked_rows_that_is_sent_again_adds_no_step(
    eva: Browser, closed_console: RunningApp
) -> None:
    await keep(closed_console, *number_jobs(1))
    sent = [*await find_ticks(eva, "N0"), ("is_sure", "yes")]

    first, second = await eva.send(CANCEL_TICKED, sent), await eva.send(CANCEL_TICKED, sent)

    assert (first.status, second.status) == (200, 200)
    [job] = await read_jobs(closed_console.resources)
    assert len(job["steps"]) == 1


async def test_a_store_that_fails_ends_the_act_and_the_rest_is_named(
    eva: Browser, closed_console: RunningApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(closed_console, *number_jobs(3))
    ticks = await find_ticks(eva, "N0", "N1", "N2")
    change, tried = ticked.change, list[str]()

    async def fail_at_second(
        call: Call, act: ManyAct, tick: Tick, command: Cancel | Retry, *, within: timedelta
    ) -> None:
        tried.append(tick.job_id)
        if len(tried) == 2:
            raise StoreUnavailable("changing a job")
        await change(call, act, tick, command, within=within)

    monkeypatch.setattr(ticked, "change", fail_at_second)
    done = await eva.send(CANCEL_TICKED, [*ticks, ("is_sure", "yes")])

    assert len(tried) == 2
    assert heading(done) == "1 job is cancelled"
    assert [row.cssselect("td")[0].text_content() for row in done.find("main tbody tr")][1] == (
        "Not tried."
    )


@pytest.mark.parametrize(
    "values", [[], [f"{n} etag" for n in range(51)], ["\x00 e"], ["no-etag"], ["x" * 300 + " e"]]
)
async def test_boxes_that_make_no_sense_do_nothing(browser: Browser, values: Sequence[str]) -> None:
    for path in (CANCEL_TICKED, RETRY_TICKED):
        page = await browser.send(path, [*(("job", each) for each in values), ("is_sure", "yes")])
        assert page.status == 400
        assert page.find("main .failed[role=alert]")
        assert not page.find("main .card")


async def test_all_jobs_of_a_filter_are_counted_and_then_cancelled(
    eva: Browser, closed_console: RunningApp, raw: Database[Row]
) -> None:
    await keep(closed_console, *number_jobs(3, client="payroll"), a_kept_job(NOW, empid="other"))

    form = await eva.send(CANCEL_ALL, {"client": "payroll", "state": "SCHEDULED"})
    before = await read_states(closed_console)
    sent = [*read_form(form, CANCEL_ALL[1:]), ("reason", "called off")]
    done = await eva.send(CANCEL_ALL, sent)

    assert "Jobs with state SCHEDULED, client payroll." in form.words
    assert "3 of them can be cancelled now" in form.words
    assert not form.find("#typed")
    assert set(before.values()) == {"SCHEDULED"}
    assert (done.status, heading(done)) == (200, "3 jobs are cancelled")
    states = await read_states(closed_console)
    assert states == {"N0": "CANCELLED", "N1": "CANCELLED", "N2": "CANCELLED", "other": "SCHEDULED"}
    [entry] = read_entries(raw)
    assert (entry["who"], entry["via"], entry["act"]) == ("eva", "console", "CancelJobs")
    assert (entry["outcome"], entry["changed"]) == ("DONE", 3)
    assert entry["details"] == "state=SCHEDULED, client=payroll"


async def test_more_than_a_hundred_need_their_number_typed(
    eva: Browser, closed_console: RunningApp
) -> None:
    await keep(closed_console, *number_jobs(101))

    form = await eva.send(CANCEL_ALL, {"state": "SCHEDULED"})
    hidden = read_form(form, CANCEL_ALL[1:])
    refused = [
        await eva.send(CANCEL_ALL, [*hidden, ("typed", typed)])
        for typed in ("", "100", "1010", "101.0", "-101", "all", "1" * 99)
    ]
    before = await read_states(closed_console)
    done = await eva.send(CANCEL_ALL, [*hidden, ("typed", " 101")])

    assert form.find("#typed")
    assert [each.status for each in refused] == [400] * 7
    assert refused[0].find("#typed-problem")[0].text_content() == "must be 101"
    assert set(before.values()) == {"SCHEDULED"}
    assert heading(done) == "101 jobs are cancelled"
    assert set((await read_states(closed_console)).values()) == {"CANCELLED"}


async def test_jobs_of_a_filter_are_retried(eva: Browser, closed_console: RunningApp) -> None:
    await keep(closed_console, a_failed_job(NOW, empid="E1"), a_kept_job(NOW, empid="E2"))

    form = await eva.send(RETRY_ALL, {"all": "yes"})
    done = await eva.send(RETRY_ALL, read_form(form, RETRY_ALL[1:]))

    assert heading(form) == "Retry all jobs"
    assert "1 of them can be retried now" in form.words
    assert heading(done) == "1 job is retried"
    assert (await read_states(closed_console))["E2"] == "SCHEDULED"


async def test_a_form_that_has_lost_its_filter_changes_nothing(
    browser: Browser, open_console: RunningApp
) -> None:
    await keep(open_console, *number_jobs(2))
    lost: list[dict[str, str]] = [{}, {"all": "true"}, {"state": ""}, {"id_prefix": "00"}]
    for fields_sent in (
        *lost,
        {"state": "SENT", "empid": "N0"},
        {"due_from": "soon", "all": "yes"},
    ):
        for path in (CANCEL_ALL, RETRY_ALL):
            page = await browser.send(path, {**fields_sent, "count": "2"})
            assert page.status == 400, fields_sent
    assert set((await read_states(open_console)).values()) == {"SCHEDULED"}


async def test_without_a_job_there_is_nothing_to_send(browser: Browser) -> None:
    for path in (CANCEL_ALL, RETRY_ALL):
        page = await browser.send(path, {"empid": "none"})
        assert page.status == 200
        assert "None of them can be" in page.words
        assert not page.find("main .card")


async def test_an_address_of_a_filter_is_in_no_link(
    browser: Browser, open_console: RunningApp
) -> None:
    await keep(open_console, *number_jobs(2, email="ada@example.org"))
    listed = await browser.send("/jobs", {"q": "ada@example.org"})
    listing = next(each for each in listed.find("main form") if each.cssselect("[data-rows]"))
    form = await browser.send(CANCEL_ALL, listing.form_values())
    done = await browser.send(CANCEL_ALL, read_form(form, CANCEL_ALL[1:]))

    assert "Jobs with address ada@example.org." in form.words
    assert heading(done) == "2 jobs are cancelled"
    for page in (listed, form, done):
        for each in page.find("[href], [action], [formaction]"):
            link = each.get("href") or each.get("formaction") or each.get("action")
            assert "ada" not in link
    back = await browser.send("/jobs", read_form(done, "./jobs"))
    assert "2 jobs in all" in back.words


async def test_a_run_that_does_not_finish_says_how_many_and_goes_on(
    mongo_uri: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [
        replace(each, within=timedelta(seconds=1.5)) if "/jobs-filtered" in each.path else each
        for each in routes.ROUTES
    ]
    monkeypatch.setattr(server, "ROUTES", short)
    async with (
        running_console(mongo=mongo_uri, redis=redis_url) as app,
        open_browser(find_base(app)) as browser,
    ):
        await keep(app, *number_jobs(600))
        form = await browser.send(CANCEL_ALL, {"all": "yes"})
        sent = [*read_form(form, CANCEL_ALL[1:]), ("typed", "600"), ("reason", "off")]
        assert isinstance(app.resources.console, ServedConsole)
        installation = app.resources.console.installation
        running = installation.services
        assert running is not None
        audited = running.change_jobs
        slow = replace(
            audited.change_jobs, store=HangingStore(audited.change_jobs.store, batches=1)
        )
        installation.services = replace(running, change_jobs=replace(audited, change_jobs=slow))
        stopped = await browser.send(CANCEL_ALL, sent)
        installation.services = running
        done = await browser.send(CANCEL_ALL, read_form(stopped, CANCEL_ALL[1:]))

    assert (stopped.status, heading(stopped)) == (504, "Not finished")
    assert "At least 500 jobs are cancelled, and stay so." in stopped.words
    assert [each.text_content() for each in stopped.find("main .card button")] == ["Go on"]
    assert (done.status, heading(done)) == (200, "600 jobs are cancelled")


@pytest.mark.parametrize(
    ("scopes", "shown"),
    [
        (SCOPES[0], []),
        (SCOPES[1], ["Cancel ticked…", "Retry ticked…"]),
        (SCOPES[2], ["Cancel all jobs…", "Retry all jobs…"]),
    ],
)
async def test_acts_are_shown_to_those_who_may(
    stranger: Browser,
    clients: ConsoleClients,
    closed_console: RunningApp,
    scopes: tuple[str, ...],
    shown: list[str],
) -> None:
    await keep(closed_console, *number_jobs(1))
    await stranger.log_in(clients.tokens["-".join(scopes)])

    page = await stranger.open("/jobs")

    assert [each.text_content() for each in page.find("button[formaction]")] == shown
    assert len(page.find("td.tick")) == int("steer" in scopes)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=SENT", []),
        ("state=FAILED", ["Retry all of this filter…"]),
        ("state=SCHEDULED", ["Cancel all of this filter…"]),
        ("empid=N0", ["Cancel all of this filter…", "Retry all of this filter…"]),
        ("id_prefix=000000", []),
    ],
)
async def test_only_acts_that_the_filter_allows_are_shown(
    browser: Browser, open_console: RunningApp, query: str, shown: list[str]
) -> None:
    states = {"empid": "N0", "state": State.SENT}
    await keep(open_console, *number_jobs(1), a_failed_job(NOW), a_kept_job(NOW, **states))

    page = await browser.open(f"/jobs?{query}")

    assert [each.text_content() for each in page.find("[formaction*=filtered]")] == shown


FILTERS = [
    JobFilter(),
    JobFilter(state=State.FAILED),
    JobFilter(state=State.FAILED, due_time_from=NOW, client="payroll"),
    JobFilter(
        state=State.SCHEDULED,
        due_time_from=NOW + timedelta(seconds=1, milliseconds=7),
        due_time_before=NOW + timedelta(days=1),
    ),
    JobFilter(empid="E 1&<x"),
    JobFilter(email="ada@example.org"),
    JobFilter(request_id="r-1"),
    JobFilter(meeting_id="a" * 32),
    JobFilter(client="payroll"),
]


@pytest.mark.parametrize("job_filter", FILTERS)
def test_the_filter_that_is_sent_is_the_one_that_was_shown(job_filter: JobFilter) -> None:
    """In whatever zone the form is read: it was opened in another one, perhaps."""
    query = require_valid(parse_bulk_query(format_fields(job_filter), zone=ZoneInfo("UTC")))
    sent = format_bulk_query(query)
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        found = require_valid(parse_bulk_query(sent, zone=ZoneInfo(zone)))
        assert found == query
        assert found.filter == job_filter


def format_fields(job_filter: JobFilter) -> dict[str, str]:
    names = {"due_time_from": "due_from", "due_time_before": "due_before"}
    given = {names.get(f.name, f.name): getattr(job_filter, f.name) for f in fields(job_filter)}
    every = {"all": "yes"} if job_filter == JobFilter() else {}
    return every | {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in given.items()
        if value
    }


async def test_each_field_of_a_filter_is_in_its_words(browser: Browser) -> None:
    named = {f.name for each in FILTERS for f in fields(each) if getattr(each, f.name)}
    assert named == {f.name for f in fields(JobFilter)} - {"id_prefix"}  # no act takes that one
    for each in FILTERS:
        sent = format_fields(each)
        page = await browser.send(CANCEL_ALL, sent)
        [words] = page.find("main h1 + p")
        for name, value in sent.items():
            if name in {"due_from", "due_before"}:
                [shown] = words.cssselect(f"time[datetime='{value}']")
                assert shown.getprevious() is None or name.replace("_", " ") in words.text_content()
            elif name != "all":
                assert value in [bold.text_content() for bold in words.cssselect("b")], name
        if each == JobFilter():
            assert words.text_content() == "All jobs."


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("101", 101), ("1,234", 1234), (" 7 ", 7), ("", None), ("x", None), ("٣", None)),
        *(("-1", None), ("1.5", None), ("9" * 13, None)),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, number: int | None) -> None:
    assert parse_count(text) == number


def test_a_filter_of_all_jobs_must_be_meant() -> None:
    with pytest.raises(InvalidRequest):
        require_valid(parse_bulk_query({}, zone=ZoneInfo("UTC")))
