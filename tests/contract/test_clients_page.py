"""The examples of docs/clients.md work as the page says, with only a copy of proto/."""

import re
import shlex
import shutil
import sys
from collections.abc import Awaitable
from pathlib import Path
from subprocess import CompletedProcess

import grpc
import pytest

from tests.contract.buf import BUF
from tests.contract.node_packages import NODE, ensure_installed
from tests.generate.proto import PROTO
from tests.support.command import run_shell
from tests.support.fake_scheduler import ACCEPTED, fake_scheduler
from tests.support.in_process_app import RunningApp
from tests.support.relay.server import Relay
from tests.support.wait import until

PAGE = (PROTO.parent / "docs" / "clients.md").read_text(encoding="utf-8")
EXAMPLE_TARGET = "localhost:50051"
NO_PROXY = {"no_grpc_proxy": "127.0.0.1"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def commands(program: str) -> list[str]:
    """Return the shell examples that run *program*, each continued line joined."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(f"{program} ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a copy of proto/ and nothing else."""
    shutil.copytree(PROTO, tmp_path / "proto")
    return tmp_path


@pytest.fixture(scope="session")
def node_modules(request: pytest.FixtureRequest) -> Path:
    return ensure_installed(request.config.cache.mkdir("node"))


async def check_mail(printed: str, relay: Relay) -> None:
    success, job_id = printed.split()
    assert success.lower() == "true"
    await until(lambda: relay.ledger)
    (mail,) = relay.ledger
    assert job_id in mail.header("Message-ID")
    assert mail.recipient == "ada@example.org"
    assert mail.header("Subject") == "Interview on Friday"


async def test_the_python_example_calls_with_stubs_it_generates(
    folder: Path, app: RunningApp, relay: Relay
) -> None:
    [generate] = [line for line in commands("python") if "grpc_tools" in line]
    [example] = [block for block in blocks("python") if "import task_pb2_grpc" in block]
    script = generate.replace("python", shlex.quote(sys.executable), 1)
    call = shlex.join([sys.executable, "-c", example.replace(EXAMPLE_TARGET, app.target)])

    completed = await run_shell(f"cd {shlex.quote(str(folder))}\n{script}\n{call}", **NO_PROXY)

    assert completed.returncode == 0, completed.stderr
    await check_mail(completed.stdout, relay)


@pytest.fixture
def node_folder(folder: Path, node_modules: Path) -> Path:
    (folder / "node_modules").symlink_to(node_modules)
    return folder


def run_node(folder: Path, example: str) -> Awaitable[CompletedProcess[str]]:
    (folder / "example.js").write_text(example, encoding="utf-8")
    return run_shell(f"cd {shlex.quote(str(folder))}\nexec {NODE} example.js", **NO_PROXY)


async def test_the_node_example_calls_with_the_proto_folder(
    node_folder: Path, app: RunningApp, relay: Relay
) -> None:
    [example] = blocks("js")

    completed = await run_node(node_folder, example.replace(EXAMPLE_TARGET, app.target))

    assert (completed.returncode, completed.stderr) == (0, "")
    await check_mail(completed.stdout, relay)


async def test_the_node_example_retries_a_call_that_a_stopping_server_cancelled(
    node_folder: Path,
) -> None:
    [example] = blocks("js")

    async with fake_scheduler(ScheduleMeet=[grpc.StatusCode.CANCELLED, ACCEPTED]) as server:
        completed = await run_node(node_folder, example.replace(EXAMPLE_TARGET, server.target))

    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "true 7\n", "")
    assert len(server.requests) == 2


async def test_the_node_example_prints_the_error_of_a_request(
    node_folder: Path, app: RunningApp, relay: Relay
) -> None:
    [example] = blocks("js")
    wrong = example.replace(EXAMPLE_TARGET, app.target).replace("ada@example.org", "ada")

    completed = await run_node(node_folder, wrong)

    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith("INVALID_ARGUMENT ")
    assert "emailID" in completed.stderr
    assert not relay.ledger


async def test_the_commands_of_buf_succeed(folder: Path, app: RunningApp) -> None:
    lines = [line.replace(EXAMPLE_TARGET, app.target) for line in commands("buf")]
    assert len(lines) == 5

    completed = await run_shell(
        "\n".join([f"cd {shlex.quote(str(folder))}", f'buf() {{ {BUF} "$@"; }}', *lines]),
        **NO_PROXY,
    )

    assert completed.returncode == 0, completed.stderr
    assert "scheduler.Scheduler/ScheduleMeet" in completed.stdout
    assert '"success": true' in completed.stdout.replace('"success":true', '"success": true')
