"""Filters and orders that are refused before a call. Oracle: the table of the service."""

from itertools import combinations

import pytest

from gcsched.cli import filters
from gcsched.domain.job_list import ALLOWED_ORDERS
from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler

OPTIONS = {
    "state": "--state=sent",
    "due_time": "--due-time-from=1",
    "empid": "--empid=E1",
    "email": "--email=ada@example.org",
    "request_id": "--request-id=R1",
    "meeting_id": "--meeting-id=M1",
}
COMBINED = [names for size in range(len(OPTIONS) + 1) for names in combinations(OPTIONS, size)]
ANSWERS = {
    "ListJobs": task_pb2.ListJobsResponse(),
    "CountJobs": task_pb2.CountJobsResponse(),
    "CancelJobs": task_pb2.ChangeJobsResponse(),
    "RetryJobs": task_pb2.ChangeJobsResponse(),
}


async def test_filters_that_the_service_would_refuse_are_refused_before_the_call() -> None:
    async with fake_scheduler(**ANSWERS) as service:
        for names in COMBINED:
            chosen = [OPTIONS[name] for name in names]
            for order in ("", *filters.ORDERS):
                more = [f"--order={order}"] if order else []
                where = (*more, "--target", service.target)
                done = await run_command("job", "list", *chosen, *where)

                served = {each.lower().replace("_", "-") for each in ALLOWED_ORDERS.get(names, ())}
                is_served = order in served if order else bool(served)
                assert (done.code == 0) is is_served, (names, order, done.err)

    listings = [each for each in service.requests if isinstance(each, task_pb2.ListJobsRequest)]
    assert len(listings) == sum(
        len(ALLOWED_ORDERS.get(names, ())) + (names in ALLOWED_ORDERS) for names in COMBINED
    )


async def test_each_filter_that_the_service_serves_may_have_a_client() -> None:
    async with fake_scheduler(**ANSWERS) as service:
        for names in COMBINED:
            chosen = [OPTIONS[name] for name in names]
            done = await run_command(
                "job", "list", *chosen, "--client=payroll", "--target", service.target
            )

            assert (done.code == 0) is ((*names, "client") in ALLOWED_ORDERS), (names, done.err)

    listings = [each for each in service.requests if isinstance(each, task_pb2.ListJobsRequest)]
    assert {each.filter.client for each in listings} == {"payroll"}


@pytest.mark.parametrize(
    "act", [["job", "count"], ["jobs", "cancel", "--yes"], ["jobs", "retry", "--dry-run"]]
)
async def test_each_command_with_a_filter_refuses_unsupported_combinations(act: list[str]) -> None:
    async with fake_scheduler(**ANSWERS) as service:
        where = ("--target", service.target)
        done = await run_command(
            *act, "--empid=E1", "--filter=state=sent due_time_before=1", *where
        )

    assert (done.code, done.out, service.requests) == (2, "", [])
    assert done.err == (
        "cannot combine --state, --due-time-before and --empid: filter by a state, with or without"
        " due times, or by an employee, an address, a request id or a meeting; each also with a"
        " client, or by a client alone\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--due-time-from=1"], "cannot use --due-time-from without --state: add a state"),
        (["--order=due-time-asc"], "cannot use --order due-time-asc without --state: "),
        (["--empid=E1", "--order=due-time-asc"], "cannot use --order due-time-asc with --empid: "),
        (["--state=sent", "--order=create-time-asc"], ": use due-time-asc or due-time-desc"),
    ],
)
async def test_the_errors_name_the_options(arguments: list[str], sentence: str) -> None:
    done = await run_command("job", "list", *arguments)

    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
