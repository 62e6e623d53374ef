"""`gcsched audit`: rows, pages, options; and the steps in `gcsched job show`."""

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler
from tests.support.job_commands import DUE, ID, run_with_answers

ENTRY = task_pb2.AuditEntry(
    id="0190",
    time=DUE,
    client="payroll",
    via="grpc",
    method="CancelJobs",
    details="state=SCHEDULED",
    outcome=task_pb2.AuditEntry.DONE,
    count=12,
    end_time=DUE,
)
HERE = DUE.astimezone().isoformat()


async def test_all_pages_are_listed_with_who_what_and_how_it_ended() -> None:
    pages = [
        task_pb2.ListAuditResponse(entries=[ENTRY], next_page_token="next"),
        task_pb2.ListAuditResponse(entries=[task_pb2.AuditEntry(id="0189")]),
    ]
    async with fake_scheduler(ListAudit=pages) as service:
        done = await run_command("audit", "--target", service.target)

    heading, first, second = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert heading.split() == [
        *("TIME", "CLIENT", "METHOD", "OUTCOME", "COUNT", "ERROR", "DETAILS"),
    ]
    assert first.split() == [HERE, "payroll", "CancelJobs", "DONE", "12", "-", "state=SCHEDULED"]
    assert second.split() == ["-", "-", "-", "STARTED", "0", "-", "-"]
    assert service.requests == [
        task_pb2.ListAuditRequest(page_size=50),
        task_pb2.ListAuditRequest(page_size=49, page_token="next"),
    ]


async def test_json_has_a_line_for_each_entry() -> None:
    both = task_pb2.ListAuditResponse(entries=[ENTRY, ENTRY])
    async with fake_scheduler(ListAudit=both) as service:
        done = await run_command("audit", "--json", "--target", service.target)

    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["client"], line["count"], line["outcome"]) for line in lines] == [
        ("payroll", "12", "DONE")
    ] * 2


async def test_every_option_reaches_its_field() -> None:
    options = [
        *("--client", "payroll", "--subject", "E1815", "--limit", "7"),
        *("--since", "2026-01-05T09:00:00Z", "--until=1767603601"),
    ]
    async with fake_scheduler(ListAudit=task_pb2.ListAuditResponse()) as service:
        done = await run_command("audit", *options, "--target", service.target)

    assert done.code == 0
    assert service.requests == [
        task_pb2.ListAuditRequest(
            page_size=7,
            client="payroll",
            subject="E1815",
            from_time=Timestamp(seconds=1767603600),
            before_time=Timestamp(seconds=1767603601),
        )
    ]


@pytest.mark.parametrize("option", ["--since", "--until"])
async def test_a_time_that_is_none_is_refused(option: str) -> None:
    done = await run_command("audit", f"{option}=daily")

    assert done.code == 2
    assert option in done.err


async def test_a_job_is_shown_with_the_steps_of_callers() -> None:
    step = task_pb2.Step(
        time=DUE,
        client="payroll",
        via="grpc",
        method="CancelJob",
        previous_state=task_pb2.Job.SCHEDULED,
        state=task_pb2.Job.CANCELLED,
        reason="has moved",
    )
    done, _ = await run_with_answers(
        "job", "show", ID, GetJob=task_pb2.Job(job_id=ID, steps=[step])
    )

    job, empty, heading, row = done.out.splitlines()
    assert (job, empty) == (f"job_id  {ID}", "")
    assert heading.split() == [
        *("TIME", "CLIENT", "METHOD", "PREVIOUS_STATE", "STATE", "VIA", "REASON"),
    ]
    shown = [HERE, "payroll", "CancelJob", "SCHEDULED", "CANCELLED", "grpc", "has", "moved"]
    assert row.split() == shown
