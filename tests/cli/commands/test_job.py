import json
import socket
from datetime import timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gcsched.pb import task_pb2
from tests.support.command import run_command
from tests.support.fake_scheduler import ErrorAnswer
from tests.support.job_commands import BARE, DUE, ID, JOB, run_with_answers
from tests.support.ports import free_port


async def test_a_job_is_shown_with_the_field_names_of_the_contract_and_its_attempts() -> None:
    done, (request,) = await run_with_answers("job", "show", ID, GetJob=JOB)

    here = DUE.astimezone().isoformat()
    assert request == task_pb2.GetJobRequest(job_id=ID)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"job_id    {ID}",
        "state     RETRYING",
        "etag      3",
        "empid     E1815",
        "email     ada@example.org",
        "name      Ada",
        "labels    a=b, team=hr",
        f"due_time  {here}",
        "reason    451 later",
        "attempt   1",
        "",
        f"START_TIME{' ' * (len(here) - 10)}  KIND      RELAY  CODE  ENHANCED_CODE  TEXT",
        f"{here}  DEFERRED  first  451   4.7.1          later?[2J please",
    ]


async def test_json_is_one_line_with_the_field_names_of_the_contract_and_times_in_utc() -> None:
    done, _ = await run_with_answers("job", "show", ID, "--json", GetJob=JOB)

    shown = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert shown["job_id"] == ID
    assert shown["due_time"] == "2026-01-05T09:00:00Z"
    assert shown["reason"] == "451 later"
    assert shown["attempts"][0]["text"] == "later\x1b[2J please"


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
async def test_each_action_sends_its_arguments_and_shows_the_job(
    arguments: list[str], method: str, request_: object
) -> None:
    done, requests = await run_with_answers("job", *arguments, **{method: BARE})

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
        ["list", "--due-time-from=daily"],
        ["list", "--due-time-from=2026-01-05T09:00"],
        ["list", "--limit=-1"],
        ["show", "\udcff"],
    ],
)
async def test_invalid_arguments_are_wrong_usage_and_make_no_call(
    arguments: list[str],
) -> None:
    done = await run_command("job", *arguments, "--target", f"127.0.0.1:{free_port()}")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("usage: gcsched job ")


async def test_a_refusal_repeats_all_details_of_the_service() -> None:
    violations = (("job_id", "must be one"), ("etag", "is none"))
    several = ErrorAnswer(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        message="two things",
        fields=violations,
        reason="WRONG",
    )
    done, _ = await run_with_answers("job", "show", ID, GetJob=several)

    assert (done.code, done.out) == (2, "")
    assert done.err == "two things\n  job_id: must be one\n  etag: is none\n  reason: WRONG\n"


async def test_a_refusal_with_text_from_others_does_not_move_the_cursor() -> None:
    refusal = ErrorAnswer(
        code=grpc.StatusCode.FAILED_PRECONDITION,
        message="refused: a\x1b[2Jb\u202ec\nd",
        reason="ILLEGAL_TRANSITION",
    )
    done, _ = await run_with_answers("job", "show", ID, GetJob=refusal)

    assert done.code == 1
    assert done.err.splitlines()[0].endswith("refused: a?[2Jb?c?d")


async def test_the_metadata_of_a_reason_is_shown() -> None:
    too_late = ErrorAnswer(
        code=grpc.StatusCode.FAILED_PRECONDITION,
        reason="ILLEGAL_TRANSITION",
        metadata=(("state", "SENT"), ("since", "2026-01-05T09:00:00Z")),
    )
    done, _ = await run_with_answers("job", "cancel", ID, CancelJob=too_late)

    assert done.err.splitlines()[1:] == [
        "  reason: ILLEGAL_TRANSITION",
        "  since: 2026-01-05T09:00:00Z",
        "  state: SENT",
    ]


async def test_a_message_that_only_joins_the_fields_is_not_repeated() -> None:
    several = ErrorAnswer(
        code=grpc.StatusCode.INVALID_ARGUMENT, message="a: 1; b: 2", fields=(("a", "1"), ("b", "2"))
    )
    done, _ = await run_with_answers("job", "show", ID, GetJob=several)

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
async def test_the_exit_code_distinguishes_refusals_wrong_usage_and_no_answer(
    code: grpc.StatusCode, exit_code: int
) -> None:
    done, _ = await run_with_answers(
        "job", "cancel", ID, CancelJob=ErrorAnswer(code=code, reason="WHY")
    )

    assert (done.code, done.out) == (exit_code, "")
    assert "  reason: WHY\n" in done.err
    assert "Traceback" not in done.err


async def test_the_error_says_when_to_try_again() -> None:
    busy = ErrorAnswer(code=grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after=timedelta(seconds=1.5))
    done, _ = await run_with_answers("job", "show", ID, GetJob=busy)

    assert done.err.endswith("as the test says\n  try again after 1.5 s\n")


async def test_the_error_of_an_older_service_says_so() -> None:
    done, _ = await run_with_answers("job", "show", ID)

    assert (done.code, done.err) == (
        1,
        "this service is older than this command: upgrade the service\n",
    )


async def test_without_a_service_the_error_says_where_else_to_look() -> None:
    done = await run_command("job", "show", ID, "--target", f"127.0.0.1:{free_port()}")

    assert done.code == 3
    assert "GCSCHED_TARGET" in done.err


async def test_a_service_that_does_not_answer_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as accepts_and_never_answers:
        where = f"127.0.0.1:{accepts_and_never_answers.getsockname()[1]}"
        done = await run_command("job", "show", ID, "--target", where, "--timeout=0.2")

    assert done.code == 3
    assert done.err.startswith(f"{where} did not answer within 0.2 s\n")


async def test_a_time_that_no_calendar_has_is_shown_in_seconds() -> None:
    job = task_pb2.Job(create_time=Timestamp(seconds=10**12))
    done, _ = await run_with_answers("job", "show", ID, GetJob=job)

    assert (done.code, done.out) == (0, "create_time  1000000000000\n")
