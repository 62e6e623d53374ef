"""The examples of docs/clients.md work as the page says, with only a copy of proto/."""

import asyncio
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess
from textwrap import indent

import grpc
import pytest
import trustme

from gcsched.errors import Overloaded
from tests.contract.buf import BUF
from tests.contract.node_packages import NODE, ensure_installed
from tests.generate.proto import PROTO
from tests.support.certificates import (
    channel_credentials,
    issue,
    write_authority,
    write_pair,
)
from tests.support.clients import client_toml, make_token, write_clients
from tests.support.command import run_shell
from tests.support.fake_scheduler import ACCEPTED, fake_scheduler
from tests.support.in_process_app import RunningApp, make_settings, running_app
from tests.support.relay.server import Relay
from tests.support.wait import until

PAGE = (PROTO.parent / "docs" / "clients.md").read_text(encoding="utf-8")
EXAMPLE_TARGET = "localhost:50051"
SECURE_EXAMPLE_TARGET = "gcsched.example.org:50051"
NO_PROXY = {"no_grpc_proxy": "127.0.0.1,localhost"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def block_with(language: str, text: str) -> str:
    """Return the only example in *language* that contains *text*."""
    [found] = [block for block in blocks(language) if text in block]
    return found


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
    example = block_with("python", "import task_pb2_grpc")

    completed = await run_python(folder, example.replace(EXAMPLE_TARGET, app.target))

    assert completed.returncode == 0, completed.stderr
    await check_mail(completed.stdout, relay)


def run_python(folder: Path, example: str) -> Awaitable[CompletedProcess[str]]:
    """Run *example* with the stubs that the command of the page generates."""
    [generate] = [line for line in commands("python") if "grpc_tools" in line]
    script = generate.replace("python", shlex.quote(sys.executable), 1)
    call = shlex.join([sys.executable, "-c", example])
    return run_shell(f"cd {shlex.quote(str(folder))}\n{script}\n{call}", **NO_PROXY)


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
    example = block_with("js", "loadPackageDefinition")

    completed = await run_node(node_folder, example.replace(EXAMPLE_TARGET, app.target))

    assert (completed.returncode, completed.stderr) == (0, "")
    await check_mail(completed.stdout, relay)


async def test_the_node_example_retries_a_call_that_a_stopping_server_cancelled(
    node_folder: Path,
) -> None:
    example = block_with("js", "loadPackageDefinition")

    async with fake_scheduler(ScheduleMeet=[grpc.StatusCode.CANCELLED, ACCEPTED]) as server:
        completed = await run_node(node_folder, example.replace(EXAMPLE_TARGET, server.target))

    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "true 7\n", "")
    assert len(server.requests) == 2


async def test_the_node_example_prints_the_error_of_a_request(
    node_folder: Path, app: RunningApp, relay: Relay
) -> None:
    example = block_with("js", "loadPackageDefinition")
    wrong = example.replace(EXAMPLE_TARGET, app.target).replace("ada@example.org", "ada")

    completed = await run_node(node_folder, wrong)

    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith("INVALID_ARGUMENT ")
    assert "emailID" in completed.stderr
    assert not relay.ledger


def secure_node_example() -> str:
    example = block_with("js", "loadPackageDefinition")
    before, client, after = example.partition("const client")
    return (
        before
        + block_with("js", "createFromMetadataGenerator")
        + client
        + after.replace("grpc.credentials.createInsecure()", "credentials")
    )


def secure_python_example() -> str:
    example = block_with("python", "import task_pb2_grpc")
    before, _, after = example.partition("with grpc.insecure_channel")
    secure = block_with("python", "composite_channel_credentials")
    return before + secure + "with channel:\n" + after.partition("\n")[2]


@pytest.fixture
async def secure_app(
    folder: Path, mongo_uri: str, redis_url: str, relay: Relay
) -> AsyncIterator[RunningApp]:
    """Run a service with TLS that knows its callers, whose files are those of the examples."""
    authority, token = trustme.CA(), make_token()
    write_authority(folder, authority)
    (folder / "payroll.token").write_text(f"{token.text}\n", encoding="utf-8")
    payroll = client_toml("payroll", ["schedule"], token)
    settings = make_settings(
        mongo=mongo_uri,
        redis=redis_url,
        relay_port=relay.port,
        clients_file=str(write_clients(folder / "clients.toml", payroll)),
        **write_pair(folder, issue(authority, "localhost", "127.0.0.1")).settings,
    )
    async with running_app(settings, channel_credentials(authority)) as app:
        yield app


async def test_the_examples_with_tls_and_a_token_call_a_closed_service(
    node_folder: Path, secure_app: RunningApp, relay: Relay
) -> None:
    target = secure_app.target.replace("127.0.0.1", "localhost")  # Node warns of an address
    node, python = (
        example.replace(EXAMPLE_TARGET, target).replace(SECURE_EXAMPLE_TARGET, target)
        for example in (secure_node_example(), secure_python_example())
    )

    both = await asyncio.gather(run_node(node_folder, node), run_python(node_folder, python))

    for completed in both:
        assert (completed.returncode, completed.stderr) == (0, "")
        await check_mail(completed.stdout, relay)  # the same request: one mail


async def test_the_examples_read_the_reason_of_an_error_and_the_time_to_wait(
    node_folder: Path,
) -> None:
    node = block_with("js", "function readDetails") + block_with("js", "loadPackageDefinition")
    shown = "console.log(readDetails(error));"
    node = node.replace("console.error(grpc.status[error.code], error.details);", shown)
    python = block_with("python", "import task_pb2_grpc").replace("print(", "    print(")
    head, opening, call = python.partition("with grpc.insecure_channel")
    attempt = "try:\n" + indent(opening + call, "    ")
    caught = "except grpc.RpcError as error:\n    print(read_details(error))\n"
    python = head + block_with("python", "def read_details") + attempt + caught

    async with fake_scheduler(
        ScheduleMeet=Overloaded(9, retry_after=timedelta(seconds=3))
    ) as server:
        from_node, from_python = await asyncio.gather(
            run_node(node_folder, node.replace(EXAMPLE_TARGET, server.target)),
            run_python(node_folder, python.replace(EXAMPLE_TARGET, server.target)),
        )

    assert from_node.stdout == "{ reason: 'OVERLOADED', retryAfter: 3 }\n", from_node.stderr
    assert from_python.stdout == "('OVERLOADED', 3.0)\n", from_python.stderr


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
