import json
import socket
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.cli.filters import STATES
from gcsched.pb import task_pb2
from tests.support.command import Done, command
from tests.support.contract_server import Refusal, answering
from tests.support.ports import free_port

ID = "0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"
DUE = datetime(2026, 1, 5, 9, tzinfo=UTC)
JOB = task_pb2.Job(
    job_id=ID,
    state=task_pb2.Job.RETRYING,
    etag="3",
    empid="E1815",
    email="ada@example.org",
    name="Ada",
    labels={"team": "hr", "a": "b"},
    due=DUE,
    reason="451 later",
    attempt=1,
    attempts=[
        task_pb2.Attempt(
            begun=DUE,
            kind=task_pb2.Attempt.LATER,
            relay="first",
            code=451,
            enhanced="4.7.1",
            text="later\x1b[2J please",
        )
    ],
)
BARE = task_pb2.Job(job_id=ID)


async def asked(*arguments: str, **answers: task_pb2.Job | Refusal) -> tuple[Done, list[object]]:
    async with answering(**answers) as service:
        done = await command(*arguments, "--target", service.target)
    return done, list(service.asked)


async def test_a_job_is_shown_by_the_names_of_the_contract_with_its_attempts() -> None:
    done, (request,) = await asked("job", "show", ID, GetJob=JOB)

    here = DUE.astimezone().isoformat()
    assert request == task_pb2.GetJobRequest(job_id=ID)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"job_id   {ID}",
        "state    RETRYING",
        "etag     3",
        "empid    E1815",
        "email    ada@example.org",
        "name     Ada",
        "labels   a=b, team=hr",
        f"due      {here}",
        "reason   451 later",
        "attempt  1",
        "",
        f"BEGUN{' ' * (len(here) - 5)}  KIND   RELAY  CODE  ENHANCED  TEXT",
        f"{here}  LATER  first  451   4.7.1     later?[2J please",
    ]


async def test_json_is_one_line_with_every_field_by_its_name_and_times_in_utc() -> None:
    done, _ = await asked("job", "show", ID, "--json", GetJob=JOB)

    said = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert said["job_id"] == ID
    assert said["due"] == "2026-01-05T09:00:00Z"
    assert said["reason"] == "451 later"
    assert said["attempts"][0]["text"] == "later\x1b[2J please"


@pytest.mark.parametrize(
    ("arguments", "method", "request_"),
    [
        (["cancel", ID], "CancelJob", task_pb2.CancelJobRequest(job_id=ID)),
        (
            ["cancel", ID, "--reason", "moved", "--etag", "3"],
            "CancelJob",
            task_pb2.CancelJobRequest(job_id=ID, reason="moved", etag="3"),
        ),
        (
            ["reschedule", ID, "--at", "2026-01-05T09:00:00Z"],
            "RescheduleJob",
            task_pb2.RescheduleJobRequest(job_id=ID, timestamp=1767603600),
        ),
        (
            ["reschedule", ID, "--daily", "--etag=3"],
            "RescheduleJob",
            task_pb2.RescheduleJobRequest(job_id=ID, timestamp=0, etag="3"),
        ),
        (
            ["reschedule", ID, "--at", "daily"],
            "RescheduleJob",
            task_pb2.RescheduleJobRequest(job_id=ID),
        ),
        (["retry", ID], "RetryJob", task_pb2.RetryJobRequest(job_id=ID)),
        (
            ["resolve", ID, "--sent", "--reason=seen"],
            "ResolveJob",
            task_pb2.ResolveJobRequest(job_id=ID, state=task_pb2.Job.SENT, reason="seen"),
        ),
        (
            ["resolve", ID, "--failed", "--reason=lost", "--etag=3"],
            "ResolveJob",
            task_pb2.ResolveJobRequest(
                job_id=ID, state=task_pb2.Job.FAILED, reason="lost", etag="3"
            ),
        ),
    ],
)
async def test_each_step_asks_for_what_is_said_and_shows_the_job(
    arguments: list[str], method: str, request_: object
) -> None:
    done, requests = await asked("job", *arguments, **{method: BARE})

    assert requests == [request_]
    assert (done.code, done.err) == (0, "")
    assert done.out == f"job_id  {ID}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["reschedule", ID],
        ["reschedule", ID, "--at=now", "--daily"],
        ["reschedule", ID, "--at=soon"],
        ["resolve", ID, "--reason=x"],
        ["resolve", ID, "--sent"],
        ["list", "--state=asleep"],
        ["list", "--due-from=daily"],
        ["list", "--due-from=2026-01-05T09:00"],
        ["list", "--limit=-1"],
        ["show", "\udcff"],
    ],
)
async def test_what_cannot_be_meant_is_wrong_usage_and_nothing_is_asked(
    arguments: list[str],
) -> None:
    done = await command("job", *arguments, "--target", f"127.0.0.1:{free_port()}")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: gcsched job ")


async def test_a_refusal_repeats_all_that_the_service_advises() -> None:
    violations = (("job_id", "must be one"), ("etag", "is none"))
    several = Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        message="two things",
        fields=violations,
        reason="WRONG",
    )
    done, _ = await asked("job", "show", ID, GetJob=several)

    assert (done.code, done.out) == (2, "")
    assert done.err == "two things\n  job_id: must be one\n  etag: is none\n  reason: WRONG\n"


async def test_a_refusal_that_repeats_foreign_words_does_not_move_the_cursor() -> None:
    refusal = Refusal(
        code=grpc.StatusCode.FAILED_PRECONDITION,
        message="blocked: a\x1b[2Jb\u202ec\nd",
        reason="ILLEGAL_TRANSITION",
    )
    done, _ = await asked("job", "show", ID, GetJob=refusal)

    assert done.code == 1
    assert done.err.splitlines()[0].endswith("blocked: a?[2Jb?c?d")


async def test_what_there_is_to_know_about_a_reason_is_told() -> None:
    too_late = Refusal(
        code=grpc.StatusCode.FAILED_PRECONDITION,
        reason="ILLEGAL_TRANSITION",
        metadata=(("state", "SENT"), ("since", "2026-01-05T09:00:00Z")),
    )
    done, _ = await asked("job", "cancel", ID, CancelJob=too_late)

    assert done.err.splitlines()[1:] == [
        "  reason: ILLEGAL_TRANSITION",
        "  since: 2026-01-05T09:00:00Z",
        "  state: SENT",
    ]


async def test_a_sentence_that_only_joins_the_fields_is_not_said_twice() -> None:
    several = Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT, message="a: 1; b: 2", fields=(("a", "1"), ("b", "2"))
    )
    done, _ = await asked("job", "show", ID, GetJob=several)

    assert done.err == "refused:\n  a: 1\n  b: 2\n"


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (grpc.StatusCode.NOT_FOUND, 1),
        (grpc.StatusCode.FAILED_PRECONDITION, 1),
        (grpc.StatusCode.ABORTED, 1),
        (grpc.StatusCode.ALREADY_EXISTS, 1),
        (grpc.StatusCode.INTERNAL, 1),
        (grpc.StatusCode.INVALID_ARGUMENT, 2),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 3),
        (grpc.StatusCode.UNAVAILABLE, 3),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 3),
    ],
)
async def test_the_exit_code_tells_no_from_wrong_and_from_no_answer(
    code: grpc.StatusCode, exit_code: int
) -> None:
    done, _ = await asked("job", "cancel", ID, CancelJob=Refusal(code=code, reason="WHY"))

    assert (done.code, done.out) == (exit_code, "")
    assert "  reason: WHY\n" in done.err
    assert "Traceback" not in done.err


async def test_it_is_told_when_to_ask_again() -> None:
    busy = Refusal(code=grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after=timedelta(seconds=1.5))
    done, _ = await asked("job", "show", ID, GetJob=busy)

    assert done.err.endswith("as the test says\n  try again after 1.5 s\n")


async def test_an_older_service_is_said_to_be_one() -> None:
    done, _ = await asked("job", "show", ID)

    assert (done.code, done.err) == (1, "this service is older than this command\n")


async def test_nobody_there_is_no_answer_and_says_where_else_to_look() -> None:
    done = await command("job", "show", ID, "--target", f"127.0.0.1:{free_port()}")

    assert done.code == 3
    assert "GCSCHED_TARGET" in done.err


async def test_silence_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as accepts_and_never_answers:
        where = f"127.0.0.1:{accepts_and_never_answers.getsockname()[1]}"
        done = await command("job", "show", ID, "--target", where, "--timeout=0.2")

    assert done.code == 3
    assert done.err.startswith(f"{where} did not answer within 0.2 s\n")


async def test_a_moment_that_no_calendar_has_is_shown_in_seconds() -> None:
    job = task_pb2.Job(created=Timestamp(seconds=10**12))
    done, _ = await asked("job", "show", ID, GetJob=job)

    assert (done.code, done.out) == (0, "created  1000000000000\n")


def page(*numbers: int, token: str = "") -> task_pb2.ListJobsResponse:
    jobs = [task_pb2.Job(job_id=f"{n:032}", state=task_pb2.Job.SENT) for n in numbers]
    return task_pb2.ListJobsResponse(jobs=jobs, next_page_token=token)


async def test_a_list_has_a_row_for_each_job_and_a_dash_for_nothing() -> None:
    full = task_pb2.ListJobsResponse(jobs=[JOB, BARE])
    async with answering(ListJobs=full) as service:
        done = await command("job", "list", "--target", service.target)

    here = DUE.astimezone().isoformat()
    heading, first, second = done.out.splitlines()
    assert heading.split() == ["JOB_ID", "STATE", "DUE", "EMPID", "EMAIL", "REASON"]
    assert first == f"{ID}  RETRYING           {here}  E1815  ada@example.org  451 later"
    assert second.split() == [ID, "STATE_UNSPECIFIED", "-", "-", "-", "-"]
    assert service.asked == [task_pb2.ListJobsRequest(page_size=50)]


@pytest.mark.parametrize(
    ("options", "wanted", "order"),
    [
        (["--empid", "E1"], task_pb2.JobFilter(empid="E1"), "created-asc"),
        (["--email", "a@example.org"], task_pb2.JobFilter(email="a@example.org"), "created-desc"),
        (["--request-id", "a-uuid"], task_pb2.JobFilter(request_id="a-uuid"), "created-asc"),
        (
            ["--state=sent", "--due-from=2026-01-05T09:00:00Z", "--due-before=1767603601"],
            task_pb2.JobFilter(
                state=task_pb2.Job.SENT,
                due_from=Timestamp(seconds=1767603600),
                due_before=Timestamp(seconds=1767603601),
            ),
            "due-desc",
        ),
    ],
)
async def test_every_filter_reaches_its_field(
    options: list[str], wanted: task_pb2.JobFilter, order: str
) -> None:
    more = ("--order", order, "--full", "--limit", "7")
    async with answering(ListJobs=page(), CountJobs=task_pb2.CountJobsResponse()) as service:
        await command("job", "list", *options, *more, "--target", service.target)
        await command("job", "count", *options, "--target", service.target)

    listing, counting = service.asked
    assert listing == task_pb2.ListJobsRequest(
        filter=wanted,
        order=order.upper().replace("-", "_"),
        page_size=7,
        view=task_pb2.Job.FULL,
    )
    is_listed = bool(wanted.request_id)  # so that an older service, which ignores it, is noticed
    assert counting == (
        task_pb2.ListJobsRequest(filter=wanted, page_size=200)
        if is_listed
        else task_pb2.CountJobsRequest(filter=wanted)
    )


def of_requests(*ids: str, token: str = "") -> task_pb2.ListJobsResponse:
    jobs = [task_pb2.Job(job_id=ID, request_id=each) for each in ids]
    return task_pb2.ListJobsResponse(jobs=jobs, next_page_token=token)


async def test_jobs_of_a_request_id_are_listed_and_counted_by_what_they_are() -> None:
    pages = [of_requests("a-uuid", token="next"), of_requests("a-uuid", "a-uuid")]
    options = ("--request-id=a-uuid", "--json", "--target")
    async with answering(ListJobs=pages * 2) as service:
        listed = await command("job", "list", *options, service.target)
        counted = await command("job", "count", *options, service.target)

    assert (listed.code, len(listed.out.splitlines())) == (0, 3)
    assert (counted.code, json.loads(counted.out)["count"]) == (0, "3")
    wanted = task_pb2.JobFilter(request_id="a-uuid")
    asked = [each for each in service.asked if isinstance(each, task_pb2.ListJobsRequest)]
    assert [each.filter for each in asked] == [wanted] * 4


@pytest.mark.parametrize("method", ["list", "count"])
@pytest.mark.parametrize("other", ["", "another"])
async def test_a_service_older_than_request_ids_is_not_believed(method: str, other: str) -> None:
    async with answering(ListJobs=of_requests("a-uuid", other)) as service:
        done = await command("job", method, "--request-id=a-uuid", "--target", service.target)

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"this service is older than --request-id and has listed job {ID} of another request; use"
        " --empid or --email, or bring the service up to date\n"
    )


async def test_pages_are_read_up_to_the_limit_and_a_note_tells_of_more() -> None:
    pages = [page(1, 2, token="next"), page(3, token="more")]
    async with answering(ListJobs=pages) as service:
        done = await command("job", "list", "--json", "--limit=3", "--target", service.target)

    first, second = service.asked
    assert first == task_pb2.ListJobsRequest(page_size=3)
    assert second == task_pb2.ListJobsRequest(page_size=1, page_token="next")
    ids = [json.loads(line)["job_id"] for line in done.out.splitlines()]
    assert ids == [f"{n:032}" for n in (1, 2, 3)]
    assert done.err == "there are more than 3; --limit N shows more, 0 all\n"


async def test_no_limit_reads_all_pages_and_the_last_one_needs_no_note() -> None:
    async with answering(ListJobs=[page(1, token="next"), page(2)]) as service:
        done = await command("job", "list", "--limit=0", "--target", service.target)

    assert len(done.out.splitlines()) == 3
    assert done.err == ""
    assert service.asked[0] == task_pb2.ListJobsRequest(page_size=200)


async def test_a_full_list_shows_each_job_as_show_does() -> None:
    jobs = task_pb2.ListJobsResponse(jobs=[JOB, JOB])
    async with answering(ListJobs=jobs, GetJob=JOB) as service:
        full = await command("job", "list", "--full", "--target", service.target)
        shown = await command("job", "show", ID, "--target", service.target)

    assert full.out == f"{shown.out}\n{shown.out}"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (task_pb2.CountJobsResponse(count=3), "3\n"),
        (task_pb2.CountJobsResponse(count=10_000, more_than=True), "more than 10000\n"),
    ],
)
async def test_a_count_is_a_number_or_says_that_there_are_more(
    answer: task_pb2.CountJobsResponse, said: str
) -> None:
    async with answering(CountJobs=answer) as service:
        done = await command("job", "count", "--target", service.target)

    assert (done.code, done.out) == (0, said)


def test_the_states_are_those_of_the_contract() -> None:
    assert ("STATE_UNSPECIFIED", *STATES) == tuple(task_pb2.Job.State.keys())
