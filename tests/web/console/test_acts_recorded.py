"""Each act of an operator is found in the record of its job, or in the audit, with their name."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pymongo.database import Database

from gcsched.domain.ids import etag_of
from gcsched.domain.job import Job
from gcsched.web.console.pages.inbox import ROUTES as INBOX_ROUTES
from gcsched.web.console.routes import ROUTES
from gcsched.web.console.routing import OPEN, Kind
from tests.support.audits import read_entries
from tests.support.console import Browser, ConsoleClients
from tests.support.console_jobs import a_failed_job, a_kept_job, an_uncertain_job, keep
from tests.support.in_process_app import RunningApp
from tests.support.rows import Row

NOW = datetime.now(UTC).replace(microsecond=0)
READING = (
    *("/jobs", "/audit", "/meetings", "/suppressions/pages", "/suppressions/find"),
    *("/templates/{name}", "/templates/{name}/mail"),
)
WITHOUT_A_RECORD = {
    *(("POST", each) for each in READING),
    *((each.method, each.path) for each in INBOX_ROUTES),
}
"""Searches and previews change nothing, and the inbox is a folder of `gcsched dev`."""
ELSEWHERE = {"/jobs/{id}/again", "/templates/{name}/send", "/recipients/{empid}/erase"}
ELSEWHERE |= {f"/suppressions/{act}" for act in ("add", "remove", "import")}
ELSEWHERE |= {f"/meetings/{{id}}/{act}" for act in ("move", "edit", "cancel", "add", "remove")}
"""What has tests of its own: new jobs belong to the operator, meetings have steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An act: the fields of its form, and where its record is, under which method."""

    path: str
    method: str
    fields: dict[str, str]
    is_in_job: bool = False
    is_in_audit: bool = False


def of_job(path: str, method: str, **fields: str) -> Act:
    return Act(path=path, method=method, fields=fields, is_in_job=True)


def of_many(path: str, method: str, **fields: str) -> Act:
    """Return an act whose record is in the audit, and that each of its jobs has as well."""
    return Act(path=path, method=method, fields=fields, is_in_job=True, is_in_audit=True)


def of_service(path: str, method: str, **fields: str) -> Act:
    return Act(path=path, method=method, fields=fields, is_in_audit=True)


WAITING, FAILED, UNCERTAIN = (
    a_kept_job(NOW, id="a" * 32, empid="W"),
    a_failed_job(NOW, id="b" * 32, empid="F"),
    an_uncertain_job(NOW, id="c" * 32, empid="U"),
)
JOBS = {"waiting": WAITING, "failed": FAILED, "uncertain": UNCERTAIN}
ACTS = (
    of_service("/pause", "PauseSending", reason="the relay moves"),
    of_service("/resume", "ResumeSending"),
    of_service("/daily", "RunDailyQueue"),
    of_job("/jobs/{waiting}/cancel", "CancelJob", reason="twice"),
    of_job("/jobs/{waiting}/reschedule", "RescheduleJob", when="daily", zone="UTC"),
    of_job("/jobs/{failed}/retry", "RetryJob"),
    of_job("/jobs/{uncertain}/resolve", "ResolveJob", state="FAILED", reason="not in the log"),
    of_service("/jobs/{failed}/block", "AddSuppression", reason="left us", zone="UTC"),
    of_job("/jobs-ticked/cancel", "CancelJob", job="{waiting} {etag}", is_sure="yes"),
    of_job("/jobs-ticked/retry", "RetryJob", job="{failed} {etag}", is_sure="yes"),
    of_many("/jobs-filtered/cancel", "CancelJobs", empid="W", count="1"),
    of_many("/jobs-filtered/retry", "RetryJobs", empid="F", count="1"),
)


def fill(text: str, job: Job | None) -> str:
    given = {name: each.id for name, each in JOBS.items()}
    return text.format(**given, etag="" if job is None else etag_of(job))


def find_job(act: Act) -> Job | None:
    named = act.path + act.fields.get("job", "")
    return next((job for name, job in JOBS.items() if f"{{{name}}}" in named), None)


@pytest.fixture
def clients(tmp_path: Path) -> ConsoleClients:
    found = ConsoleClients(file=tmp_path / "clients.toml")
    found.add("admin", name="eva")
    return found


@pytest.fixture
async def eva(stranger: Browser, clients: ConsoleClients) -> Browser:
    """Return the browser of eva, who may do everything."""
    await stranger.log_in(clients.tokens["eva"])
    return stranger


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.path)
async def test_an_act_has_its_record_with_the_name(
    eva: Browser, closed_console: RunningApp, raw: Database[Row], act: Act
) -> None:
    job = find_job(act)
    await keep(closed_console, *JOBS.values())
    fields = {name: fill(value, job) for name, value in act.fields.items()}
    if job is not None:
        fields["etag"] = etag_of(job)

    answer = await eva.send(fill(act.path, job), fields)

    assert answer.status in {200, 303}, answer.words
    steps = [step for row in raw["jobs"].find() for step in row.get("steps", [])]
    entries = read_entries(raw)
    expected = ("eva", "console", act.method)
    assert [(s["who"], s["via"], s["act"]) for s in steps] == [expected] * act.is_in_job
    assert [(e["who"], e["via"], e["act"]) for e in entries] == [expected] * act.is_in_audit
    assert {each["outcome"] for each in entries} <= {"DONE"}


async def test_a_job_that_is_sent_again_belongs_to_the_operator(
    eva: Browser, closed_console: RunningApp, raw: Database[Row]
) -> None:
    await keep(closed_console, FAILED)
    fields = {"email": FAILED.email, "request_id": "again-1"}

    answer = await eva.send(f"/jobs/{FAILED.id}/again", fields)

    [made] = raw["jobs"].find({"_id": {"$ne": FAILED.id}})
    assert answer.status == 303
    assert made["client"] == "eva"


def test_each_act_of_the_table_is_here() -> None:
    known = {each.path.format(**dict.fromkeys(JOBS, "{id}")) for each in ACTS}
    acts = {
        each.path
        for each in ROUTES
        if each.kind is Kind.ACT
        and each.act != OPEN
        and (each.method, each.path) not in WITHOUT_A_RECORD
    }

    assert acts == known | ELSEWHERE
