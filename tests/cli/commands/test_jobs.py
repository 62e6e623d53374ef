import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import ErrorAnswer, fake_scheduler
from tests.support.terminal import run_on_terminal

MANY = task_pb2.ChangeJobsResponse(count=1234)
ONE = task_pb2.ChangeJobsResponse(count=1)
FAILED = task_pb2.JobFilter(state=task_pb2.Job.FAILED)


@pytest.mark.parametrize("answer", ["y", "YES"])
async def test_a_bulk_change_asks_with_the_count_first(answer: str) -> None:
    async with fake_scheduler(CancelJobs=MANY) as service:
        arguments = ["jobs", "cancel", "--empid=E1", "--reason=moved", "--target", service.target]
        code, shown = await run_on_terminal(arguments, input_text=f"{answer}\n")

    counting, changing = service.requests
    expected = task_pb2.JobFilter(empid="E1")
    assert code == 0
    assert "Cancel 1,234 jobs? [y/N] " in shown
    assert shown.endswith("cancelled 1,234 jobs\n")
    assert counting == task_pb2.ChangeJobsRequest(
        filter=expected, reason="moved", validate_only=True
    )
    assert changing == task_pb2.ChangeJobsRequest(filter=expected, reason="moved")


@pytest.mark.parametrize("answer", ["\n", "n\n", "what?\n", "\x04"], ids=["", "n", "?", "Ctrl-D"])
async def test_any_answer_but_yes_changes_nothing(answer: str) -> None:
    async with fake_scheduler(RetryJobs=ONE) as service:
        arguments = ["jobs", "retry", "--state=failed", "--target", service.target]
        code, shown = await run_on_terminal(arguments, input_text=answer)

    assert code == 1
    assert "Retry 1 job? [y/N] " in shown
    assert shown.endswith("nothing was changed\n")
    assert service.requests == [task_pb2.ChangeJobsRequest(filter=FAILED, validate_only=True)]


async def test_an_empty_filter_result_is_not_confirmed() -> None:
    async with fake_scheduler(CancelJobs=task_pb2.ChangeJobsResponse()) as service:
        arguments = ["jobs", "cancel", "--empid=E1", "--target", service.target]
        code, shown = await run_on_terminal(arguments)

    assert (code, shown) == (0, "cancelled 0 jobs\n")
    assert len(service.requests) == 1


async def test_without_a_terminal_and_yes_nothing_is_done() -> None:
    async with fake_scheduler(CancelJobs=MANY) as service:
        done = await run_command("jobs", "cancel", "--all", "--target", service.target)

    assert (done.code, done.out) == (2, "")
    assert "--yes" in done.err
    assert service.requests == []


async def test_yes_skips_the_question() -> None:
    async with fake_scheduler(CancelJobs=MANY, RetryJobs=ONE) as service:
        cancelled = await run_command(
            "jobs", "cancel", "--all", "--yes", "--target", service.target
        )
        retried = await run_command(
            "jobs", "retry", "--state=failed", "--yes", "--json", "--target", service.target
        )

    assert (cancelled.code, cancelled.out) == (0, "cancelled 1,234 jobs\n")
    assert (retried.code, retried.out) == (0, '{"count": "1"}\n')
    assert service.requests == [
        task_pb2.ChangeJobsRequest(all=True),
        task_pb2.ChangeJobsRequest(filter=FAILED),
    ]


async def test_a_dry_run_only_counts() -> None:
    async with fake_scheduler(CancelJobs=MANY) as service:
        done = await run_command(
            *("jobs", "cancel", "--state=queued", "--due-time-before=1767603600", "--dry-run"),
            *("--target", service.target),
        )

    expected = task_pb2.JobFilter(
        state=task_pb2.Job.QUEUED, due_time_before=Timestamp(seconds=1767603600)
    )
    assert (done.code, done.out) == (0, "would cancel 1,234 jobs\n")
    assert service.requests == [task_pb2.ChangeJobsRequest(filter=expected, validate_only=True)]


@pytest.mark.parametrize("options", [[], ["--all", "--empid=E1"]])
async def test_a_bulk_change_requires_either_a_filter_or_all(options: list[str]) -> None:
    async with fake_scheduler(CancelJobs=MANY) as service:
        done = await run_command("jobs", "cancel", *options, "--yes", "--target", service.target)

    assert (done.code, done.err) == (2, "specify a filter or --all\n")
    assert service.requests == []


async def test_a_filter_that_no_index_serves_is_refused_with_the_name_of_the_option() -> None:
    refusal = ErrorAnswer(code=grpc.StatusCode.INVALID_ARGUMENT, fields=(("filter", "cannot"),))
    async with fake_scheduler(RetryJobs=refusal) as service:
        done = await run_command("jobs", "retry", "--empid=E1", "--yes", "--target", service.target)

    assert (done.code, done.err) == (2, "as the test says\n  --filter: cannot\n")


async def test_a_change_that_ran_out_of_time_shows_its_count() -> None:
    unfinished = ErrorAnswer(
        code=grpc.StatusCode.DEADLINE_EXCEEDED,
        message="out of time after 7 jobs",
        reason="NOT_FINISHED",
        metadata=(("count", "7"),),
    )
    async with fake_scheduler(RetryJobs=unfinished) as service:
        done = await run_command("jobs", "retry", "--empid=E1", "--yes", "--target", service.target)

    first = f"{service.target} answered DEADLINE_EXCEEDED: out of time after 7 jobs"
    assert done.code == 3
    assert done.err.splitlines() == [first, "  reason: NOT_FINISHED", "  count: 7"]


async def test_a_filter_may_be_written_in_one_argument() -> None:
    async with fake_scheduler(CancelJobs=ONE) as service:
        which = "state=scheduled due_time_before=2027-01-04T00:00:00Z"
        done = await run_command(
            "jobs", "cancel", "--filter", which, "--yes", "--target", service.target
        )

    midnight = Timestamp(seconds=1799020800)
    expected = task_pb2.JobFilter(state=task_pb2.Job.SCHEDULED, due_time_before=midnight)
    assert done.code == 0
    assert service.requests == [task_pb2.ChangeJobsRequest(filter=expected)]


async def test_a_request_id_cannot_be_combined() -> None:
    """An older service would ignore the request id and apply the rest of the filter."""
    async with fake_scheduler(CancelJobs=ONE) as service:
        done = await run_command(
            *("jobs", "cancel", "--state=failed", "--due-time-from=+1h", "--request-id=a", "--yes"),
            *("--target", service.target),
        )

    assert (done.code, service.requests) == (2, [])
    assert done.err.startswith("cannot combine --state, --due-time-from and --request-id: ")


async def test_all_jobs_of_a_client_can_be_changed() -> None:
    mine = task_pb2.ListJobsResponse(jobs=[task_pb2.Job(job_id="7", client="payroll")])
    refused = ErrorAnswer(code=grpc.StatusCode.PERMISSION_DENIED, reason="SCOPE_MISSING")
    async with fake_scheduler(CancelJobs=ONE, ListJobs=[mine, refused]) as service:
        options = ("--client=payroll", "--state=failed", "--yes", "--target", service.target)
        done = [await run_command("jobs", "cancel", *options) for _ in range(2)]

    expected = task_pb2.JobFilter(client="payroll", state=task_pb2.Job.FAILED)
    changing = [each for each in service.requests if isinstance(each, task_pb2.ChangeJobsRequest)]
    assert [(each.code, each.out) for each in done] == [(0, "cancelled 1 job\n")] * 2
    assert changing == [task_pb2.ChangeJobsRequest(filter=expected)] * 2


async def test_a_service_older_than_clients_changes_nothing() -> None:
    """It would ignore the client and change the jobs of all."""
    others = task_pb2.ListJobsResponse(jobs=[task_pb2.Job(job_id="7")])
    async with fake_scheduler(CancelJobs=ONE, ListJobs=others) as service:
        options = ("--client=payroll", "--state=failed", "--yes", "--target", service.target)
        done = await run_command("jobs", "cancel", *options)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("this service is older than --client")
    assert not [each for each in service.requests if isinstance(each, task_pb2.ChangeJobsRequest)]


@pytest.mark.parametrize(
    ("which", "words"),
    [
        (
            "status=failed",
            "one of state, due_time_from, due_time_before, empid, email, request_id, meeting_id",
        ),
        ("state=asleep", "expected one of queued, scheduled"),
        ("failed", "expected name=value"),
        ("empid=E1 empid=E2", "duplicate filter field 'empid'"),
        ("due_time_from=someday", "someday"),
    ],
)
async def test_an_invalid_filter_is_reported(which: str, words: str) -> None:
    done = await run_command("jobs", "cancel", "--filter", which, "--yes")

    assert done.code == 2
    assert words in " ".join(done.err.split())
