"""Mistakes of new users: each error says what is wrong and what to do, also as JSON."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest

from gcsched.cli.main import COMMANDS
from gcsched.pb import task_pb2
from tests.cli.test_proxies import ARGUMENTS
from tests.support.command import run_command, run_shell
from tests.support.fake_scheduler import ErrorAnswer, fake_scheduler
from tests.support.ports import free_port

REQUIRED_OPTIONS = ("--to=ada@example.org", "--empid=E1", "--message=Hi")
KEYS = {
    *("message", "code", "reason", "violations", "metadata", "retry_after_seconds", "exit_code"),
}
ABOUT_DUE = ("ListJobs", "filter.due_time_from", "--due-time-from")
ABOUT_REQUEST_ID = ("ListJobs", "filter.request_id", "--request-id")  # counted by a list
NAMES = [each.name for each in COMMANDS.commands]


@pytest.fixture
def web_server() -> Iterator[str]:
    """Answer each connection with HTTP/1.1, as the port of another program does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ([], f"gcsched: error: specify a command: {', '.join(NAMES)}"),
        (["job"], "gcsched job: error: specify a command: show, list, count"),
        (
            ["shedule", *REQUIRED_OPTIONS],
            "unknown command 'shedule'. Did you mean schedule? The commands",
        ),
        (["zzz"], "unknown command 'zzz'. The commands are dev, serve, "),
        (["job", "lst"], "gcsched job: error: unknown command 'lst'. Did you mean list?"),
        (["job", "zzz"], "unknown command 'zzz'. The commands are show, list, "),
        (["schedule"], "arguments are required: --to, --empid, --message"),
        (
            ["schedule", "--email=a@b"],
            "required: --to, --empid, --message; unrecognized: --email\n",
        ),
        (["schedule", "-to", "a@b"], "--message; unrecognized: -to. Did you mean --to?\n"),
        (
            ["schedule", *REQUIRED_OPTIONS[:2], "--mesage", "x"],
            "--mesage. Did you mean --message?\n",
        ),
        (["job", "reschedule", "1", "--on=x"], "--at --daily is required; unrecognized: --on\n"),
        (["status", "--bogus"], "gcsched status: error: unrecognized arguments: --bogus\n"),
        (["--target", "host", "status"], "after the command: gcsched status --target host\n"),
        (["--target", "a b", "job", "list"], "gcsched job list --target 'a b'\n"),
        (["job", "--target", "host", "list"], "gcsched job list --target host\n"),
        (["--target", "host"], "write options after the command: gcsched COMMAND --target host\n"),
        (["template", "check", ""], "argument FOLDER: invalid path '': use . for the current"),
        (["template", "preview", "doc", "--html="], "argument --html: invalid path '': use ."),
        (["template", "preview", "doc", "--folder="], "argument --folder: invalid path '':"),
        (
            ["dev", "--data", ""],
            "argument --data: invalid path '': use . for the current folder",
        ),
        (
            ["schedule", *REQUIRED_OPTIONS, "--targt=x"],
            "unrecognized arguments: --targt=x. Did you mean --tar",
        ),
        (
            ["schedule", *REQUIRED_OPTIONS, "on", "Friday"],
            "on Friday; quote a value that contains spaces",
        ),
        (["--json", "health"], "write options after the command: gcsched health --json"),
        (
            ["schedule", *REQUIRED_OPTIONS, "--name"],
            "a value that begins with '-' as --name=-value",
        ),
        (
            ["schedule", *REQUIRED_OPTIONS, "--name", "-x"],
            "a value that begins with '-' as --name=-value",
        ),
        (["schedule", *REQUIRED_OPTIONS, "--var=room"], "invalid pair 'room': expected name=value"),
        (["job", "list", "--limit", "-1"], "invalid number '-1': expected an integer ≥ 0"),
        (["health", "--timeout", "-1"], "invalid seconds '-1': expected a number > 0"),
        (["health", "--timeout=5s"], "invalid seconds '5s': expected a number > 0, e.g. 2.5"),
        (["job", "list", "--due-time-from=daily"], "invalid time 'daily': expected now, +30s"),
        (["jobs", "cancel"], "specify a filter or --all"),
        (["completion"], "the following arguments are required: shell"),
    ],
)
async def test_the_error_for_wrong_usage_says_what_to_write(
    arguments: list[str], advice: str
) -> None:
    done = await run_command(*arguments)

    assert (done.code, done.out) == (2, "")
    assert advice in done.err
    assert "Traceback" not in done.err


async def test_no_command_shows_the_help() -> None:
    done = await run_command()

    assert "exit codes:" in done.err
    assert all(f"\n    {name}" in done.err for name in NAMES)


@pytest.mark.parametrize("at", ["-5m", "-2h"])
async def test_a_time_in_the_past_may_start_with_a_minus(at: str) -> None:
    listed = task_pb2.ListJobsResponse()
    async with fake_scheduler(ListJobs=listed) as service:
        where = ("--target", service.target)
        done = await run_command("job", "list", "--state=sent", "--due-time-from", at, *where)

    assert done.code == 0, done.err
    assert isinstance(service.requests[0], task_pb2.ListJobsRequest)
    assert service.requests[0].filter.due_time_from.seconds > 0


@pytest.mark.parametrize("arguments", [["job", "count"], ["health"]])
async def test_the_error_for_the_port_of_another_program_says_so(
    arguments: list[str], web_server: str
) -> None:
    done = await run_command(*arguments, "--target", web_server)
    as_json = await run_command(*arguments, "--json", "--target", web_server)

    advice = "The peer does not speak plaintext gRPC: it is another program, or it expects TLS."
    assert (done.code, as_json.code) == (3, 3)
    assert advice in done.err
    assert "GCSCHED_TARGET" in done.err
    assert advice in json.loads(as_json.err)["error"]["message"]


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_every_command_reports_no_answer_as_one_json_document_and_exit_code_3(
    name: str,
) -> None:
    where = ("--target", f"127.0.0.1:{free_port()}")
    done = await run_command(*name.split(), *ARGUMENTS[name], "--json", "--timeout=0.2", *where)

    error = json.loads(done.err)["error"]
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1)
    assert set(error) == KEYS
    assert error["code"] in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert "Is gcsched running there?" in error["message"] or "did not answer" in error["message"]
    assert error["exit_code"] == 3


async def test_the_error_of_the_service_is_in_the_json() -> None:
    refusal = ErrorAnswer(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        message="two things",
        fields=(("emailID", "must be one"), ("empid", "is none")),
        reason="WRONG",
        metadata=(("a", "b"),),
        retry_after=timedelta(seconds=1.5),
    )
    async with fake_scheduler(ScheduleMeet=refusal) as service:
        done = await run_command(
            "schedule", *REQUIRED_OPTIONS, "--json", "--target", service.target
        )

    assert (done.code, done.out) == (2, "")
    assert json.loads(done.err) == {
        "error": {
            "message": "two things",
            "code": "INVALID_ARGUMENT",
            "reason": "WRONG",
            "violations": [
                {"field": "emailID", "problem": "must be one"},
                {"field": "empid", "problem": "is none"},
            ],
            "metadata": {"a": "b"},
            "retry_after_seconds": 1.5,
            "exit_code": 2,
        }
    }


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (["schedule", *REQUIRED_OPTIONS, "--at=soon", "--json"], 2, "--at: invalid time 'soon'"),
        (["schedule", "--json"], 2, "arguments are required: --to"),
        (["job", "list", "--json", "--state=x"], 2, "invalid state 'x'"),
        (["job", "list", "--js", "--state=x"], 2, "invalid state 'x'"),
        (["jobs", "cancel", "--json"], 2, "specify a filter"),
        (["jobs", "cancel", "--all", "--json"], 2, "use --yes to go on without it"),
        (["shedule", "--json"], 2, "Did you mean schedule?"),
        (["--json"], 2, "specify a command"),
    ],
)
async def test_errors_found_without_the_service_are_json_too(
    arguments: list[str], exit_code: int, words: str
) -> None:
    done = await run_command(*arguments)

    error = json.loads(done.err)["error"]
    assert (done.code, done.out, error["exit_code"]) == (exit_code, "", exit_code)
    assert (error["code"], error["reason"]) == ("", "WRONG_USAGE")
    assert error["message"].startswith(words) or words in error["message"]
    assert "usage:" not in error["message"]


@pytest.mark.parametrize(
    ("arguments", "method", "field", "option"),
    [
        (
            ["job", "reschedule", "0190a6e2c3d47b5f8a9b0c1d2e3f4a5b", "--at=+1d"],
            "RescheduleJob",
            "timestamp",
            "--at",
        ),
        (["job", "list", "--state=sent", "--due-time-from=1"], *ABOUT_DUE),
        (["job", "list"], "ListJobs", "order", "--order"),
        (["job", "list"], "ListJobs", "filter", "--filter"),
        (["job", "count", "--request-id=x"], *ABOUT_REQUEST_ID),
        (["job", "count", "--email=x"], "CountJobs", "filter.email", "--email"),
        (["jobs", "cancel", "--yes", "--empid=x"], "CancelJobs", "filter.empid", "--empid"),
        (["pause", "--reason="], "PauseSending", "reason", "--reason"),
        (["resume", "--by="], "ResumeSending", "by", "--by"),
        (["template", "preview", "doc", "--to=x"], "PreviewTemplate", "email", "--to"),
        (["template", "preview", "doc", "--username=x"], "PreviewTemplate", "name", "--username"),
        (["template", "send-test", "doc", "--to=x"], "SendTestMail", "email", "--to"),
        (
            ["suppression", "add", "a@example.org", "--reason=x", "--expire-time=1"],
            *("AddSuppression", "expire_time", "--expire-time"),
        ),
    ],
)
async def test_an_invalid_field_is_named_by_its_option(
    arguments: list[str], method: str, field: str, option: str
) -> None:
    wrong = ErrorAnswer(
        code=grpc.StatusCode.INVALID_ARGUMENT, message=f"{field}: no", fields=((field, "no"),)
    )
    async with fake_scheduler(**{method: wrong}) as service:
        done = await run_command(*arguments, "--target", service.target)

    assert (done.code, done.err) == (2, f"refused:\n  {option}: no\n")


async def test_a_page_that_fails_leaves_the_earlier_lines_complete() -> None:
    first = task_pb2.ListJobsResponse(jobs=[task_pb2.Job(job_id="1")], next_page_token="next")
    gone = ErrorAnswer(code=grpc.StatusCode.UNAVAILABLE, reason="STORE_UNAVAILABLE")
    async with fake_scheduler(ListJobs=[first, gone]) as service:
        done = await run_command("job", "list", "--json", "--target", service.target)

    assert done.code == 3
    assert [json.loads(line)["job_id"] for line in done.out.splitlines()] == ["1"]
    assert json.loads(done.err)["error"]["reason"] == "STORE_UNAVAILABLE"


async def test_a_full_disk_is_json_too() -> None:
    async with fake_scheduler(GetJob=task_pb2.Job(job_id="1")) as service:
        done = await run_shell(f"gcsched job show 0190 --json --target {service.target} >/dev/full")

    assert done.returncode == 1
    assert json.loads(done.stderr)["error"]["message"] == (
        "cannot write to standard output (No space left on device): the output is incomplete"
    )
