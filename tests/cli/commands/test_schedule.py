import json
import re
import time
from datetime import UTC, datetime

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.support.command import run_command, run_gcsched
from tests.support.fake_scheduler import ACCEPTED, ErrorAnswer, fake_scheduler
from tests.support.in_process_app import RunningApp
from tests.support.ports import free_port
from tests.support.relay.server import Relay
from tests.support.wait import until

SCHEDULE = ("schedule", *("--to=ada@example.org", "--empid=E1815", "--message=Interview on Friday"))


async def test_an_invitation_is_accepted_and_mailed_now(app: RunningApp, relay: Relay) -> None:
    done = await run_gcsched(*SCHEDULE, "--name", "Ada", GCSCHED_TARGET=app.target)

    await until(lambda: relay.ledger)
    accepted = re.fullmatch(r"accepted: job (\S+), due \S+\n", done.stdout)
    assert done.returncode == 0, done.stderr
    assert accepted
    (mail,) = relay.ledger
    assert accepted[1] in mail.header("Message-ID")
    assert mail.recipient == "ada@example.org"
    assert mail.header("Subject") == "Interview on Friday"
    assert b"Ada" in mail.content


async def test_json_is_one_line_with_job_and_due_time(app: RunningApp) -> None:
    at = ("--at", "2030-01-05T10:00:00+01:00")
    first, again, daily = [
        await run_gcsched(*SCHEDULE, *at, "--json", "--target", app.target)
        for at in (at, at, ("--at", "daily"))
    ]

    shown, repeated = json.loads(first.stdout), json.loads(again.stdout)
    assert shown["due_time"] == "2030-01-05T09:00:00Z"
    assert repeated["job_id"] == shown["job_id"]
    assert first.stdout.count("\n") == 1
    assert json.loads(daily.stdout)["due_time"] is None


async def test_the_daily_queue_is_described_in_words(app: RunningApp) -> None:
    done = await run_gcsched(*SCHEDULE, "--at", "daily", "--target", app.target)

    assert done.returncode == 0
    assert done.stdout.endswith(", due with the next daily run\n")


async def test_a_refusal_names_the_options_and_exits_with_2(app: RunningApp) -> None:
    invalid = ("--to=nobody", "--empid=", "--message=a\nb", "--at=1672531200000")
    name = f"--name={'x' * 257}"
    done = await run_gcsched("schedule", *invalid, name, "--target", app.target)

    first, *lines = done.stderr.splitlines()
    advice = dict(line.strip().split(": ", 1) for line in lines)
    assert (done.returncode, done.stdout, first) == (2, "", "refused:")
    assert list(advice) == ["--empid", "--to", "--message", "--name", "--at"]
    assert advice["--to"].startswith("must be one e-mail address such as ada@example.org")
    assert "1672531200 would be in seconds" in advice["--at"]


async def test_a_refusal_without_fields_shows_its_message(app: RunningApp) -> None:
    done = await run_gcsched(*SCHEDULE, f"--name={'x' * 70_000}", "--target", app.target)

    assert done.returncode == 2
    assert "  the request has 7" in done.stderr
    assert "at most 65536 are accepted" in done.stderr


async def test_no_answer_exits_with_3_and_says_what_to_do() -> None:
    where = f"127.0.0.1:{free_port()}"

    done = await run_gcsched(*SCHEDULE, "--at", "+10m", "--target", where)

    unavailable, look_elsewhere, repeat = done.stderr.splitlines()
    second = re.search(r"use --at ([0-9]+)\.", repeat)
    assert done.returncode == 3
    assert unavailable.startswith(f"{where} is unavailable: ")
    assert "GCSCHED_TARGET" in look_elsewhere
    assert second
    assert 590 < int(second[1]) - time.time() <= 601


async def test_a_repeated_call_has_the_same_second() -> None:
    async with fake_scheduler(ScheduleMeet=grpc.StatusCode.UNAVAILABLE) as away:
        first = await run_gcsched(*SCHEDULE, "--at", "daily", "--target", away.target)
    async with fake_scheduler(ScheduleMeet=[grpc.StatusCode.UNAVAILABLE, ACCEPTED]) as hiccup:
        second = await run_gcsched(*SCHEDULE, "--at", "+1h", "--target", hiccup.target)

    assert "use --at daily." in first.stderr
    assert (second.returncode, second.stderr) == (0, "")
    assert hiccup.requests[0] == hiccup.requests[1]


async def test_every_option_reaches_its_field() -> None:
    async with fake_scheduler(ScheduleMeet=ACCEPTED) as server:
        await run_gcsched(*SCHEDULE, "--name=Ada", "--at=1672531200", "--target", server.target)

    assert server.requests == [
        task_pb2.MeetRequest(
            empid="E1815",
            emailID="ada@example.org",
            message="Interview on Friday",
            empName="Ada",
            timestamp=1672531200,
        )
    ]


async def test_every_optional_field_reaches_the_request() -> None:
    options = (
        *("--request-id=a-uuid", "--template=reminder", "--var", "room=4.2", "--var=host=Ada"),
        *("--not-after=2023-01-01T01:00:00Z", "--reply-to=hr@example.org", "--urgent"),
        *("--label=team=hr", "--at=1672531200", "--sender=payroll@example.org"),
    )
    async with fake_scheduler(ScheduleMeet=ACCEPTED) as service:
        done = await run_command(*SCHEDULE, *options, "--target", service.target)

    assert done.code == 0
    assert service.requests == [
        task_pb2.MeetRequest(
            empid="E1815",
            emailID="ada@example.org",
            message="Interview on Friday",
            timestamp=1672531200,
            request_id="a-uuid",
            template="reminder",
            variables={"room": "4.2", "host": "Ada"},
            not_after=1672534800,
            reply_to="hr@example.org",
            labels={"team": "hr"},
            priority=task_pb2.URGENT,
            sender="payroll@example.org",
        )
    ]


DUE = datetime(2030, 1, 5, 9, tzinfo=UTC)
DUE_TEXT = DUE.astimezone().isoformat()
OUTCOME = task_pb2.MeetResponse.Outcome
CREATED, REPLAYED, FOR_DAILY = (
    task_pb2.MeetResponse(success=True, job_id="7", due_time=DUE, outcome=outcome, state=state)
    for outcome, state in (
        (OUTCOME.CREATED, task_pb2.Job.SCHEDULED),
        (OUTCOME.REPLAYED, task_pb2.Job.SENT),
        (OUTCOME.QUEUED_FOR_DAILY, task_pb2.Job.QUEUED),
    )
)


@pytest.mark.parametrize(
    ("answer", "at", "sentence", "document"),
    [
        (
            CREATED,
            "now",
            f"accepted: job 7, due {DUE_TEXT}",
            {"due_time": "2030-01-05T09:00:00Z", "outcome": "CREATED", "state": "SCHEDULED"},
        ),
        (
            REPLAYED,
            "now",
            "accepted before: job 7, already SENT: no second mail is sent",
            {"due_time": "2030-01-05T09:00:00Z", "outcome": "REPLAYED", "state": "SENT"},
        ),
        (
            FOR_DAILY,
            "daily",
            "accepted: job 7, due with the next daily run",
            {"due_time": None, "outcome": "QUEUED_FOR_DAILY", "state": "QUEUED"},
        ),
    ],
)
async def test_the_result_is_shown(
    answer: task_pb2.MeetResponse, at: str, sentence: str, document: dict[str, str | None]
) -> None:
    async with fake_scheduler(ScheduleMeet=answer) as service:
        command = (*SCHEDULE, "--at", at, "--target", service.target)
        words = await run_command(*command)
        line = await run_command(*command, "--json")

    assert words.out == f"{sentence}\n"
    assert json.loads(line.out) == {"job_id": "7", **document}


async def test_a_validated_request_shows_the_mail() -> None:
    preview = task_pb2.Preview(
        subject="Interview on Friday",
        text="Hello",
        duplicate_of="7",
        suppression=task_pb2.Suppression(email="ada@example.org", reason="bounced"),
    )
    answer = task_pb2.MeetResponse(success=True, state="SCHEDULED", preview=preview)
    async with fake_scheduler(ScheduleMeet=answer) as service:
        command = (*SCHEDULE, "--validate-only", "--target", service.target)
        done = await run_command(*command)
        line = await run_command(*command, "--json")

    (request, _) = service.requests
    assert isinstance(request, task_pb2.MeetRequest)
    assert request.validate_only
    assert done.code == 0
    assert done.out.splitlines() == [
        "state  SCHEDULED",
        "",
        "subject       Interview on Friday",
        "duplicate_of  7",
        "",
        "this address is suppressed:",
        "",
        "email   ada@example.org",
        "reason  bounced",
        "",
        "Hello",
    ]
    shown = json.loads(line.out)
    assert (shown["state"], shown["preview"]["duplicate_of"]) == ("SCHEDULED", "7")


async def test_a_validated_request_shows_why_it_would_be_refused() -> None:
    refused = task_pb2.MeetResponse(
        outcome=task_pb2.MeetResponse.REFUSED_DUPLICATE,
        preview=task_pb2.Preview(subject="Interview on Friday", duplicate_of="7"),
    )
    async with fake_scheduler(ScheduleMeet=refused) as service:
        done = await run_command(*SCHEDULE, "--validate-only", "--target", service.target)

    assert done.code == 1
    assert "REFUSED_DUPLICATE" in done.out
    assert "duplicate_of  7" in done.out


async def test_a_service_older_than_validation_is_detected() -> None:
    async with fake_scheduler(ScheduleMeet=ACCEPTED) as service:
        done = await run_command(*SCHEDULE, "--validate-only", "--target", service.target)

    assert (done.code, done.out) == (1, "")
    assert done.err == "this service is older than --validate-only and accepted job 7\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            ErrorAnswer(code=grpc.StatusCode.ALREADY_EXISTS, reason="REQUEST_ID_REUSED"),
            "  reason: REQUEST_ID_REUSED\n",
        ),
        (
            task_pb2.MeetResponse(outcome=OUTCOME.REFUSED_DUPLICATE),
            "one mail per employee and window",
        ),
    ],
)
async def test_a_conflicting_second_request_is_refused(
    answer: task_pb2.MeetResponse | ErrorAnswer, words: str
) -> None:
    async with fake_scheduler(ScheduleMeet=answer) as service:
        done = await run_command(*SCHEDULE, "--target", service.target)

    assert (done.code, done.out) == (1, "")
    assert words in done.err


async def test_an_error_of_another_kind_has_no_false_advice() -> None:
    async with fake_scheduler(ScheduleMeet=grpc.StatusCode.UNAUTHENTICATED) as server:
        done = await run_gcsched(*SCHEDULE, "--target", server.target)

    assert done.returncode == 1
    assert done.stderr == f"{server.target} answered UNAUTHENTICATED: as the test says\n"


@pytest.mark.parametrize("arguments", [("--at", "soon"), ("--at", "2026-01-05T09:00")])
async def test_an_invalid_time_is_wrong_usage(arguments: tuple[str, str]) -> None:
    done = await run_gcsched(*SCHEDULE, *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith(f"--at: invalid time '{arguments[1]}'")


async def test_bytes_that_are_not_utf_8_are_wrong_usage() -> None:
    done = await run_gcsched(*SCHEDULE, "--name", "\udcff")

    assert done.returncode == 2
    assert "expected valid UTF-8" in done.stderr


@pytest.mark.parametrize("name", ["schedule", "health"])
async def test_help_lists_the_exit_codes_and_imports_nothing_heavy(name: str) -> None:
    done = await run_gcsched(name, "--help", PYTHONPROFILEIMPORTTIME="1")

    assert done.returncode == 0
    assert "exit codes:\n  0    " in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"argparse", "gcsched.cli.commands.schedule"} <= imported
    assert {"google.protobuf", "grpc", "pydantic"} & imported == set()
