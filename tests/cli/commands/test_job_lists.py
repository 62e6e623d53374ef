"""`gcsched job list` and `job count`: rows, pages, limits and filters."""

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.cli.filters import STATES
from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import fake_scheduler
from tests.support.job_commands import BARE, DUE, ID, JOB


def page(*numbers: int, token: str = "") -> task_pb2.ListJobsResponse:
    jobs = [task_pb2.Job(job_id=f"{n:032}", state=task_pb2.Job.SENT) for n in numbers]
    return task_pb2.ListJobsResponse(jobs=jobs, next_page_token=token)


async def test_a_list_has_a_row_for_each_job_and_a_dash_for_an_empty_field() -> None:
    full = task_pb2.ListJobsResponse(jobs=[JOB, BARE])
    async with fake_scheduler(ListJobs=full) as service:
        done = await run_command("job", "list", "--target", service.target)

    here = DUE.astimezone().isoformat()
    heading, first, second = done.out.splitlines()
    assert heading.split() == ["JOB_ID", "STATE", "DUE_TIME", "EMPID", "EMAIL", "REASON"]
    assert first == f"{ID}  RETRYING  {here}  E1815  ada@example.org  451 later"
    assert second.split() == [ID, "-", "-", "-", "-", "-"]
    assert service.requests == [task_pb2.ListJobsRequest(page_size=50)]


@pytest.mark.parametrize(
    ("options", "expected", "order"),
    [
        (["--empid", "E1"], task_pb2.JobFilter(empid="E1"), "create-time-asc"),
        (
            ["--email", "a@example.org"],
            task_pb2.JobFilter(email="a@example.org"),
            "create-time-desc",
        ),
        (["--request-id", "a-uuid"], task_pb2.JobFilter(request_id="a-uuid"), "create-time-asc"),
        (
            [
                "--state=sent",
                "--due-time-from=2026-01-05T09:00:00Z",
                "--due-time-before=1767603601",
            ],
            task_pb2.JobFilter(
                state=task_pb2.Job.SENT,
                due_time_from=Timestamp(seconds=1767603600),
                due_time_before=Timestamp(seconds=1767603601),
            ),
            "due-time-desc",
        ),
    ],
)
async def test_every_filter_reaches_its_field(
    options: list[str], expected: task_pb2.JobFilter, order: str
) -> None:
    more = ("--order", order, "--full", "--limit", "7")
    async with fake_scheduler(ListJobs=page(), CountJobs=task_pb2.CountJobsResponse()) as service:
        await run_command("job", "list", *options, *more, "--target", service.target)
        await run_command("job", "count", *options, "--target", service.target)

    listing, counting = service.requests
    assert listing == task_pb2.ListJobsRequest(
        filter=expected,
        order=order.upper().replace("-", "_"),
        page_size=7,
        view=task_pb2.Job.FULL,
    )
    is_listed = bool(
        expected.request_id
    )  # listed, to notice an older service, which ignores the field
    assert counting == (
        task_pb2.ListJobsRequest(filter=expected, page_size=200)
        if is_listed
        else task_pb2.CountJobsRequest(filter=expected)
    )


def of_requests(*ids: str, token: str = "") -> task_pb2.ListJobsResponse:
    jobs = [task_pb2.Job(job_id=ID, request_id=each) for each in ids]
    return task_pb2.ListJobsResponse(jobs=jobs, next_page_token=token)


async def test_jobs_of_a_request_id_are_verified_when_listed_and_counted() -> None:
    pages = [of_requests("a-uuid", token="next"), of_requests("a-uuid", "a-uuid")]
    options = ("--request-id=a-uuid", "--json", "--target")
    async with fake_scheduler(ListJobs=pages * 2) as service:
        listed = await run_command("job", "list", *options, service.target)
        counted = await run_command("job", "count", *options, service.target)

    assert (listed.code, len(listed.out.splitlines())) == (0, 3)
    assert (counted.code, json.loads(counted.out)["count"]) == (0, "3")
    expected = task_pb2.JobFilter(request_id="a-uuid")
    listings = [each for each in service.requests if isinstance(each, task_pb2.ListJobsRequest)]
    assert [each.filter for each in listings] == [expected] * 4


def of_clients(*names: str) -> task_pb2.ListJobsResponse:
    jobs = [task_pb2.Job(job_id=ID, client=name) for name in names]
    return task_pb2.ListJobsResponse(jobs=jobs)


async def test_a_list_shows_the_clients_where_there_are_any() -> None:
    async with fake_scheduler(ListJobs=of_clients("payroll", "")) as service:
        done = await run_command("job", "list", "--target", service.target)

    heading, first, second = (line.split() for line in done.out.splitlines())
    assert heading == ["JOB_ID", "STATE", "DUE_TIME", "EMPID", "EMAIL", "CLIENT", "REASON"]
    assert (first[-2:], second[-2:]) == (["payroll", "-"], ["-", "-"])


async def test_the_jobs_of_a_client_are_listed_and_counted() -> None:
    count = task_pb2.CountJobsResponse(count=2)
    async with fake_scheduler(ListJobs=of_clients("payroll"), CountJobs=count) as service:
        options = ("--client=payroll", "--state=sent", "--target", service.target)
        listed = await run_command("job", "list", "--json", *options)
        counted = await run_command("job", "count", *options)

    expected = task_pb2.JobFilter(client="payroll", state=task_pb2.Job.SENT)
    assert (listed.code, json.loads(listed.out)["client"]) == (0, "payroll")
    assert (counted.code, counted.out) == (0, "2\n")
    listing, verifying, counting = service.requests
    assert listing == task_pb2.ListJobsRequest(filter=expected, page_size=50)
    assert verifying == task_pb2.ListJobsRequest(filter=expected, page_size=1)
    assert counting == task_pb2.CountJobsRequest(filter=expected)


@pytest.mark.parametrize("method", ["list", "count"])
async def test_a_service_older_than_clients_is_detected(method: str) -> None:
    count = task_pb2.CountJobsResponse(count=2)
    async with fake_scheduler(ListJobs=of_clients(""), CountJobs=count) as service:
        done = await run_command("job", method, "--client=payroll", "--target", service.target)

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"this service is older than --client and listed job {ID} of another client: leave out"
        " --client, or upgrade the service\n"
    )


@pytest.mark.parametrize("method", ["list", "count"])
@pytest.mark.parametrize("other", ["", "another"])
async def test_a_service_older_than_request_ids_is_detected(method: str, other: str) -> None:
    async with fake_scheduler(ListJobs=of_requests("a-uuid", other)) as service:
        done = await run_command("job", method, "--request-id=a-uuid", "--target", service.target)

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"this service is older than --request-id and listed job {ID} of another request: use"
        " --empid or --email, or upgrade the service\n"
    )


@pytest.mark.parametrize("method", ["list", "count"])
async def test_the_jobs_of_a_meeting_and_a_service_that_is_older_than_meetings(
    method: str,
) -> None:
    known = task_pb2.ListJobsResponse(jobs=[task_pb2.Job(job_id=ID, meeting_id="M")])
    count = task_pb2.CountJobsResponse(count=1)
    async with fake_scheduler(ListJobs=[known, page(1)], CountJobs=count) as service:
        where = ("--meeting-id=M", "--target", service.target)
        found = await run_command("job", method, *where)
        older = await run_command("job", method, *where)

    assert (found.code, older.code, older.out) == (0, 1, "")
    assert older.err.startswith("this service is older than --meeting-id and listed job ")
    listings = [each for each in service.requests if isinstance(each, task_pb2.ListJobsRequest)]
    assert [each.filter for each in listings] == [task_pb2.JobFilter(meeting_id="M")] * 2


async def test_pages_are_read_up_to_the_limit_and_a_note_says_that_there_are_more() -> None:
    pages = [page(1, 2, token="next"), page(3, token="more")]
    async with fake_scheduler(ListJobs=pages) as service:
        done = await run_command("job", "list", "--json", "--limit=3", "--target", service.target)

    first, second = service.requests
    assert first == task_pb2.ListJobsRequest(page_size=3)
    assert second == task_pb2.ListJobsRequest(page_size=1, page_token="next")
    ids = [json.loads(line)["job_id"] for line in done.out.splitlines()]
    assert ids == [f"{n:032}" for n in (1, 2, 3)]
    assert done.err == "there are more than 3: use --limit N to show more, --limit 0 to show all\n"


async def test_no_limit_reads_all_pages_and_the_last_one_needs_no_note() -> None:
    async with fake_scheduler(ListJobs=[page(1, token="next"), page(2)]) as service:
        done = await run_command("job", "list", "--limit=0", "--target", service.target)

    assert len(done.out.splitlines()) == 3
    assert done.err == ""
    assert service.requests[0] == task_pb2.ListJobsRequest(page_size=200)


async def test_a_full_list_shows_each_job_as_show_does() -> None:
    jobs = task_pb2.ListJobsResponse(jobs=[JOB, JOB])
    async with fake_scheduler(ListJobs=jobs, GetJob=JOB) as service:
        full = await run_command("job", "list", "--full", "--target", service.target)
        shown = await run_command("job", "show", ID, "--target", service.target)

    assert full.out == f"{shown.out}\n{shown.out}"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (task_pb2.CountJobsResponse(count=3), "3\n"),
        (task_pb2.CountJobsResponse(count=10_000, has_more=True), "more than 10000\n"),
    ],
)
async def test_a_count_is_a_number_or_says_that_there_are_more(
    answer: task_pb2.CountJobsResponse, shown: str
) -> None:
    async with fake_scheduler(CountJobs=answer) as service:
        done = await run_command("job", "count", "--target", service.target)

    assert (done.code, done.out) == (0, shown)


def test_the_states_are_those_of_the_contract() -> None:
    assert ("STATE_UNSPECIFIED", *STATES) == tuple(task_pb2.Job.State.keys())
