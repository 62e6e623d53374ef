import json
import re
import time
from collections.abc import AsyncIterator

import grpc
import pytest

from gcsched.pb import task_pb2
from tests.program import gcsched
from tests.relay import Relay
from tests.running import Running, a_setting, running
from tests.scripted import ACCEPTED, scripted
from tests.service import free_port
from tests.waiting import until

WISH = ("--to=ada@example.org", "--empid=E1815", "--message=Interview on Friday")


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with Relay() as relay:
        yield relay


@pytest.fixture
async def app(mongo_uri: str, redis_url: str, relay: Relay) -> AsyncIterator[Running]:
    settings = a_setting(mongo=mongo_uri, redis=redis_url, relay_port=relay.port)
    async with running(settings) as app:
        yield app


async def test_an_invitation_is_accepted_and_mailed_now(app: Running, relay: Relay) -> None:
    done = await gcsched("schedule", *WISH, "--name", "Ada", GCSCHED_TARGET=app.target)

    await until(lambda: relay.ledger)
    accepted = re.fullmatch(r"accepted: job (\S+), due \S+Z\n", done.stdout)
    assert done.returncode == 0, done.stderr
    assert accepted
    (mail,) = relay.ledger
    assert accepted[1] in mail.header("Message-ID")
    assert mail.recipient == "ada@example.org"
    assert mail.header("Subject") == "Interview on Friday"
    assert b"Ada" in mail.content


async def test_json_is_one_line_with_job_and_due_time(app: Running) -> None:
    at = ("--at", "2030-01-05T10:00:00+01:00")
    first, again, daily = [
        await gcsched("schedule", *WISH, *at, "--json", "--target", app.target)
        for at in (at, at, ("--at", "daily"))
    ]

    said = json.loads(first.stdout)
    assert said == {"job_id": said["job_id"], "due": "2030-01-05T09:00:00Z"}
    assert first.stdout == again.stdout
    assert first.stdout.count("\n") == 1
    assert json.loads(daily.stdout)["due"] is None


async def test_the_daily_queue_is_said_in_words(app: Running) -> None:
    done = await gcsched("schedule", *WISH, "--at", "daily", "--target", app.target)

    assert done.returncode == 0
    assert done.stdout.endswith(", due with the next daily run\n")


async def test_what_the_service_refuses_is_said_by_option_and_ends_with_2(app: Running) -> None:
    wish = (
        "--to=nobody",
        "--empid=",
        "--message=a\nb",
        f"--name={'x' * 257}",
        "--at=1672531200000",
    )

    done = await gcsched("schedule", *wish, "--target", app.target)

    first, *lines = done.stderr.splitlines()
    advice = dict(line.strip().split(": ", 1) for line in lines)
    assert (done.returncode, done.stdout, first) == (2, "", "refused:")
    assert list(advice) == ["--empid", "--to", "--message", "--name", "--at"]
    assert advice["--to"].startswith("must be one e-mail address such as ada@example.org")
    assert "1672531200 would be in seconds" in advice["--at"]


async def test_a_refusal_without_fields_is_said_as_it_is(app: Running) -> None:
    done = await gcsched("schedule", *WISH, f"--name={'x' * 70_000}", "--target", app.target)

    assert done.returncode == 2
    assert "  the request has 7" in done.stderr
    assert "at most 65536 are accepted" in done.stderr


async def test_nobody_there_ends_with_1_and_says_what_to_do() -> None:
    where = f"127.0.0.1:{free_port()}"

    done = await gcsched("schedule", *WISH, "--at", "+10m", "--target", where)

    unavailable, look_elsewhere, repeat = done.stderr.splitlines()
    second = re.search(r"use --at ([0-9]+)\.", repeat)
    assert done.returncode == 1
    assert unavailable.startswith(f"{where} is unavailable: ")
    assert "GCSCHED_TARGET" in look_elsewhere
    assert second
    assert 590 < int(second[1]) - time.time() <= 601


async def test_a_repeated_command_asks_for_the_same_second() -> None:
    async with scripted(grpc.StatusCode.UNAVAILABLE) as away:
        first = await gcsched("schedule", *WISH, "--at", "daily", "--target", away.target)
    async with scripted(grpc.StatusCode.UNAVAILABLE, ACCEPTED) as hiccup:
        second = await gcsched("schedule", *WISH, "--at", "+1h", "--target", hiccup.target)

    assert "use --at daily." in first.stderr
    assert (second.returncode, second.stderr) == (0, "")
    assert hiccup.asked[0] == hiccup.asked[1]


async def test_every_option_reaches_its_field() -> None:
    async with scripted(ACCEPTED) as server:
        await gcsched("schedule", *WISH, "--name=Ada", "--at=1672531200", "--target", server.target)

    assert server.asked == [
        task_pb2.MeetRequest(
            empid="E1815",
            emailID="ada@example.org",
            message="Interview on Friday",
            empName="Ada",
            timestamp=1672531200,
        )
    ]


async def test_an_error_of_another_kind_gives_no_false_advice() -> None:
    async with scripted(grpc.StatusCode.UNAUTHENTICATED) as server:
        done = await gcsched("schedule", *WISH, "--target", server.target)

    assert done.returncode == 1
    assert done.stderr == f"{server.target} answered UNAUTHENTICATED: as the script says\n"


@pytest.mark.parametrize("arguments", [("--at", "soon"), ("--at", "2026-01-05T09:00")])
async def test_a_time_that_is_none_is_wrong_usage(arguments: tuple[str, str]) -> None:
    done = await gcsched("schedule", *WISH, *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith(f"--at: '{arguments[1]}' ")


async def test_octets_that_are_no_text_are_wrong_usage() -> None:
    done = await gcsched("schedule", *WISH, "--name", "\udcff")

    assert done.returncode == 2
    assert "not valid UTF-8" in done.stderr


@pytest.mark.parametrize("command", ["schedule", "health"])
async def test_help_tells_the_exit_codes_and_imports_nothing_heavy(command: str) -> None:
    done = await gcsched(command, "--help", PYTHONPROFILEIMPORTTIME="1")

    assert done.returncode == 0
    assert "exit codes:\n  0    " in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"argparse", "gcsched.cli.schedule"} <= imported
    assert {"google.protobuf", "grpc", "pydantic"} & imported == set()
