"""What a new user gets wrong first: each answer says what is wrong and what to do, also as JSON."""

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
ABOUT_DUE = ("ListJobs", "filter.due_from", "--due-from")
ABOUT_REQUEST_ID = ("ListJobs", "filter.request_id", "--request-id")  # counted by a list
NAMES = [each.name for each in COMMANDS.commands]


@pytest.fixture
def web_server() -> Iterator[str]:
    """Speak HTTP/1.1 to whoever connects, as the port of another program does."""
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
        ([], f"gcsched: error: say which command: {', '.join(NAMES)}"),
        (["job"], "gcsched job: error: say which command: show, list, count"),
        (
            ["shedule", *REQUIRED_OPTIONS],
            "there is no command 'shedule'. Did you mean schedule? The commands",
        ),
        (["zzz"], "there is no command 'zzz'. The commands are dev, serve, "),
        (["job", "lst"], "gcsched job: error: there is no command 'lst'. Did you mean list?"),
        (["job", "zzz"], "there is no command 'zzz'. The commands are show, list, "),
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
        (["template", "check", ""], "argument FOLDER: '' is not a path; write . for the current"),
        (["template", "preview", "doc", "--html="], "argument --html: '' is not a path; write ."),
        (["template", "preview", "doc", "--folder="], "argument --folder: '' is not a path;"),
        (
            ["dev", "--data", ""],
            "argument --data: '' is not a path; write . for the current folder",
        ),
        (
            ["schedule", *REQUIRED_OPTIONS, "--targt=x"],
            "unrecognized arguments: --targt=x. Did you mean --tar",
        ),
        (
            ["schedule", *REQUIRED_OPTIONS, "on", "Friday"],
            "on Friday; put a value with spaces into quotes",
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
        (["schedule", *REQUIRED_OPTIONS, "--var=room"], "'room' is not a pair; write name=value"),
        (["job", "list", "--limit", "-1"], "'-1' is not a number; write 0 or more"),
        (["health", "--timeout", "-1"], "'-1' is not a number of seconds above 0; write"),
        (["health", "--timeout=5s"], "'5s' is not a number of seconds above 0; write e.g. 2.5"),
        (["job", "list", "--due-from=daily"], "'daily' is not a time here; write now, +30s"),
        (["jobs", "cancel"], "say which jobs: options of a filter, or --all"),
        (["completion"], "the following arguments are required: shell"),
    ],
)
async def test_wrong_usage_is_answered_with_what_to_write(
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
async def test_a_time_that_is_over_may_begin_with_a_minus(at: str) -> None:
    listed = task_pb2.ListJobsResponse()
    async with fake_scheduler(ListJobs=listed) as service:
        where = ("--target", service.target)
        done = await run_command("job", "list", "--state=sent", "--due-from", at, *where)

    assert done.code == 0, done.err
    assert isinstance(service.requests[0], task_pb2.ListJobsRequest)
    assert service.requests[0].filter.due_time_from.seconds > 0


@pytest.mark.parametrize("arguments", [["job", "count"], ["health"]])
async def test_another_programs_port_is_said_to_be_one(
    arguments: list[str], web_server: str
) -> None:
    done = await run_command(*arguments, "--target", web_server)
    as_json = await run_command(*arguments, "--json", "--target", web_server)

    advice = "What answers there is not gRPC in plain text: it is another program, or TLS."
    assert (done.code, as_json.code) == (3, 3)
    assert advice in done.err
    assert "GCSCHED_TARGET" in done.err
    assert advice in json.loads(as_json.err)["error"]["message"]


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_no_answer_is_one_document_of_json_and_3_from_every_command(name: str) -> None:
    where = ("--target", f"127.0.0.1:{free_port()}")
    done = await run_command(*name.split(), *ARGUMENTS[name], "--json", "--timeout=0.2", *where)

    error = json.loads(done.err)["error"]
    assert (done.code, done.out, done.err.count("\n")) == (3, "", 1)
    assert set(error) == KEYS
    assert error["code"] in {"UNAVAILABLE", "DEADLINE_EXCEEDED"}
    assert "Is gcsched running there?" in error["message"] or "did not answer" in error["message"]
    assert error["exit_code"] == 3


async def test_what_the_service_says_is_in_the_json() -> None:
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
        (["schedule", *REQUIRED_OPTIONS, "--at=soon", "--json"], 2, "--at: 'soon' is not a time"),
        (["schedule", "--json"], 2, "arguments are required: --to"),
        (["job", "list", "--json", "--state=x"], 2, "'x' is not a state"),
        (["job", "list", "--js", "--state=x"], 2, "'x' is not a state"),
        (["jobs", "cancel", "--json"], 2, "say which jobs"),
        (["jobs", "cancel", "--all", "--json"], 2, "--yes does it without asking"),
        (["shedule", "--json"], 2, "Did you mean schedule?"),
        (["--json"], 2, "say which command"),
    ],
)
async def test_what_is_found_here_is_json_too(
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
        (["job", "list", "--state=sent", "--due-from=1"], *ABOUT_DUE),
        (["job", "list"], "ListJobs", "order", "--order"),
        (["job", "list"], "ListJobs", "filter", "--filter"),
        (["job", "count", "--request-id=x"], *ABOUT_REQUEST_ID),
        (["job", "count", "--email=x"], "CountJobs", "filter.email", "--email"),
        (["jobs", "cancel", "--yes", "--empid=x"], "CancelJobs", "filter.empid", "--empid"),
        (["pause", "--reason="], "PauseSending", "reason", "--reason"),
        (["resume", "--by="], "ResumeSending", "by", "--by"),
        (["template", "preview", "doc", "--to=x"], "PreviewTemplate", "email", "--to"),
        (["template", "preview", "doc", "--username=x"], "PreviewTemplate", "name", "--username"),
        (
            ["suppression", "add", "a@example.org", "--reason=x", "--until=1"],
            *("AddSuppression", "until", "--until"),
        ),
    ],
)
async def test_a_field_that_is_wrong_has_the_name_of_its_option(
    arguments: list[str], method: str, field: str, option: str
) -> None:
    wrong = ErrorAnswer(
        code=grpc.StatusCode.INVALID_ARGUMENT, message=f"{field}: no", fields=((field, "no"),)
    )
    async with fake_scheduler(**{method: wrong}) as service:
        done = await run_command(*arguments, "--target", service.target)

    assert (done.code, done.err) == (2, f"refused:\n  {option}: no\n")


async def test_a_page_that_fails_leaves_the_lines_before_it_whole() -> None:
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
        "standard output cannot be written (No space left on device); nothing more was printed"
    )
