"""Every command and both clients with proxies in the environment; oracle: who got a connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gcsched.cli.command import Command, CommandGroup
from gcsched.cli.main import COMMANDS
from gcsched.client import AsyncClient, CallFailed, Client
from tests.support.command import run_command, run_gcsched
from tests.support.connections import serve_streams

PROXIES = ["http_proxy", "https_proxy", "grpc_proxy", "all_proxy"]
EXCEPTIONS = ["no_proxy", "NO_PROXY", "no_grpc_proxy"]
ARGUMENTS = {
    "schedule": ["--to=ada@example.org", "--empid=E1", "--message=Hi"],
    "health": [],
    "status": [],
    "job show": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"],
    "job list": [],
    "job count": [],
    "job cancel": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"],
    "job reschedule": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b", "--daily"],
    "job retry": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"],
    "job resolve": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b", "--sent", "--reason=seen"],
    "jobs cancel": ["--email=ada@example.org", "--yes"],
    "jobs retry": ["--email=ada@example.org", "--yes"],
    "daily run": ["--yes"],
    "pause": ["--reason=test"],
    "resume": [],
    "suppression list": [],
    "suppression show": ["ada@example.org"],
    "suppression add": ["ada@example.org", "--reason=requested"],
    "suppression remove": ["ada@example.org"],
    "recipient show": ["E1"],
    "recipient forget": ["E1", "--yes"],
    "template list": [],
    "template preview": ["doc"],
    "template send-test": ["doc", "--to=a@example.org"],
    "audit": [],
    "bench": ["unary"],
    "meeting create": [
        *("--summary=Hi", "--start=2035-01-05T09:00", "--duration=30m", "--zone=UTC"),
        "--to=ada@example.org",
    ],
    "meeting show": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"],
    "meeting list": [],
    "meeting update": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b", "--summary=Hi"],
    "meeting cancel": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b", "--yes"],
    "meeting add": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b", "--to=ada@example.org"],
    "meeting remove": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b", "ada@example.org"],
    "meeting ics": ["0190a6e2c3d47b5f8a9b0c1d2e3f4a5b"],
}
COMMANDS_WITHOUT_CALLS = {
    *("serve", "dev", "completion", "template check"),
    *("token new", "token list", "token check", "token revoke"),
}
TIMEOUT_SECONDS = 0.5


@dataclass(kw_only=True)
class Listener:
    """Records the first line of each connection, then lets it be closed."""

    port: int = 0
    request_lines: list[str] = field(default_factory=list)

    async def on_connect(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        self.request_lines.append(
            (await reader.read(1024)).decode(errors="replace").split("\r\n")[0]
        )


@asynccontextmanager
async def a_listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with serve_streams(listener.on_connect) as listener.port:
        yield listener


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listener]:
    """A proxy that every proxy variable names, without exceptions from it."""
    async with a_listener() as proxy:
        for name in PROXIES:
            for each in (name, name.upper()):
                monkeypatch.setenv(each, f"http://127.0.0.1:{proxy.port}")
        for name in EXCEPTIONS:
            monkeypatch.delenv(name, raising=False)
        yield proxy


@pytest.fixture
async def service() -> AsyncIterator[Listener]:
    async with a_listener() as service:
        yield service


def leaves(group: CommandGroup, above: str = "") -> Iterator[tuple[str, Command]]:
    for each in group.commands:
        name = f"{above} {each.name}".strip()
        if isinstance(each, CommandGroup):
            yield from leaves(each, name)
        else:
            yield name, each


def test_every_command_is_covered() -> None:
    assert {name for name, _ in leaves(COMMANDS)} - COMMANDS_WITHOUT_CALLS == set(ARGUMENTS)


@pytest.mark.parametrize("name", ARGUMENTS)
async def test_commands_use_no_proxy_for_this_machine(
    name: str, proxy: Listener, service: Listener
) -> None:
    where = f"127.0.0.1:{service.port}"

    done = await run_command(
        *name.split(), *ARGUMENTS[name], "--target", where, f"--timeout={TIMEOUT_SECONDS}"
    )

    assert done.code != 0
    assert service.request_lines, done.err
    assert proxy.request_lines == []


async def call_sync(target: str) -> None:
    def call() -> None:
        with Client(target, timeout=TIMEOUT_SECONDS) as client, pytest.raises(CallFailed):
            client.schedule_meet(empid="E1", email="ada@example.org", message="Hi", at=None)

    await asyncio.to_thread(call)


async def call_async(target: str) -> None:
    async with AsyncClient(target, timeout=TIMEOUT_SECONDS) as client:
        with pytest.raises(CallFailed):
            await client.schedule_meet(empid="E1", email="ada@example.org", message="Hi", at=None)


CallTarget = Callable[[str], Awaitable[None]]
BOTH_CLIENTS = pytest.mark.parametrize("call_service", [call_sync, call_async])


@BOTH_CLIENTS
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "dns:///localhost", "ipv4:127.0.0.1"])
async def test_clients_use_no_proxy_for_this_machine(
    call_service: CallTarget, host: str, proxy: Listener, service: Listener
) -> None:
    await call_service(f"{host}:{service.port}")

    assert service.request_lines
    assert proxy.request_lines == []


@BOTH_CLIENTS
async def test_clients_call_another_machine_through_the_proxy(
    call_service: CallTarget, proxy: Listener
) -> None:
    await call_service("gcsched.test:50051")

    assert proxy.request_lines[0] == "CONNECT gcsched.test:50051 HTTP/1.1"


async def test_a_command_calls_another_machine_through_the_proxy(proxy: Listener) -> None:
    where = ["--target", "gcsched.test:50051", "--timeout=5"]

    await run_gcsched("health", *where)
    await run_gcsched("status", *where)

    assert set(proxy.request_lines) == {"CONNECT gcsched.test:50051 HTTP/1.1"}


@BOTH_CLIENTS
@pytest.mark.parametrize("entry", ["gcsched.test", "*.test", "*", "gcsched.test:50051"])
@pytest.mark.parametrize("name", EXCEPTIONS)
async def test_clients_call_an_exception_directly(
    call_service: CallTarget,
    name: str,
    entry: str,
    proxy: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(name, entry)

    await call_service("gcsched.test:50051")

    assert proxy.request_lines == []
