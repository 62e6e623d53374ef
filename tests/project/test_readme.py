"""The README is short, and its examples and those of docs/migrating.md do what they say."""

import re
import shlex

import pytest
from google.protobuf import json_format

from gcsched.cli.exit_codes import EXIT_CODES_HELP
from gcsched.cli.main import COMMANDS as COMMANDS_THERE_ARE
from gcsched.cli.main import build_parser
from gcsched.pb import task_pb2
from gcsched.rpc.contract import build_descriptor_pool
from tests.support.command import run_gcsched, run_python
from tests.support.in_process_app import RunningApp
from tests.support.readme_examples import EXAMPLE_TARGET, PYTHON, README, ROOT, blocks
from tests.support.relay.server import Relay
from tests.support.service_process import scheduler_stub
from tests.support.wait import until

CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
CLIENT_COMMAND = re.compile(r"(?:\S*/)?(?:python3? -m )?gcsched ((?:schedule|health)\b.*)")


def commands() -> list[str]:
    """Return the lines of all shell examples, continued ones as one."""
    return [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]


COMMANDS = [found[1] for line in commands() if (found := CLIENT_COMMAND.match(line))]
JOB_COMMANDS = re.findall(
    r"(?:^\$ |`|^)(gcsched (?!COMMAND|help)[^`\n|>\\]+)",
    CLI + README.partition("## Run it\n")[2].partition("\n## ")[0],
    re.MULTILINE,
)
GRPCURL = [line for line in commands() if line.startswith("grpcurl ")]
PICTURES = re.findall(r'<img src="([^"]+)" width="([0-9]+)" alt="[^"]+">', README)
PNG = b"\x89PNG\r\n\x1a\n"


def test_the_readme_has_at_most_900_words() -> None:
    assert len(README.split()) <= 900


def test_every_page_is_linked_from_the_readme() -> None:
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}

    assert pages - set(re.findall(r"\]\((docs/[^)#]+)", README)) == set()


def test_a_mail_and_the_console_are_shown() -> None:
    assert [source for source, _ in PICTURES] == ["docs/images/mail.png", "docs/images/console.png"]
    assert len(PICTURES) == README.count("<img ")


@pytest.mark.parametrize(("source", "width"), PICTURES)
def test_a_picture_is_a_png_of_twice_the_width_that_it_is_shown_at(source: str, width: str) -> None:
    picture = (ROOT / source).read_bytes()

    assert picture.startswith(PNG)
    assert picture[12:16] == b"IHDR"
    assert int.from_bytes(picture[16:20], "big") == 2 * int(width)
    assert len(picture) <= 150_000


def test_there_is_an_example_of_each_way_to_call() -> None:
    assert any("gcsched.client" in block for block in PYTHON)
    assert any("task_pb2_grpc" in block for block in PYTHON)
    assert any(command.startswith("schedule") for command in COMMANDS)
    assert any(command.startswith("health") for command in COMMANDS)
    assert GRPCURL
    assert len(JOB_COMMANDS) > 20


@pytest.mark.parametrize("example", PYTHON)
async def test_the_python_example_has_its_mail_sent(
    example: str, app: RunningApp, relay: Relay
) -> None:
    assert EXAMPLE_TARGET in example

    done = await run_python("-c", example.replace(EXAMPLE_TARGET, app.target))

    assert done.returncode == 0, done.stderr
    await until(lambda: relay.ledger)
    (mail,) = relay.ledger
    *_, job_id = done.stdout.split()
    assert job_id in mail.header("Message-ID")
    assert mail.recipient in example
    assert mail.header("Subject") in example


@pytest.mark.parametrize("command", COMMANDS)
async def test_the_command_of_a_page_succeeds(command: str, app: RunningApp) -> None:
    arguments = shlex.split(command.replace(EXAMPLE_TARGET, app.target), comments=True)

    done = await run_gcsched(*arguments, GCSCHED_TARGET=app.target)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1


def test_the_page_of_the_command_line_has_every_command_and_exit_code() -> None:
    codes = re.findall(r"^  ([0-9]+) ", EXIT_CODES_HELP, re.MULTILINE)

    assert re.findall(r"^\| ([0-9]+) \|", CLI, re.MULTILINE) == codes
    missing = {
        each.name for each in COMMANDS_THERE_ARE.commands if f"`gcsched {each.name}" not in CLI
    }
    assert missing == set()


@pytest.mark.parametrize("line", JOB_COMMANDS)
def test_a_command_that_steers_is_one(line: str) -> None:
    chosen = build_parser(COMMANDS_THERE_ARE).parse_args(shlex.split(line)[1:])

    assert callable(chosen.run)


@pytest.mark.parametrize("command", GRPCURL)
async def test_grpcurl_is_given_a_method_that_exists_and_a_request_that_is_accepted(
    command: str, app: RunningApp
) -> None:
    words = shlex.split(command, comments=True)
    service, _, method = words[-1].rpartition("/")
    request = task_pb2.MeetRequest()

    json_format.Parse(words[words.index("-d") + 1], request)

    assert words[-2] == EXAMPLE_TARGET
    found = build_descriptor_pool().FindServiceByName(service)
    assert found.methods_by_name[method].input_type.full_name == "scheduler.MeetRequest"
    async with scheduler_stub(app.target) as stub:
        assert (await stub.ScheduleMeet(request, timeout=5)).success
