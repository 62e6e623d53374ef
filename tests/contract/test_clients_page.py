"""The examples of docs/clients.md do what it says, with no more than a copy of proto/ at hand."""

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
    """Return the lines of all shell examples that run *program*, continued ones as one."""
    lines = [line for block in blocks("sh") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line.startswith(f"{program} ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds nothing but a copy of proto/."""
    shutil.copytree(PROTO, tmp_path / "proto")
    return tmp_path


@pytest.fixture(scope="session")
def node_modules(request: pytest.FixtureRequest) -> Path:
    return ensure_installed(request.config.cache.mkdir("node"))


async def is_mailed(printed: str, relay: Relay) -> None:
    success, job_id = printed.split()
    assert success.lower() == "true"
    await until(lambda: relay.ledger)
    (mail,) = relay.ledger
    assert job_id in mail.header("Message-ID")
    assert mail.recipient == "ada@example.org"
    assert mail.header("Subject") == "Interview on Friday"


async def test_python_calls_with_stubs_of_its_own(
    folder: Path, app: RunningApp, relay: Relay
) -> None:
    [generate] = [line for line in commands("python") if "grpc_tools" in line]
    [example] = blocks("python")
    script = generate.replace("python", shlex.quote(sys.executable), 1)
    call = shlex.join([sys.executable, "-c", example.replace(EXAMPLE_TARGET, app.target)])

    done = await run_shell(f"cd {shlex.quote(str(folder))}\n{script}\n{call}", **NO_PROXY)

    assert done.returncode == 0, done.stderr
    await is_mailed(done.stdout, relay)


@pytest.fixture
def node_folder(folder: Path, node_modules: Path) -> Path:
    (folder / "node_modules").symlink_to(node_modules)
    return folder


def run_node(folder: Path, example: str) -> Awaitable[CompletedProcess[str]]:
    (folder / "example.js").write_text(example, encoding="utf-8")
    return run_shell(f"cd {shlex.quote(str(folder))}\nexec {NODE} example.js", **NO_PROXY)


async def test_node_calls_by_the_proto_folder(
    node_folder: Path, app: RunningApp, relay: Relay
) -> None:
    [example] = blocks("js")

    done = await run_node(node_folder, example.replace(EXAMPLE_TARGET, app.target))

    assert (done.returncode, done.stderr) == (0, "")
    await is_mailed(done.stdout, relay)


async def test_node_repeats_what_a_server_that_ends_cancelled(node_folder: Path) -> None:
    [example] = blocks("js")

    async with fake_scheduler(ScheduleMeet=[grpc.StatusCode.CANCELLED, ACCEPTED]) as server:
        done = await run_node(node_folder, example.replace(EXAMPLE_TARGET, server.target))

    assert (done.returncode, done.stdout, done.stderr) == (0, "true 7\n", "")
    assert len(server.requests) == 2


async def test_node_reads_what_is_wrong_with_a_request(
    node_folder: Path, app: RunningApp, relay: Relay
) -> None:
    [example] = blocks("js")
    wrong = example.replace(EXAMPLE_TARGET, app.target).replace("ada@example.org", "ada")

    done = await run_node(node_folder, wrong)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("INVALID_ARGUMENT ")
    assert "emailID" in done.stderr
    assert not relay.ledger


async def test_the_commands_of_buf_succeed(folder: Path, app: RunningApp) -> None:
    lines = [line.replace(EXAMPLE_TARGET, app.target) for line in commands("buf")]
    assert len(lines) == 5

    done = await run_shell(
        "\n".join([f"cd {shlex.quote(str(folder))}", f'buf() {{ {BUF} "$@"; }}', *lines]),
        **NO_PROXY,
    )

    assert done.returncode == 0, done.stderr
    assert "scheduler.Scheduler/ScheduleMeet" in done.stdout
    assert '"success": true' in done.stdout.replace('"success":true', '"success": true')
